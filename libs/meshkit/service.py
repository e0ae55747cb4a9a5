# SPDX-License-Identifier: Apache-2.0
"""Builds a service from its parts: database, peers, relay, background work, sandbox clock, server."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar, cast

import grpc.aio
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.clock import Clock, ManualClock
from meshkit.config import MeshSettings
from meshkit.connections import Connections
from meshkit.database_watch import DatabaseWatch
from meshkit.db import POOL_SIZE, open_engine
from meshkit.outbox import Notice, Relay
from meshkit.periodic import PeriodicTask
from meshkit.recording import CallRecorder, Recorder
from meshkit.rpc.calls import AccessControl
from meshkit.rpc.client import RenewedChannel, open_channel
from meshkit.rpc.health import ServerHealth, open_health_port
from meshkit.rpc.server import ConnectionLifetime, Listener, RpcService, start_server
from meshkit.rpc.tls import CertificateFiles, channel_credentials, server_credentials, server_name

# How often the certificate of this service is looked at; connections to peers are then opened with the new one.
CERTIFICATE_SECONDS = 2.0
# How often a replica counts what waits in its database, for /metrics.
MEASURE_SECONDS = 15.0

DueWork = Callable[[datetime], Awaitable[object]]
RunDue = Callable[[datetime], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A running service that answers callers on `port`, and services on `peer_port` (the same, if insecure).

    run_due: does everything due up to a business instant, then tries to deliver every pending notice. wake: makes the
    background work look now for what is due by wall time, instead of after its next interval. drain: reports
    NOT_SERVING, and serves on.
    """

    port: int
    peer_port: int
    run_due: RunDue
    wake: Callable[[], None]
    drain: Callable[[], Awaitable[None]]


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
        recorder: Recorder,
        run_due: RunDue,
        peers: Mapping[str, grpc.aio.Channel],
    ) -> RpcService:
        """Return the rpcs that read and advance the time, in this service and then in each of `peers`, in order."""
        ...


class AuditTrail(Protocol):
    """Records the writes of a service and the calls that it refuses; libs/audit implements it."""

    @property
    def recorder(self) -> Recorder: ...

    def refusals(self, engine: AsyncEngine) -> CallRecorder:
        """Return what records refused calls."""
        ...

    def service(self, engine: AsyncEngine) -> RpcService:
        """Return the rpc that lists the records."""
        ...


class OpenAccess(Protocol):
    """Opens the access control that the settings ask for; libs/access implements it."""

    def __call__(
        self, settings: MeshSettings, /, *, wall: Clock
    ) -> AbstractAsyncContextManager[AccessControl]: ...


