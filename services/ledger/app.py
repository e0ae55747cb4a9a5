# SPDX-License-Identifier: Apache-2.0
"""The Ledger put together: the only place that opens its database and its channels."""

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
from meshkit.rpc import deadline
from meshkit.rpc.client import open_channel
from meshkit.rpc.server import start_server
from purser.ledger.v1 import ledger_admin_pb2_grpc, ledger_pb2_grpc, ledger_peer_pb2_grpc
from purser.sandbox.v1 import clock_pb2_grpc
from sandbox import SERVICE_NAME as CLOCK_SERVICE_NAME
from sandbox import ClockServicer, restore_time
from services.ledger import tables
from services.ledger.config import LedgerSettings
from services.ledger.operations import Operations
from services.ledger.operations.copies import Copying
from services.ledger.operations.credits.grants import Grants
from services.ledger.operations.credits.reporting import Reporting
from services.ledger.operations.credits.settling import Settling
from services.ledger.operations.forgetting import Forgetting
from services.ledger.operations.gate.caps import SpendCaps
from services.ledger.operations.gate.explaining import Explaining
from services.ledger.operations.gate.gate import Gate
from services.ledger.peers import AlertPeer
from services.ledger.relay import Deliveries
from services.ledger.server import admin, gate, peer
from services.ledger.store import PostgresStore
from services.ledger.store.connection import open_pool

RELAY_CONNECTIONS = 4
# How often a replica asks whether it is its turn to forget.
FORGET_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A Ledger that answers on `port`. run_due: bring about what is due up to a business instant."""

    port: int
    run_due: Callable[[datetime], Awaitable[None]]


@asynccontextmanager
async def open_service(
    settings: LedgerSettings, *, clock: Clock, wall: Clock, ids: Ids, shares_port: bool = False
) -> AsyncIterator[App]:
    """Serve until the block ends.

    clock: business time, in the sandbox a ManualClock; wall: operational time. shares_port: with processes that say
    so too. Raises PortTaken.
    """
    async with AsyncExitStack() as stack:
        engine = open_engine(
            settings.database_url, pool_size=RELAY_CONNECTIONS, application_name="ledger-relay"
        )
        stack.push_async_callback(engine.dispose)
        pool = await open_pool(settings.database_url, size=settings.database_connections)
        stack.callback(pool.terminate)
        store = PostgresStore(pool, wall=wall, ids=ids)

        alert = await stack.enter_async_context(open_channel(settings.alert_address))
        relay = Relay(engine, tables.outbox, Deliveries(AlertPeer(alert)).deliver, wall)
        await relay.start()
        stack.push_async_callback(relay.stop)
        settling = Settling(store=store, ids=ids, bell=relay)
        # Nothing depends on its being on time: every question settles what it asks about first. It is there for
        # the customers nobody asks about, and for their alerts.
        sweeper = Periodic("due", lambda: settling.run_due(clock.now()), settings.sweep_seconds)
        sweeper.start()
        stack.push_async_callback(sweeper.stop)
        forgetting = Forgetting(store=store, clock=clock, wall=wall)
        forgetter = Periodic("forget", forgetting.run, FORGET_SECONDS)
        forgetter.start()
        stack.push_async_callback(forgetter.stop)

        async def run_due(at: datetime) -> None:
            await settling.run_due(at)
            await relay.deliver_all_now()

        sandbox: ClockServicer | None = None
        if settings.sandbox:
            assert isinstance(clock, ManualClock)
            peers = {
                "catalog": await stack.enter_async_context(open_channel(settings.catalog_address)),
                "contract": await stack.enter_async_context(open_channel(settings.contract_address)),
                "alert": alert,
            }
            await restore_time(clock, engine, tables.sandbox_clock)
            sandbox = ClockServicer(
                clock=clock, engine=engine, table=tables.sandbox_clock, run_due=run_due, peers=peers
            )
        operations = _operations(store, relay, clock=clock, ids=ids)
        operations.gate.start()
        stack.push_async_callback(operations.gate.stop)

        def register(grpc_server: grpc.aio.Server) -> None:
            ledger_pb2_grpc.add_LedgerServiceServicer_to_server(gate.LedgerServicer(operations), grpc_server)
            ledger_admin_pb2_grpc.add_LedgerAdminServiceServicer_to_server(
                admin.LedgerAdminServicer(operations, clock), grpc_server
            )
            ledger_peer_pb2_grpc.add_LedgerPeerServiceServicer_to_server(
                peer.LedgerPeerServicer(operations), grpc_server
            )
            if sandbox is not None:
                clock_pb2_grpc.add_ClockServiceServicer_to_server(sandbox, grpc_server)

        running = await start_server(
            name="ledger",
            address=settings.listen,
            register=register,
            service_names=(
                gate.SERVICE_NAME,
                admin.SERVICE_NAME,
                peer.SERVICE_NAME,
                *((CLOCK_SERVICE_NAME,) if sandbox is not None else ()),
            ),
            reuse_port=shares_port,
        )
        stack.push_async_callback(running.stop)
        yield App(port=running.port, run_due=run_due)


def _operations(store: PostgresStore, relay: Relay, *, clock: Clock, ids: Ids) -> Operations:
    return Operations(
        gate=Gate(store=store, clock=clock, ids=ids, bell=relay, left_seconds=deadline.time_left),
        explaining=Explaining(store=store, clock=clock, ids=ids),
        reporting=Reporting(store=store, clock=clock, ids=ids),
        copying=Copying(store=store, clock=clock, ids=ids, bell=relay),
        grants=Grants(store=store, clock=clock, ids=ids, bell=relay),
        caps=SpendCaps(store=store, clock=clock, ids=ids),
    )
