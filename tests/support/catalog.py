# SPDX-License-Identifier: Apache-2.0
"""A real Catalog on a free port with a database for one test, a stub to call it, and products to fill it with."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from deploy.local.ports import free_port
from meshkit.clock import Clock, ManualClock, SystemClock
from meshkit.ids import Ids
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import optional_timestamp, timestamp
from meshkit.service import App
from purser.catalog.v1 import catalog_pb2 as pb
from purser.catalog.v1.catalog_pb2_grpc import CatalogServiceStub
from services.catalog.app import open_service
from services.catalog.config import CatalogSettings
from tests.support.postgres import Databases

if TYPE_CHECKING:
    # The stub of an aio channel has a separate type, which exists only in the .pyi.
    from purser.catalog.v1.catalog_pb2_grpc import CatalogServiceAsyncStub

CatalogStub: TypeAlias = "CatalogServiceAsyncStub"

JUNE = datetime(2025, 6, 1, tzinfo=UTC)
JULY = datetime(2025, 7, 1, tzinfo=UTC)
AUGUST = datetime(2025, 8, 1, tzinfo=UTC)
NOBODY = "127.0.0.1:1"  # nothing listens there: an unavailable peer


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningCatalog:
    """The service, how to call it, and its two clocks."""

    app: App
    address: str
    stub: CatalogStub
    clock: ManualClock


@asynccontextmanager
async def running_catalog(
    databases: Databases,
    *,
    ledger_address: str = NOBODY,
    sandbox: bool = False,
    wall: Clock | None = None,
) -> AsyncIterator[RunningCatalog]:
    clock = ManualClock(JUNE)
    wall = wall or SystemClock()
    settings = CatalogSettings(
        insecure=True,
        database_url=databases.url("catalog"),
        listen=f"127.0.0.1:{free_port()}",
        contract_address=NOBODY,
        ledger_address=ledger_address,
        alert_address=NOBODY,
        sandbox=sandbox,
    )
    async with (
        open_service(settings, clock=clock, wall=wall, ids=Ids(wall)) as app,
        open_channel(f"127.0.0.1:{app.port}") as channel,
    ):
        yield RunningCatalog(
            app=app, address=f"127.0.0.1:{app.port}", stub=CatalogServiceStub(channel), clock=clock
        )


class Shop:
    """Fills a Catalog by its rpcs; each call has a new request_id. Irrelevant fields have defaults."""

    def __init__(self, catalog: CatalogStub) -> None:
        self._catalog = catalog
        self._numbers = itertools.count(1)

    def request_id(self) -> str:
        return f"shop-{next(self._numbers)}"

    async def credit_type(self, name: str | None = None) -> pb.CreditType:
        request_id = self.request_id()
        request = pb.CreateCreditTypeRequest(request_id=request_id, name=name or f"credits {request_id}")
        return (await self._catalog.CreateCreditType(request)).credit_type

    async def metric(self, name: str = "units") -> pb.BillableMetric:
        request = pb.CreateBillableMetricRequest(
            request_id=self.request_id(),
            name=name,
            event_type="ai.call",
            aggregation=pb.AGGREGATION_SUM,
            sum_property="units",
            group_keys=["user_id"],
        )
        return (await self._catalog.CreateBillableMetric(request)).billable_metric

    async def archived_metric(self) -> pb.BillableMetric:
        metric = await self.metric()
        request = pb.ArchiveBillableMetricRequest(
            request_id=self.request_id(), billable_metric_id=metric.billable_metric_id
        )
        return (await self._catalog.ArchiveBillableMetric(request)).billable_metric

    async def product(
        self, product_type: pb.ProductType = pb.PRODUCT_TYPE_FIXED, name: str = "AI credits"
    ) -> pb.Product:
        is_usage = product_type == pb.PRODUCT_TYPE_USAGE
        request = pb.CreateProductRequest(
            request_id=self.request_id(),
            name=name,
            product_type=product_type,
            billable_metric_id=(await self.metric()).billable_metric_id if is_usage else "",
        )
        return (await self._catalog.CreateProduct(request)).product

    async def seats(self) -> pb.Product:
        return await self.product(pb.PRODUCT_TYPE_SUBSCRIPTION, "Team Plan")

    async def usage(self) -> pb.Product:
        return await self.product(pb.PRODUCT_TYPE_USAGE, "AI Assistant")

    async def archived(self, product: pb.Product) -> pb.Product:
        request = pb.ArchiveProductRequest(request_id=self.request_id(), product_id=product.product_id)
        return (await self._catalog.ArchiveProduct(request)).product

    async def card(self, converting: Sequence[pb.CreditType] = (), currency: str = "USD") -> pb.RateCard:
        request = pb.CreateRateCardRequest(
            request_id=self.request_id(),
            name="List prices",
            fiat_credit_type_id=currency,
            conversions=[
                pb.CreditConversion(credit_type_id=one.credit_type_id, fiat_per_credit_micros=1_000_000)
                for one in converting
            ],
        )
        return (await self._catalog.CreateRateCard(request)).rate_card

    async def add(self, card: pb.RateCard, *rates: pb.RateTerms) -> pb.AddRatesResponse:
        request = pb.AddRatesRequest(
            request_id=self.request_id(), rate_card_id=card.rate_card_id, rates=rates
        )
        return await self._catalog.AddRates(request)


def a_rate(
    product: pb.Product,
    *,
    start: datetime = JUNE,
    end: datetime | None = None,
    price_micros: int = 12_000_000,
    credit_type_id: str = "USD",
    frequency: pb.BillingFrequency = pb.BILLING_FREQUENCY_UNSPECIFIED,
    end_previous: bool = False,
) -> pb.RateTerms:
    return pb.RateTerms(
        product_id=product.product_id,
        billing_frequency=frequency,
        credit_type_id=credit_type_id,
        price_micros=price_micros,
        effective_time=timestamp(start),
        end_time=optional_timestamp(end),
        end_previous=end_previous,
    )