@asynccontextmanager
async def service_builder(
    name: str,
    settings: MeshSettings,
    *,
    access: OpenAccess,
    clock: Clock,
    wall: Clock,
    outbox: Table,
    dead_letters: Table,
    audit: AuditTrail,
    sandbox: SandboxClock,
    pool_size: int = POOL_SIZE,
    application_name: str | None = None,
) -> AsyncIterator["ServiceBuilder"]:
    """Open the database of the service `name`. When the block ends, even by an exception, stop all started parts.

    access: who may call. audit: records who wrote what. clock: business time, in sandbox mode a ManualClock. wall:
    operational time. pool_size: the maximum number of database connections. application_name: their name in
    pg_stat_activity, by default `name`.
    """
    async with AsyncExitStack() as stack:
        control = await stack.enter_async_context(access(settings, wall=wall))
        connections = Connections(settings.database_url, password_file=settings.database_password_file)
        engine = open_engine(connections, pool_size=pool_size, application_name=application_name or name)
        stack.push_async_callback(engine.dispose)
        # Stops after all parts that use the database: they end at once, even if it falls silent meanwhile.
        watch = DatabaseWatch(connections, wall, application_name=f"{name}-watch")
        stack.push_async_callback(watch.stop)
        await watch.start()
        # Restored before any part starts: no part may work at an earlier time.
        if settings.sandbox:
            await sandbox.restore(_as_manual(clock), engine)
        yield ServiceBuilder(
            name=name,
            settings=settings,
            access=control,
            identity=None if settings.insecure else _identity_of(settings),
            clock=clock,
            wall=wall,
            outbox=outbox,
            dead_letters=dead_letters,
            audit=audit,
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
    access: AccessControl
    identity: CertificateFiles | None
    clock: Clock
    wall: Clock
    outbox: Table
    dead_letters: Table
    audit: AuditTrail
    sandbox: SandboxClock
    engine: AsyncEngine
    connections: Connections
    watch: DatabaseWatch
    stack: AsyncExitStack
    _channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)
    _renewed: list[RenewedChannel] = field(default_factory=list)
    _background: list[BackgroundWork] = field(default_factory=list)

    def channel(self, peer: str) -> grpc.aio.Channel:
        """Return the channel to a peer, opened at the first call. peer: its name in `settings.peer_addresses`."""
        if peer not in self._channels:
            channel = self._open_channel(peer, self.settings.peer_addresses[peer])
            self.stack.push_async_callback(channel.close)
            self._channels[peer] = channel
        return self._channels[peer]

    def _open_channel(self, peer: str, address: str) -> grpc.aio.Channel:
        identity = self.identity
        if identity is None:
            return open_channel(address)
        name = server_name(peer, self.settings.trust_domain)
        renewed = RenewedChannel(
            lambda: open_channel(address, channel_credentials(identity.current), server_name=name)
        )
        self._renewed.append(renewed)
        # It has the part of a channel that stubs of unary rpcs use.
        return cast(grpc.aio.Channel, renewed)

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
            recorder=self.audit.recorder,
            ordered=ordered,
        )
        self.start_periodic(PeriodicTask("measure_outbox", relay.measure, MEASURE_SECONDS))
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
        """Accept calls to `services`, to the list of audit records and, in sandbox mode, to the clock. Call it last.

        run_due: what App.run_due does before `relay` delivers. shares_port: other processes share the port too.
        Raises PortTaken.
        """

        async def run_due_and_deliver(at: datetime) -> None:
            if run_due is not None:
                await run_due(at)
            await relay.deliver_all_now()

        answers = ServerHealth()
        if self.settings.health_listen:
            probed = await open_health_port(
                self.name, self.settings.health_listen, answers, reuse_port=shares_port
            )
            # Stops after the server, so that it says until the end that the process drains.
            self.stack.push_async_callback(probed.stop, 0)
        services = (*services, self.audit.service(self.engine))
        if self.settings.sandbox:
            services = (*services, self._clock_service(run_due_and_deliver))
        server = await start_server(
            name=self.name,
            listeners=self._listeners(),
            services=services,
            access=self.access,
            recorder=self.audit.refusals(self.engine),
            offers_reflection=self.settings.reflection or self.settings.insecure,
            reuse_port=shares_port,
            answers=answers,
            lifetime=ConnectionLifetime(
                age_seconds=self.settings.connection_age_seconds,
                grace_seconds=self.settings.connection_grace_seconds,
            ),
        )
        self.stack.push_async_callback(server.stop)
        await self.watch.report_to(answers.set_serving)
        if self.identity is not None:
            self.start_periodic(PeriodicTask("certificate", self._renew_channels, CERTIFICATE_SECONDS))
        return App(
            port=server.ports[0],
            peer_port=server.ports[-1],
            run_due=run_due_and_deliver,
            wake=self._wake,
            drain=answers.drain,
        )

    def _listeners(self) -> list[Listener]:
        settings = self.settings
        if settings.insecure:
            return [Listener(settings.listen)]
        for_callers = CertificateFiles(
            Path(settings.tls_certificate_file or settings.certificate_file),
            Path(settings.tls_key_file or settings.key_file),
            None,
        )
        return [
            Listener(settings.listen, server_credentials(for_callers, asks_for_certificate=False)),
            Listener(
                settings.peer_listen,
                server_credentials(_identity_of(settings), asks_for_certificate=True),
            ),
        ]

    async def _renew_channels(self) -> None:
        """Connect to the peers anew when the certificate of this service has changed."""
        assert self.identity is not None
        if self.identity.changed() is not None:
            for channel in self._renewed:
                channel.renew()

    def _clock_service(self, run_due: RunDue) -> RpcService:
        return self.sandbox.service(
            clock=_as_manual(self.clock),
            engine=self.engine,
            recorder=self.audit.recorder,
            run_due=run_due,
            peers={peer: self.channel(peer) for peer in self.settings.peer_addresses},
        )

    def _wake(self) -> None:
        for background in self._background:
            background.wake()


def _identity_of(settings: MeshSettings) -> CertificateFiles:
    return CertificateFiles(Path(settings.certificate_file), Path(settings.key_file), Path(settings.ca_file))


def _as_manual(clock: Clock) -> ManualClock:
    assert isinstance(clock, ManualClock)
    return clock
