# SPDX-License-Identifier: Apache-2.0
"""The four services, running: each in a process of its own (`ProcessMesh`), or all in this one (`open_mesh`)."""

import asyncio
import functools
import importlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.children import Child
from deploy.local.database import SERVICES
from deploy.local.fault import Fault
from meshkit.clock import Clock, ManualClock, SystemClock
from meshkit.config import MeshSettings
from meshkit.ids import TimeOrderedIds
from meshkit.rpc.client import open_channel

HOST = "127.0.0.1"
FIRST_PORT = 7001
READY_SECONDS_MAX = 60.0
ASK_AGAIN_SECONDS = 0.02


def addresses(first_port: int | None) -> dict[str, str]:
    """Where each service is to listen: `first_port` and the three after it, or free ports when it is None.

    Raises Fault when another process listens on one of them.
    """
    with ExitStack() as held:
        chosen = {}
        for number, service in enumerate(SERVICES):
            wanted = 0 if first_port is None else first_port + number
            probe = held.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, wanted))
            except (OSError, OverflowError):
                raise Fault(
                    f"port {wanted} is taken and {service} wants it; stop what listens there, "
                    "or choose another row of four: make up FIRST_PORT=17001"
                ) from None
            chosen[service] = f"{HOST}:{probe.getsockname()[1]}"
        return chosen


def environment(
    service: str, *, url: str, at: Mapping[str, str], sandbox_start_time: datetime | None
) -> dict[str, str]:
    """The settings of `service` as environment variables. With a start time it runs in sandbox mode.

    at: where every service listens, this one and its peers.
    """
    prefix = f"PURSER_{service.upper()}_"
    settings = {"DATABASE_URL": url, "LISTEN": at[service]}
    settings |= {f"{peer.upper()}_ADDRESS": at[peer] for peer in SERVICES if peer != service}
    if sandbox_start_time is not None:
        settings |= {"SANDBOX": "true", "SANDBOX_START_TIME": sandbox_start_time.isoformat()}
        if service == "alert":
            settings["ALLOW_PRIVATE_TARGETS"] = "true"  # a sandbox's receivers listen on this machine
    return {prefix + name: value for name, value in settings.items()}


class ProcessMesh:
    """Four child processes, `python -m services.<service>`.

    urls: the database address of each service, migrated. say: given each line a service says, with its name.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        *,
        addresses: Mapping[str, str],
        log_folder: Path,
        sandbox_start_time: datetime | None,
        say: Callable[[str, str], None] = lambda service, line: None,
    ) -> None:
        self.addresses = dict(addresses)
        self._death: asyncio.Future[Fault] | None = None
        self._children = {
            service: Child(
                service,
                f"services.{service}",
                {
                    **os.environ,
                    **environment(
                        service, url=urls[service], at=addresses, sandbox_start_time=sandbox_start_time
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
        """Start these services (none named: all) and return when they are SERVING.

        Raises Fault, in one line, when one ends instead, or does not serve within 60 s.
        """
        chosen = services or SERVICES
        if self._death is None or self._death.done():
            self._death = asyncio.get_running_loop().create_future()
        for service in chosen:
            await self._children[service].start()
        serving = asyncio.gather(*(until_serving(service, self.addresses[service]) for service in chosen))
        await asyncio.wait((serving, self._death), return_when=asyncio.FIRST_COMPLETED)
        if self._death.done():
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
            raise self._death.result()
        await serving

    async def stop(self, *services: str) -> None:
        """Stop these services (none named: all), gracefully: SIGTERM, all at once."""
        await asyncio.gather(*(self._children[service].stop() for service in services or SERVICES))

    async def restart(self, service: str) -> None:
        """Stop it gracefully and start it again on its port."""
        await self.stop(service)
        await self.start(service)

    async def kill(self, service: str) -> None:
        """SIGKILL, as a crash would. `start(service)` brings it back."""
        await self._children[service].kill()

    def pid(self, service: str) -> int:
        """The process id of a service that was started."""
        return self._children[service].pid

    def log(self, service: str) -> Path:
        """The file that keeps what the service says."""
        return self._children[service].log

    async def until_one_dies(self) -> Fault:
        """Return, as one line, when a service ends that nobody had asked to."""
        assert self._death is not None
        return await asyncio.shield(self._death)

    def _report_death(self, fault: Fault) -> None:
        if self._death is not None and not self._death.done():
            self._death.set_result(fault)


async def until_serving(service: str, address: str) -> None:
    """Return when the health check at `address` says SERVING. Raises Fault when it does not within 60 s."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    async with open_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        while time.monotonic() < deadline:
            if await _is_serving(health):
                return
            await asyncio.sleep(ASK_AGAIN_SECONDS)
    raise Fault(f"{service} does not serve at {address} after {READY_SECONDS_MAX:.0f} s")


async def _is_serving(health: Any) -> bool:
    try:
        answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """All four services in this process, real channels between them. `apps`: what each open_service gave."""

    addresses: Mapping[str, str]
    apps: Mapping[str, Any]
    clocks: Mapping[str, Clock]


@asynccontextmanager
async def open_mesh(
    urls: Mapping[str, str],
    *,
    addresses: Mapping[str, str],
    sandbox_start_time: datetime | None,
    wall: Clock | None = None,
    services: tuple[str, ...] = SERVICES,
) -> AsyncIterator[Mesh]:
    """Serve until the block ends.

    urls: the database address of each service, migrated. wall: operational time, by default the system's.
    Raises what open_service raises, PortTaken for one.
    """
    wall = SystemClock() if wall is None else wall
    async with AsyncExitStack() as stack:
        apps = {}
        clocks: dict[str, Clock] = {}
        for service in services:
            variables = environment(
                service, url=urls[service], at=addresses, sandbox_start_time=sandbox_start_time
            )
            clocks[service] = wall if sandbox_start_time is None else ManualClock(sandbox_start_time)
            open_service = importlib.import_module(f"services.{service}.app").open_service
            apps[service] = await stack.enter_async_context(
                open_service(
                    _settings(service, variables),
                    clock=clocks[service],
                    wall=wall,
                    ids=TimeOrderedIds(wall),
                )
            )
        yield Mesh(addresses=dict(addresses), apps=apps, clocks=clocks)


def _settings(service: str, variables: Mapping[str, str]) -> MeshSettings:
    """The settings class of the service, filled as its environment variables would fill it."""
    config = importlib.import_module(f"services.{service}.config")
    (settings,) = (
        kind
        for kind in vars(config).values()
        if isinstance(kind, type) and issubclass(kind, MeshSettings) and kind.__module__ == config.__name__
    )
    prefix = f"PURSER_{service.upper()}_"
    build: Callable[..., MeshSettings] = settings
    return build(**{name.removeprefix(prefix).lower(): value for name, value in variables.items()})
