# SPDX-License-Identifier: Apache-2.0
"""The Catalog put together: the only place that opens its database and its channels."""

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
from purser.catalog.v1 import catalog_pb2_grpc
from purser.sandbox.v1 import clock_pb2_grpc
from sandbox import SERVICE_NAME as CLOCK_SERVICE_NAME
from sandbox import ClockServicer, restore_time
from services.catalog import tables
from services.catalog.config import CatalogSettings
from services.catalog.operations import Operations
from services.catalog.operations.credit_types import CreditTypes
from services.catalog.operations.metrics import Metrics
from services.catalog.operations.products import Products
from services.catalog.operations.rate_cards import RateCards
from services.catalog.operations.top_up_packs import TopUpPacks
from services.catalog.peers import LedgerPeer
from services.catalog.relay import Deliveries
from services.catalog.server import SERVICE_NAME, CatalogServicer
from services.catalog.store import PostgresStore
from services.catalog.sweeper import FORGET_SECONDS, forget_old


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A Catalog that answers on `port`. run_due: bring about what is due up to a business instant."""

    port: int
    run_due: Callable[[datetime], Awaitable[None]]


@asynccontextmanager
async def open_service(
    settings: CatalogSettings, *, clock: Clock, wall: Clock, ids: Ids
) -> AsyncIterator[App]:
    """Serve until the block ends.

    clock: business time, in the sandbox a ManualClock; wall: operational time. Raises PortTaken.
    """
    async with AsyncExitStack() as stack:
        engine = open_engine(settings.database_url, application_name="catalog")
        stack.push_async_callback(engine.dispose)
        store = PostgresStore(engine, wall=wall, ids=ids)

        ledger = await stack.enter_async_context(open_channel(settings.ledger_address))
        relay = Relay(engine, tables.outbox, Deliveries(LedgerPeer(ledger)).deliver, wall)
        await relay.start()
        stack.push_async_callback(relay.stop)
        sweeper = Periodic("forget", lambda: forget_old(store, wall), FORGET_SECONDS)
        sweeper.start()
        stack.push_async_callback(sweeper.stop)

        async def run_due(at: datetime) -> None:
            # Rates come into force by being read at their time; only news for the Ledger can be due.
            await relay.deliver_all_now()

        servicer = CatalogServicer(_operations(store, relay, clock=clock, ids=ids))
        sandbox: ClockServicer | None = None
        if settings.sandbox:
            assert isinstance(clock, ManualClock)
            peers = {
                "contract": await stack.enter_async_context(open_channel(settings.contract_address)),
                "ledger": ledger,
                "alert": await stack.enter_async_context(open_channel(settings.alert_address)),
            }
            await restore_time(clock, engine, tables.sandbox_clock)
            sandbox = ClockServicer(
                clock=clock, engine=engine, table=tables.sandbox_clock, run_due=run_due, peers=peers
            )

        def register(server: grpc.aio.Server) -> None:
            catalog_pb2_grpc.add_CatalogServiceServicer_to_server(servicer, server)
            if sandbox is not None:
                clock_pb2_grpc.add_ClockServiceServicer_to_server(sandbox, server)

        server = await start_server(
            name="catalog",
            address=settings.listen,
            register=register,
            service_names=(SERVICE_NAME,) if sandbox is None else (SERVICE_NAME, CLOCK_SERVICE_NAME),
        )
        stack.push_async_callback(server.stop)
        yield App(port=server.port, run_due=run_due)


def _operations(store: PostgresStore, relay: Relay, *, clock: Clock, ids: Ids) -> Operations:
    return Operations(
        credit_types=CreditTypes(store=store, clock=clock, ids=ids),
        metrics=Metrics(store=store, clock=clock, ids=ids),
        products=Products(store=store, relay=relay, clock=clock, ids=ids),
        rate_cards=RateCards(store=store, relay=relay, clock=clock, ids=ids),
        top_up_packs=TopUpPacks(store=store, clock=clock, ids=ids),
    )
