# SPDX-License-Identifier: Apache-2.0
"""The Catalog put together from its parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from access import open_access
from audit import AuditTrail
from dead_letters import dead_letter_service
from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.outbox import Relay
from meshkit.periodic import PeriodicTask
from meshkit.rpc.server import RpcService
from meshkit.service import App, service_builder
from purser.catalog.v1.catalog_pb2_grpc import add_CatalogServiceServicer_to_server
from sandbox import SandboxClock
from services.catalog import tables
from services.catalog.config import CatalogSettings
from services.catalog.operations import Operations
from services.catalog.operations.credit_types import CreditTypes
from services.catalog.operations.metrics import Metrics
from services.catalog.operations.products import Products
from services.catalog.operations.rate_cards import RateCards
from services.catalog.operations.rates import Rates
from services.catalog.operations.top_up_packs import TopUpPacks
from services.catalog.peers import LedgerPeer
from services.catalog.relay import Deliveries
from services.catalog.server import SERVICE_NAME, CatalogServicer
from services.catalog.store import PostgresStore
from services.catalog.sweeper import FORGET_SECONDS, forget_old
from status import status_service


@asynccontextmanager
async def open_service(
    settings: CatalogSettings, *, clock: Clock, wall: Clock, ids: Ids
) -> AsyncIterator[App]:
    """Serve until the block ends.

    clock: business time, in sandbox mode a ManualClock; wall: operational time. Raises PortTaken.
    """
    async with service_builder(
        "catalog",
        settings,
        access=open_access,
        clock=clock,
        wall=wall,
        outbox=tables.outbox,
        dead_letters=tables.dead_letters,
        audit=AuditTrail(tables.audit_events, wall=wall, ids=ids),
        sandbox=SandboxClock(tables.sandbox_clock),
    ) as service:
        store = PostgresStore(service.engine, wall=wall, ids=ids)
        relay = await service.start_relay(Deliveries(LedgerPeer(service.channel("ledger"))).deliver)
        service.start_periodic(PeriodicTask("forget", lambda: forget_old(store, wall), FORGET_SECONDS))
        servicer = CatalogServicer(_operations(store, relay, clock=clock, ids=ids))
        # No due work: a rate takes effect when a call reads it at its time. Only notices can be due.
        yield await service.serve(
            RpcService(SERVICE_NAME, partial(add_CatalogServiceServicer_to_server, servicer)),
            dead_letter_service(relay),
            status_service(relay, start_time=wall.now()),
            relay=relay,
        )


def _operations(store: PostgresStore, relay: Relay, *, clock: Clock, ids: Ids) -> Operations:
    return Operations(
        credit_types=CreditTypes(store=store, clock=clock, ids=ids),
        metrics=Metrics(store=store, clock=clock, ids=ids),
        products=Products(store=store, relay=relay, clock=clock, ids=ids),
        rate_cards=RateCards(store=store, relay=relay, clock=clock, ids=ids),
        rates=Rates(store=store, relay=relay, clock=clock, ids=ids),
        top_up_packs=TopUpPacks(store=store, clock=clock, ids=ids),
    )
