# SPDX-License-Identifier: Apache-2.0
"""Runs the four services, or some of them, in this process."""

import importlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.local.database import SERVICES
from deploy.local.mesh import NO_MAILS, NO_PAYMENTS, Secured, environment
from meshkit.clock import Clock, ManualClock, SystemClock
from meshkit.config import MeshSettings
from meshkit.ids import Ids


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """All four services in this process, with real channels between them. `apps`: the result of each open_service."""

    addresses: Mapping[str, str]
    apps: Mapping[str, Any]
    clocks: Mapping[str, Clock]


@asynccontextmanager
async def open_mesh(
    urls: Mapping[str, str],
    *,
    addresses: Mapping[str, str],
    sandbox_start_time: datetime | None,
    secret_keys: str,
    access: Secured | None = None,
    wall: Clock | None = None,
    payments: Mapping[str, str] = NO_PAYMENTS,
    mails: Mapping[str, str] = NO_MAILS,
    services: tuple[str, ...] = SERVICES,
) -> AsyncIterator[Mesh]:
    """Serve until the block ends.

    urls: each service's URL of a migrated database. secret_keys: Alert's. access None: insecure. wall: operational
    time, by default the system clock. payments: Contract's settings of its payment provider. mails: Alert's settings of
    its mail server. Raises what open_service raises, for instance PortTaken.
    """
    wall = SystemClock() if wall is None else wall
    async with AsyncExitStack() as stack:
        apps = {}
        clocks: dict[str, Clock] = {}
        for service in services:
            variables = environment(
                service,
                url=urls[service],
                at=addresses,
                access=access,
                sandbox_start_time=sandbox_start_time,
                secret_keys=secret_keys,
                payments=payments,
                mails=mails,
            )
            clocks[service] = wall if sandbox_start_time is None else ManualClock(sandbox_start_time)
            open_service = importlib.import_module(f"services.{service}.app").open_service
            apps[service] = await stack.enter_async_context(
                open_service(
                    _settings(service, variables),
                    clock=clocks[service],
                    wall=wall,
                    ids=Ids(wall),
                )
            )
        yield Mesh(addresses=dict(addresses), apps=apps, clocks=clocks)


def _settings(service: str, variables: Mapping[str, str]) -> MeshSettings:
    """Return the service's settings as its environment variables would set them."""
    config = importlib.import_module(f"services.{service}.config")
    (settings,) = (
        kind
        for kind in vars(config).values()
        if isinstance(kind, type) and issubclass(kind, MeshSettings) and kind.__module__ == config.__name__
    )
    prefix = f"PURSER_{service.upper()}_"
    build: Callable[..., MeshSettings] = settings
    return build(
        **{
            name.removeprefix(prefix).lower() if name.startswith(prefix) else name: value
            for name, value in variables.items()
        }
    )
