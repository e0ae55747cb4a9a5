# SPDX-License-Identifier: Apache-2.0
"""Runs the four services: each in its own process (`ProcessMesh`), or all in this process (`open_mesh`)."""

import asyncio
import functools
import importlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.children import Child
from deploy.local.database import SERVICES
from deploy.local.fault import Fault
from deploy.local.identity import LocalIdentity
from deploy.local.ports import HOST, free_port, is_free
from meshkit.clock import Clock, ManualClock, SystemClock
from meshkit.config import MeshSettings
from meshkit.ids import Ids
from meshkit.rpc.client import open_channel

FIRST_PORT = 7001
# The ports for services follow those for callers at this distance.
PEER_PORTS_AFTER = 10
READY_SECONDS_MAX = 60.0
POLL_SECONDS = 0.02


def addresses(first_port: int | None) -> dict[str, str]:
    """Return each service's address: `first_port` and the three ports after it, or free ports when it is None.

    Raises Fault when another process listens on one of them.
    """
    if first_port is None:
        return {service: f"{HOST}:{free_port()}" for service in SERVICES}
    for number, service in enumerate(SERVICES):
        if not is_free(first_port + number):
            raise Fault(
                f"port {first_port + number} is taken, and {service} needs it; stop the process that listens "
                "there, or choose other ports: make up FIRST_PORT=17001"
            )
    return {service: f"{HOST}:{first_port + number}" for number, service in enumerate(SERVICES)}


NO_PAYMENTS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Secured:
    """What a mesh with identities needs: certificates and keys, and where its services serve each other."""

    identity: LocalIdentity
    peer_addresses: Mapping[str, str]


def secured(identity: LocalIdentity, first_port: int | None) -> Secured:
    """Return the parts of a mesh with identities. Raises Fault as `addresses` does."""
    return Secured(identity, addresses(None if first_port is None else first_port + PEER_PORTS_AFTER))


def environment(
    service: str,
    *,
    url: str,
    at: Mapping[str, str],
    access: Secured | None,
    sandbox_start_time: datetime | None,
    secret_keys: str = "",
    payments: Mapping[str, str] = NO_PAYMENTS,
) -> dict[str, str]:
    """Return the settings of `service` as environment variables. With a start time it runs in sandbox mode.

    at: the addresses of all services, including this one. access None: insecure. secret_keys: Alert's;
    the others have none. payments: Contract's settings of its payment provider, without the prefix.
    """
    prefix = f"PURSER_{service.upper()}_"
    settings = {"DATABASE_URL": url, "LISTEN": at[service]}
    peers = at
    if access is not None:
        peers = access.peer_addresses
        settings |= {"PEER_LISTEN": peers[service], **access.identity.settings(service)}
    settings |= {f"{peer.upper()}_ADDRESS": peers[peer] for peer in SERVICES if peer != service}
    if service == "alert":
        settings["SECRET_KEYS"] = secret_keys
    if service == "contract":
        settings |= payments
    if sandbox_start_time is not None:
        settings |= {"SANDBOX": "true", "SANDBOX_START_TIME": sandbox_start_time.isoformat()}
        if service == "alert":
            settings["ALLOW_PRIVATE_TARGETS"] = "true"  # in a sandbox, webhook receivers run on this machine
    named = {prefix + name: value for name, value in settings.items()}
    return named if access is not None else {**named, "PURSER_INSECURE": "true"}


class ProcessMesh:
    """Four child processes, `python -m services.<service>`.

    urls: each service's URL of a migrated database. secret_keys: Alert's. access None: insecure. payments: Contract's
    settings of its payment provider. say: called with a service's name and each line of its output.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        *,
        addresses: Mapping[str, str],
        log_folder: Path,
        sandbox_start_time: datetime | None,
        secret_keys: str,
        access: Secured | None = None,
        payments: Mapping[str, str] = NO_PAYMENTS,
        say: Callable[[str, str], None] = lambda service, line: None,
    ) -> None:
        self.addresses = dict(addresses)
        self.access = access
        self._death: asyncio.Future[Fault] | None = None
        self._children = {
            service: Child(
                service,
                f"services.{service}",
                {
                    **os.environ,
                    **environment(
                        service,
                        url=urls[service],
                        at=addresses,
                        access=access,
                        sandbox_start_time=sandbox_start_time,
                        secret_keys=secret_keys,
                        payments=payments,
                    ),
                },
                log=log_folder / f"{service}.log",
                say=functools.partial(say, service),
                on_death=self._report_death,
            )
            for service in SERVICES
        }

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()

    async def start(self, *services: str) -> None:
        """Start these services (none named: all). Returns when they are SERVING.

        Raises Fault, in one line, when a service ends or does not serve within 60 s.
        """
        chosen = services or SERVICES
        if self._death is None or self._death.done():
            self._death = asyncio.get_running_loop().create_future()
        for service in chosen:
            await self._children[service].start()
        credentials = None if self.access is None else self.access.identity.credentials()
        serving = asyncio.gather(
            *(until_serving(service, self.addresses[service], credentials) for service in chosen)
        )
        await asyncio.wait((serving, self._death), return_when=asyncio.FIRST_COMPLETED)
        if self._death.done():
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
            raise self._death.result()
        await serving

    async def stop(self, *services: str) -> None:
        """Stop these services (none named: all) gracefully: SIGTERM to all at the same time."""
        await asyncio.gather(*(self._children[service].stop() for service in services or SERVICES))

    async def restart(self, service: str) -> None:
        """Stop the service gracefully and start it again on the same port."""
        await self.stop(service)
        await self.start(service)

    async def kill(self, service: str) -> None:
        """SIGKILL, to simulate a crash. `start(service)` starts the service again."""
        await self._children[service].kill()

    def pid(self, service: str) -> int:
        """Return the process id of a started service."""
        return self._children[service].pid

    def log(self, service: str) -> Path:
        """Return the file with the service's output."""
        return self._children[service].log

    async def until_one_dies(self) -> Fault:
        """Wait until a service ends without having been stopped. Returns the Fault, in one line."""
        assert self._death is not None
        return await asyncio.shield(self._death)

    def _report_death(self, fault: Fault) -> None:
        if self._death is not None and not self._death.done():
            self._death.set_result(fault)


async def until_serving(
    service: str, address: str, credentials: grpc.ChannelCredentials | None = None
) -> None:
    """Wait until the health check at `address` returns SERVING. Raises Fault after 60 s."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    async with open_channel(address, credentials) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        while time.monotonic() < deadline:
            if await _is_serving(health):
                return
            await asyncio.sleep(POLL_SECONDS)
    raise Fault(f"{service} does not serve at {address} after {READY_SECONDS_MAX:.0f} s")


async def _is_serving(health: Any) -> bool:
    try:
        answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


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
    services: tuple[str, ...] = SERVICES,
) -> AsyncIterator[Mesh]:
    """Serve until the block ends.

    urls: each service's URL of a migrated database. secret_keys: Alert's. access None: insecure. wall: operational
    time, by default the system clock. payments: Contract's settings of its payment provider. Raises
    what open_service raises, for instance PortTaken.
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
