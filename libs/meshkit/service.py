# SPDX-License-Identifier: Apache-2.0
"""Builds a service from its parts: database, peers, relay, background work, sandbox clock, server."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

import grpc.aio
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.clock import Clock, ManualClock
from meshkit.config import MeshSettings
from meshkit.connections import Connections
from meshkit.database_watch import DatabaseWatch
from meshkit.db import POOL_SIZE, open_engine, plain_url
from meshkit.outbox import Notice, Relay
from meshkit.periodic import PeriodicTask
from meshkit.rpc.client import open_channel
from meshkit.rpc.server import RpcService, start_server

DueWork = Callable[[datetime], Awaitable[object]]
RunDue = Callable[[datetime], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A running service that answers on `port`.

    run_due: does everything due up to a business instant, then tries to deliver every pending notice. wake: makes the
    background work look now for what is due by wall time, instead of after its next interval.
    """

    port: int
    run_due: RunDue
    wake: Callable[[], None]


class BackgroundWork(Protocol):
    """BackgroundWork work that can be woken before its next interval."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def wake(self) -> None: ...


B = TypeVar("B", bound=BackgroundWork)


class SandboxClock(Protocol):
    """Stores and serves a service's business time in sandbox mode; libs/sandbox implements it."""

    async def restore(self, clock: ManualClock, engine: AsyncEngine) -> None:
        """Advance `clock` to the stored time, if that is later."""
        ...

    def service(
        self,
        *,
        clock: ManualClock,
        engine: AsyncEngine,
        run_due: RunDue,
        peers: Mapping[str, grpc.aio.Channel],
    ) -> RpcService:
        """Return the rpcs that read and advance the time, in this service and then in each of `peers`, in order."""
        ...


@asynccontextmanager
async def service_builder(
    name: str,
    settings: MeshSettings,
    *,
    clock: Clock,
    wall: Clock,
    outbox: Table,
    dead_letters: Table,
    sandbox: SandboxClock,
    pool_size: int = POOL_SIZE,
    application_name: str | None = None,
) -> AsyncIterator["ServiceBuilder"]:
    """Open the database of the service `name`. When the block ends, even by an exception, stop all started parts.

    clock: business time, in sandbox mode a ManualClock. wall: operational time. pool_size: the maximum number of
    database connections. application_name: their name in pg_stat_activity, by default `name`.
    """
    async with AsyncExitStack() as stack:
        connections = Connections()
        engine = open_engine(
            settings.database_url,
            pool_size=pool_size,
            application_name=application_name or name,
            connections=connections,
        )
        stack.push_async_callback(engine.dispose)
        # Stops after all parts that use the database: they end at once, even if it falls silent meanwhile.
        watch = DatabaseWatch(plain_url(settings.database_url), connections, application_name=f"{name}-watch")
        watch.start()
        stack.push_async_callback(watch.stop)
        # Restored before any part starts: no part may work at an earlier time.
        if settings.sandbox:
            await sandbox.restore(_as_manual(clock), engine)
        yield ServiceBuilder(
            name=name,
            settings=settings,
            clock=clock,
            wall=wall,
            outbox=outbox,
            dead_letters=dead_letters,
            sandbox=sandbox,
            engine=engine,
            connections=connections,
            watch=watch,
            stack=stack,
        )


@dataclass(slots=True, kw_only=True)
class ServiceBuilder:
    """A service under construction; service_builder creates it.

    Parts stop in the reverse order of their start: the server, which `serve` starts last, stops first.
    stack: for the parts of one service only; push a callback that closes them. connections: opens what they connect to
    the database.
    """

    name: str
    settings: MeshSettings
    clock: Clock
    wall: Clock
    outbox: Table
    dead_letters: Table
    sandbox: SandboxClock
    engine: AsyncEngine
    connections: Connections
    watch: DatabaseWatch
    stack: AsyncExitStack
    _channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)
    _background: list[BackgroundWork] = field(default_factory=list)

    def channel(self, peer: str) -> grpc.aio.Channel:
        """Return the channel to a peer, opened at the first call. peer: its name in `settings.peer_addresses`."""
        if peer not in self._channels:
            channel = open_channel(self.settings.peer_addresses[peer])
            self.stack.push_async_callback(channel.close)
            self._channels[peer] = channel
        return self._channels[peer]

    async def start_relay(
        self, deliver: Callable[[Notice], Awaitable[None]], *, ordered: frozenset[str] = frozenset()
    ) -> Relay:
        """Start delivering the notices of the outbox. deliver: raises if the peer did not accept the notice.

        ordered: the kinds of which a notice waits for a dead letter of its key and kind.
        """
        relay = Relay(
            self.engine,
            self.outbox,
            deliver,
            self.wall,
            dead_letters=self.dead_letters,
            ordered=ordered,
        )
        return await self.start(relay)

    async def start(self, background: B) -> B:
        """Start background work. App.wake wakes it."""
        await background.start()
        self.stack.push_async_callback(background.stop)
        self._background.append(background)
        return background

    def start_periodic(self, *periodics: PeriodicTask) -> None:
        """Start periodic work."""
        for periodic in periodics:
            periodic.start()
            self.stack.push_async_callback(periodic.stop)

    async def serve(
        self, *services: RpcService, relay: Relay, run_due: DueWork | None = None, shares_port: bool = False
    ) -> App:
        """Accept calls to `services` and, in sandbox mode, to the clock. Call it last.

        run_due: what App.run_due does before `relay` delivers. shares_port: other processes share the port too.
        Raises PortTaken.
        """

        async def run_due_and_deliver(at: datetime) -> None:
            if run_due is not None:
                await run_due(at)
            await relay.deliver_all_now()

        if self.settings.sandbox:
            services = (*services, self._clock_service(run_due_and_deliver))
        server = await start_server(
            name=self.name, address=self.settings.listen, services=services, reuse_port=shares_port
        )
        self.stack.push_async_callback(server.stop)
        await self.watch.report_to(server.set_serving)
        return App(port=server.port, run_due=run_due_and_deliver, wake=self._wake)

    def _clock_service(self, run_due: RunDue) -> RpcService:
        return self.sandbox.service(
            clock=_as_manual(self.clock),
            engine=self.engine,
            run_due=run_due,
            peers={peer: self.channel(peer) for peer in self.settings.peer_addresses},
        )

    def _wake(self) -> None:
        for background in self._background:
            background.wake()


def _as_manual(clock: Clock) -> ManualClock:
    assert isinstance(clock, ManualClock)
    return clock
