# SPDX-License-Identifier: Apache-2.0
"""Alert put together: the only place that opens its database and its channels."""

import os
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import grpc.aio

from meshkit.clock import Clock, ManualClock
from meshkit.db import open_engine
from meshkit.ids import Ids
from meshkit.outbox import Relay
from meshkit.periodic import Periodic
from meshkit.rpc.client import open_channel
from meshkit.rpc.server import start_server
from purser.alert.v1 import alert_pb2_grpc, alert_peer_pb2_grpc
from purser.sandbox.v1 import clock_pb2_grpc
from sandbox import SERVICE_NAME as CLOCK_SERVICE_NAME
from sandbox import ClockServicer, restore_time
from services.alert import tables
from services.alert.config import AlertSettings
from services.alert.operations import Operations
from services.alert.operations.alerts import Alerts
from services.alert.operations.crossings import Crossings
from services.alert.operations.deliveries import Deliveries
from services.alert.operations.endpoints import Endpoints
from services.alert.peers import LedgerPeer
from services.alert.relay import Notices
from services.alert.server import PEER_SERVICE_NAME, SERVICE_NAME, AlertPeerServicer, AlertServicer
from services.alert.store import PostgresStore
from services.alert.sweeper import FORGET_SECONDS, forget_old
from services.alert.webhooks.poster import HttpPoster
from services.alert.webhooks.posting import DeliveryAttempts
from services.alert.webhooks.resolver import Resolver, SystemResolver
from services.alert.webhooks.targets import CheckedTargets
from services.alert.webhooks.worker import POSTS_MAX, Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What Alert meets beyond the mesh, for tests to stand in for.

    randomness: n → n bytes, for secrets; jitter: 0 to 1, for backoff; tls: None trusts what certifi does.
    """

    randomness: Callable[[int], bytes] = os.urandom
    jitter: Callable[[], float] = random.random
    resolver: Resolver | None = None
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An Alert that answers on `port`. run_due: bring about what is due up to a business instant.

    post_due: look for webhooks that are due by wall time now, not at the next of the worker's looks.
    """

    port: int
    run_due: Callable[[datetime], Awaitable[None]]
    post_due: Callable[[], None]


@asynccontextmanager
async def open_service(
    settings: AlertSettings, *, clock: Clock, wall: Clock, ids: Ids, outside: Outside | None = None
) -> AsyncIterator[App]:
    """Serve until the block ends.

    clock: business time, in the sandbox a ManualClock; wall: operational time, which webhooks are in. Raises
    PortTaken.
    """
    outside = outside or Outside()
    async with AsyncExitStack() as stack:
        engine = open_engine(settings.database_url, application_name="alert")
        stack.push_async_callback(engine.dispose)
        store = PostgresStore(engine, wall=wall, ids=ids)

        ledger = await stack.enter_async_context(open_channel(settings.ledger_address))
        relay = Relay(engine, tables.outbox, Notices(LedgerPeer(ledger)).deliver, wall)
        await relay.start()
        stack.push_async_callback(relay.stop)
        targets = _targets(settings, outside, stack)
        worker = await _start_posting(store, targets, wall, outside, stack)
        sweeper = Periodic("forget", lambda: forget_old(store, wall), FORGET_SECONDS)
        sweeper.start()
        stack.push_async_callback(sweeper.stop)

        async def run_due(at: datetime) -> None:
            # No rule of Alert waits for a business instant; only news for the Ledger can be due.
            await relay.deliver_all_now()

        operations = Operations(
            alerts=Alerts(store=store, relay=relay, clock=clock, ids=ids),
            crossings=Crossings(store=store, courier=worker, wall=wall, ids=ids),
            deliveries=Deliveries(store=store, courier=worker, wall=wall),
            endpoints=Endpoints(
                store=store, targets=targets, wall=wall, ids=ids, randomness=outside.randomness
            ),
        )
        sandbox: ClockServicer | None = None
        if settings.sandbox:
            assert isinstance(clock, ManualClock)
            peers = {
                "catalog": await stack.enter_async_context(open_channel(settings.catalog_address)),
                "contract": await stack.enter_async_context(open_channel(settings.contract_address)),
                "ledger": ledger,
            }
            await restore_time(clock, engine, tables.sandbox_clock)
            sandbox = ClockServicer(
                clock=clock, engine=engine, table=tables.sandbox_clock, run_due=run_due, peers=peers
            )

        def register(server: grpc.aio.Server) -> None:
            alert_pb2_grpc.add_AlertServiceServicer_to_server(AlertServicer(operations), server)
            alert_peer_pb2_grpc.add_AlertPeerServiceServicer_to_server(AlertPeerServicer(operations), server)
            if sandbox is not None:
                clock_pb2_grpc.add_ClockServiceServicer_to_server(sandbox, server)

        server = await start_server(
            name="alert",
            address=settings.listen,
            register=register,
            service_names=(
                SERVICE_NAME,
                PEER_SERVICE_NAME,
                *((CLOCK_SERVICE_NAME,) if sandbox is not None else ()),
            ),
        )
        stack.push_async_callback(server.stop)
        yield App(port=server.port, run_due=run_due, post_due=worker.wake)


def _targets(settings: AlertSettings, outside: Outside, stack: AsyncExitStack) -> CheckedTargets:
    resolver = outside.resolver
    if resolver is None:
        resolver = SystemResolver()
        stack.callback(resolver.close)
    return CheckedTargets(resolver, allow_private=settings.allow_private_targets)


async def _start_posting(
    store: PostgresStore, targets: CheckedTargets, wall: Clock, outside: Outside, stack: AsyncExitStack
) -> Worker:
    poster = HttpPoster(targets, connections_max=POSTS_MAX, tls=outside.tls)
    stack.push_async_callback(poster.close)
    worker = Worker(DeliveryAttempts(store=store, poster=poster, wall=wall, jitter=outside.jitter))
    await worker.start()
    stack.push_async_callback(worker.stop)
    return worker
