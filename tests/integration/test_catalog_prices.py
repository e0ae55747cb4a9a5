# SPDX-License-Identifier: Apache-2.0
"""What the Catalog sells by is what the Ledger rates by: metrics, conversions, dimensions and prices of all types."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from meshkit.period import Period, period_at
from meshkit.quantity import Credits, Quantity, Ratio
from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2 as pb
from services.ledger.domain.rating.dimensions import Band, Dimension, dimension_values
from services.ledger.domain.rating.metric import Aggregation, measure
from services.ledger.domain.rating.price import (
    Conversion,
    FlatPrice,
    PackagePrice,
    Pricing,
    Rounding,
    cost_at,
)
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.rating.rate import Rate, price_list, rate_for
from services.ledger.store.connection import Connection, open_pool
from services.ledger.store.rates import (
    RATE_COLUMNS,
    USAGE_PRODUCT_COLUMNS,
    rate_from_row,
    usage_product_from_row,
)
from tests.support.catalog import RunningCatalog, Shop, running_catalog
from tests.support.catalog import a_rate as some_terms
from tests.support.ledger import running_ledger
from tests.support.postgres import Databases

JUNE, JULY = datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)
IN_JUNE = Period(JUNE, JULY)
UNIT = 1_000_000


@dataclass(frozen=True)
class Market:
    """A Catalog that sends its notices to a Ledger, and a connection to what the Ledger stored."""

    catalog: RunningCatalog
    shop: Shop
    connection: Connection

    async def product(self, aggregation: pb.Aggregation, **more: object) -> UsageProduct:
        """Create a metric and a product in the Catalog; returns the Ledger's copy."""
        metric = await self.catalog.stub.CreateBillableMetric(
            pb.CreateBillableMetricRequest(
                request_id=self.shop.request_id(),
                name="tokens",
                event_type="ai_call",
                aggregation=aggregation,
                aggregated_property="" if aggregation == pb.AGGREGATION_COUNT else "tokens",
            )
        )
        created = await self.catalog.stub.CreateProduct(
            pb.CreateProductRequest(
                request_id=self.shop.request_id(),
                name="Tokens",
                product_type=pb.PRODUCT_TYPE_USAGE,
                billable_metric_id=metric.billable_metric.billable_metric_id,
                **more,  # type: ignore[arg-type]
            )
        )
        row = await self.connection.fetchrow(
            f"SELECT {USAGE_PRODUCT_COLUMNS} FROM ledger.products WHERE product_id = $1",
            created.product.product_id,
        )
        return usage_product_from_row(row)

    async def rates(self, product: UsageProduct, *terms: pb.RateTerms) -> list[Rate]:
        """Add rates of a product to a new card in the Catalog; returns the Ledger's copies."""
        await self.shop.add(await self.shop.card(), *terms)
        return await self.stored_rates()

    async def stored_rates(self) -> list[Rate]:
        """Return all rates in the Ledger, in the order of their creation."""
        rows = await self.connection.fetch(f"SELECT {RATE_COLUMNS} FROM ledger.rates ORDER BY rate_id")
        return [rate_from_row(row) for row in rows]

    async def rate_at(self, at: datetime) -> tuple[Rate, Ratio] | None:
        """Return the stored rate without dimensions that applies to a SUM at an instant, and its flat price."""
        month = period_at(JUNE, 1, at)
        rate = rate_for(price_list(await self.stored_rates(), ()), {}, at=at, period=month, keeps=False)
        if rate is None:
            return None
        assert isinstance(rate.price, FlatPrice)
        return rate, rate.price.ratio


@pytest.fixture
async def market(databases: Databases) -> AsyncIterator[Market]:
    pool = await open_pool(databases.url("ledger"), size=1)
    async with (
        running_ledger(databases) as ledger,
        running_catalog(databases, ledger_address=f"127.0.0.1:{ledger.app.port}") as catalog,
        pool.acquire() as connection,
    ):
        yield Market(catalog, Shop(catalog.stub), connection)
    pool.terminate()


def terms_of(product: UsageProduct, **more: object) -> pb.RateTerms:
    """Return terms at 12 dollars a unit from June on; `more` overrides fields."""
    terms = some_terms(pb.Product(product_id=product.product_id))
    terms.per_micros = UNIT
    if "tiers" in more:
        terms.ClearField("price_micros")
        terms.ClearField("per_micros")
    terms.MergeFrom(pb.RateTerms(**more))  # type: ignore[arg-type]
    return terms


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (pb.AGGREGATION_COUNT, Aggregation.COUNT),
        (pb.AGGREGATION_SUM, Aggregation.SUM),
        (pb.AGGREGATION_MAX, Aggregation.MAX),
        (pb.AGGREGATION_UNIQUE, Aggregation.UNIQUE),
    ],
)
async def test_the_ledger_measures_as_the_catalog_says(
    market: Market, sent: pb.Aggregation, stored: Aggregation
) -> None:
    product = await market.product(
        sent,
        conversion=pb.QuantityConversion(
            priced_micros=1, per_micros=1_000, rounding=pb.QUANTITY_ROUNDING_DOWN
        ),
        pricing_dimensions=[
            pb.PricingDimension(key="model", values=["large", "small"]),
            pb.PricingDimension(
                key="context",
                property="prompt_tokens",
                bands=[
                    pb.DimensionBand(value="short", up_to_micros=5 * UNIT),
                    pb.DimensionBand(value="long"),
                ],
            ),
        ],
    )

    assert (product.metric.event_type, product.metric.aggregation) == ("ai_call", stored)
    assert product.metric.property == (None if stored is Aggregation.COUNT else "tokens")
    assert product.conversion == Conversion(Ratio(1, 1_000), Rounding.DOWN)
    assert product.dimensions == (
        Dimension(key="model", property="model", bands=()),
        Dimension(
            key="context",
            property="prompt_tokens",
            bands=(Band("short", Quantity.of(5)), Band("long", None)),
        ),
    )


