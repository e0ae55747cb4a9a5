# SPDX-License-Identifier: Apache-2.0
"""Contract put together: the only place that opens its database and its channels."""

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
from purser.contract.v1 import contract_pb2_grpc
from purser.sandbox.v1 import clock_pb2_grpc
from sandbox import SERVICE_NAME as CLOCK_SERVICE_NAME
from sandbox import ClockServicer, restore_time
from services.contract import tables
from services.contract.config import ContractSettings
from services.contract.operations import Operations
from services.contract.operations.billing import Billing
from services.contract.operations.contracts import Contracts
from services.contract.operations.customers import Customers
from services.contract.operations.invoices import Invoices
from services.contract.operations.seats import Seats
from services.contract.operations.top_ups import TopUps
from services.contract.peers import CatalogPeer, LedgerPeer
from services.contract.relay import Deliveries
from services.contract.server import SERVICE_NAME, ContractServicer
from services.contract.store import PostgresStore
from services.contract.sweeper import FORGET_SECONDS, forget_old

DUE_WAIT_SECONDS_MAX = 30.0  # between due runs that fail one after another


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A Contract that answers on `port`. run_due: bring about what is due up to a business instant."""

    port: int
    run_due: Callable[[datetime], Awaitable[None]]


@asynccontextmanager
async def open_service(
    settings: ContractSettings, *, clock: Clock, wall: Clock, ids: Ids
) -> AsyncIterator[App]:
    """Serve until the block ends.

    clock: business time, in the sandbox a ManualClock; wall: operational time. Raises PortTaken.
    """
    async with AsyncExitStack() as stack:
        engine = open_engine(settings.database_url, application_name="contract")
        stack.push_async_callback(engine.dispose)
        store = PostgresStore(engine, wall=wall, ids=ids)
        catalog_channel = await stack.enter_async_context(open_channel(settings.catalog_address))
        ledger_channel = await stack.enter_async_context(open_channel(settings.ledger_address))
        catalog, ledger = CatalogPeer(catalog_channel), LedgerPeer(ledger_channel)

        relay = Relay(engine, tables.outbox, Deliveries(ledger).deliver, wall)
        await relay.start()
        stack.push_async_callback(relay.stop)
        billing = Billing(store=store, catalog=catalog, ids=ids)

        async def run_due(at: datetime) -> None:
            await billing.run_due(at)
            await relay.deliver_all_now()

        operations = Operations(
            customers=Customers(store=store, relay=relay, clock=clock, ids=ids),
            contracts=Contracts(
                store=store, catalog=catalog, relay=relay, billing=billing, clock=clock, ids=ids
            ),
            seats=Seats(store=store, ledger=ledger, relay=relay, billing=billing, clock=clock, ids=ids),
            top_ups=TopUps(store=store, catalog=catalog, relay=relay, clock=clock, ids=ids),
            invoices=Invoices(store=store),
        )
        sandbox: ClockServicer | None = None
        if settings.sandbox:
            assert isinstance(clock, ManualClock)
            peers = {
                "catalog": catalog_channel,
                "ledger": ledger_channel,
                "alert": await stack.enter_async_context(open_channel(settings.alert_address)),
            }
            await restore_time(clock, engine, tables.sandbox_clock)
            sandbox = ClockServicer(
                clock=clock, engine=engine, table=tables.sandbox_clock, run_due=run_due, peers=peers
            )
        for sweeper in (
            # Nothing depends on it being on time: what is billed late is dated when it was due.
            Periodic(
                "due",
                lambda: billing.run_due(clock.now()),
                settings.due_interval_seconds,
                wait_seconds_max=DUE_WAIT_SECONDS_MAX,
            ),
            Periodic("forget", lambda: forget_old(store, wall), FORGET_SECONDS),
        ):
            sweeper.start()
            stack.push_async_callback(sweeper.stop)

        def register(server: grpc.aio.Server) -> None:
            contract_pb2_grpc.add_ContractServiceServicer_to_server(ContractServicer(operations), server)
            if sandbox is not None:
                clock_pb2_grpc.add_ClockServiceServicer_to_server(sandbox, server)

        server = await start_server(
            name="contract",
            address=settings.listen,
            register=register,
            service_names=(SERVICE_NAME,) if sandbox is None else (SERVICE_NAME, CLOCK_SERVICE_NAME),
        )
        stack.push_async_callback(server.stop)
        yield App(port=server.port, run_due=run_due)