async def test_the_ledger_rates_by_the_tiers_that_the_catalog_sells(market: Market) -> None:
    product = await market.product(pb.AGGREGATION_SUM)
    tiers = [
        pb.RateTier(up_to_micros=1_000 * UNIT, price_micros=UNIT, per_micros=UNIT),
        pb.RateTier(up_to_micros=10_000 * UNIT, price_micros=UNIT, per_micros=2 * UNIT),
        pb.RateTier(price_micros=UNIT, per_micros=4 * UNIT),
    ]

    (rate,) = await market.rates(product, terms_of(product, rate_type=pb.RATE_TYPE_GRADUATED, tiers=tiers))

    assert cost_at(Pricing(rate.price, product.conversion), Quantity.of(12_000)) == Credits.of(6_000)


async def test_an_event_is_priced_by_the_rate_for_its_model_and_kind(market: Market) -> None:
    product = await market.product(
        pb.AGGREGATION_SUM,
        pricing_dimensions=[pb.PricingDimension(key="model"), pb.PricingDimension(key="kind")],
    )
    rates = await market.rates(
        product,
        terms_of(product, dimension_values={"model": "large"}),
        terms_of(
            product,
            dimension_values={"model": "large", "kind": "output"},
            rate_type=pb.RATE_TYPE_PACKAGE,
            price_micros=7 * UNIT,
            per_micros=1_000 * UNIT,
        ),
    )
    prices = price_list(rates, [one.key for one in product.dimensions])

    def rate_of(**properties: str) -> Rate | None:
        values = dimension_values(product.dimensions, properties)
        return rate_for(prices, values, at=JUNE, period=IN_JUNE, keeps=product.metric.aggregation.keeps_rates)

    output, other, none = (
        rate_of(model="large", kind="output"),
        rate_of(model="large", kind="input"),
        rate_of(model="small"),
    )
    assert output is not None
    assert output.price == PackagePrice(Ratio(7 * UNIT, 1_000 * UNIT))
    assert other is not None
    assert dict(other.dimension_values) == {"model": "large"}
    assert none is None
    measured = measure(product.metric, {"tokens": "1000.5"})
    assert isinstance(measured, Quantity)
    assert cost_at(Pricing(output.price, product.conversion), measured) == Credits.of(14)


MISTYPED, MEANT = Ratio(1_200_000_000, UNIT), Ratio(12_000_000, UNIT)


async def _mistyped(market: Market, *, start: datetime) -> tuple[UsageProduct, Rate]:
    """Sell a product at a price with two zeros too many, from `start` on."""
    product = await market.product(pb.AGGREGATION_SUM)
    (rate,) = await market.rates(
        product,
        terms_of(
            product, price_micros=MISTYPED.numerator_micros, per_micros=UNIT, effective_time=timestamp(start)
        ),
    )
    return product, rate


async def test_a_rate_that_is_withdrawn_before_it_begins_prices_nothing(market: Market) -> None:
    _, rate = await _mistyped(market, start=JULY)

    await market.catalog.stub.WithdrawRate(
        pb.WithdrawRateRequest(request_id=market.shop.request_id(), rate_id=rate.rate_id)
    )

    assert [(one.rate_id, one.is_withdrawn) for one in await market.stored_rates()] == [(rate.rate_id, True)]
    assert await market.rate_at(JULY) is None


async def test_a_used_rate_is_corrected_over_its_whole_span_and_keeps_its_meter(market: Market) -> None:
    _, wrong = await _mistyped(market, start=JUNE)
    before = await market.rate_at(JUNE)
    market.catalog.clock.advance(timedelta(days=3))

    for price in (Ratio(120_000_000, UNIT), MEANT):
        market.catalog.clock.advance(timedelta(seconds=1))
        await market.catalog.stub.CorrectRate(
            pb.CorrectRateRequest(
                request_id=market.shop.request_id(),
                rate_id=wrong.rate_id,
                price_micros=price.numerator_micros,
                per_micros=price.denominator_micros,
            )
        )

    after = await market.rate_at(JUNE)
    assert before is not None
    assert before[1] == MISTYPED
    assert after is not None
    assert (after[1], after[0].root_id) == (MEANT, wrong.rate_id)
    assert len(await market.stored_rates()) == 3


async def test_a_rate_that_is_ended_ends_with_its_corrections(market: Market) -> None:
    _, wrong = await _mistyped(market, start=JUNE)
    market.catalog.clock.advance(timedelta(days=3))
    end = market.catalog.clock.now() + timedelta(days=1)
    await market.catalog.stub.CorrectRate(
        pb.CorrectRateRequest(
            request_id=market.shop.request_id(),
            rate_id=wrong.rate_id,
            price_micros=MEANT.numerator_micros,
            per_micros=UNIT,
        )
    )

    await market.catalog.stub.EndRate(
        pb.EndRateRequest(request_id=market.shop.request_id(), rate_id=wrong.rate_id, end_time=timestamp(end))
    )

    last = await market.rate_at(end - timedelta(microseconds=1))
    assert last is not None
    assert last[1] == MEANT
    assert await market.rate_at(end) is None
