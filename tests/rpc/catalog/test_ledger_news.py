# SPDX-License-Identifier: Apache-2.0
"""What the Ledger is told: at once when it is there, later when it is away, in order and never twice otherwise."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from grpc import StatusCode
from sqlalchemy import text

from meshkit.db import open_engine
from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as ledger_pb
from tests.support.catalog import JULY, JUNE, CatalogStub, Shop, a_rate, running_catalog
from tests.support.faults import bad_fields, fault
from tests.support.postgres import Databases
from tests.support.recording_ledger import RecordingLedger


@pytest.fixture
async def ledger() -> AsyncIterator[RecordingLedger]:
    async with RecordingLedger() as ledger:
        yield ledger


@pytest.fixture
async def catalog(databases: Databases, ledger: RecordingLedger) -> AsyncIterator[CatalogStub]:
    """A Catalog whose Ledger is there."""
    async with running_catalog(databases, ledger_address=ledger.address) as running:
        yield running.stub


async def _pending(databases: Databases) -> int:
    engine = open_engine(databases.url("catalog"), application_name="test")
    async with engine.connect() as connection:
        counted = await connection.execute(
            text("SELECT count(*) FROM catalog.outbox WHERE sent_time IS NULL")
        )
        pending: int = counted.scalar_one()
    await engine.dispose()
    return pending


async def test_a_usage_product_is_told_with_its_metric_before_the_answer(
    catalog: CatalogStub, ledger: RecordingLedger
) -> None:
    none: list[str] = []
    filters = (("model", ["x"], none), ("tier", none, ["free"]), ("user_id", none, none))
    metric = pb.CreateBillableMetricRequest(
        request_id="r1",
        name="units",
        event_type="ai.call",
        aggregation=pb.AGGREGATION_SUM,
        sum_property="units",
        filters=[
            pb.PropertyFilter(property=name, exists=not (yes or no), in_values=yes, not_in_values=no)
            for name, yes, no in filters
        ],
        group_keys=["user_id"],
    )
    metric_id = (await catalog.CreateBillableMetric(metric)).billable_metric.billable_metric_id
    assert ledger.products == []

    product = await catalog.CreateProduct(
        pb.CreateProductRequest(
            request_id="r2",
            name="AI Assistant",
            product_type=pb.PRODUCT_TYPE_USAGE,
            billable_metric_id=metric_id,
        )
    )

    (told,) = ledger.products
    assert told.request_id.startswith("ntc_")
    assert told == ledger_pb.ApplyMetricsRequest(
        request_id=told.request_id,
        product_id=product.product.product_id,
        version=1,
        name="AI Assistant",
        billable_metric_id=metric_id,
        event_type="ai.call",
        aggregation=ledger_pb.AGGREGATION_SUM,
        sum_property="units",
        filters=[
            ledger_pb.PropertyFilter(property=name, exists=not (yes or no), in_values=yes, not_in_values=no)
            for name, yes, no in filters
        ],
        group_keys=["user_id"],
    )


async def test_a_product_is_told_with_its_conversion_and_dimensions(
    catalog: CatalogStub, ledger: RecordingLedger
) -> None:
    metric = pb.CreateBillableMetricRequest(
        request_id="r1",
        name="users",
        event_type="ai.call",
        aggregation=pb.AGGREGATION_UNIQUE,
        aggregated_property="user_id",
    )
    metric_id = (await catalog.CreateBillableMetric(metric)).billable_metric.billable_metric_id
    request = pb.CreateProductRequest(
        request_id="r2",
        name="AI users",
        product_type=pb.PRODUCT_TYPE_USAGE,
        billable_metric_id=metric_id,
        conversion=pb.QuantityConversion(
            priced_micros=1, per_micros=1_000, rounding=pb.QUANTITY_ROUNDING_DOWN
        ),
        pricing_dimensions=[
            pb.PricingDimension(key="model", values=["large", "small"]),
            pb.PricingDimension(
                key="length",
                property="prompt_tokens",
                bands=[pb.DimensionBand(value="short", up_to_micros=0), pb.DimensionBand(value="long")],
            ),
        ],
    )

    product = (await catalog.CreateProduct(request)).product
    await catalog.UpdateProduct(
        pb.UpdateProductRequest(request_id="r3", product_id=product.product_id, name="Users")
    )

    told, renamed = ledger.products
    assert told == ledger_pb.ApplyMetricsRequest(
        request_id=told.request_id,
        product_id=product.product_id,
        version=1,
        name="AI users",
        billable_metric_id=metric_id,
        event_type="ai.call",
        aggregation=ledger_pb.AGGREGATION_UNIQUE,
        aggregated_property="user_id",
        conversion=ledger_pb.QuantityConversion(
            priced_micros=1, per_micros=1_000, rounding=ledger_pb.QUANTITY_ROUNDING_DOWN
        ),
        pricing_dimensions=[
            ledger_pb.PricingDimension(key="model", property="model"),
            ledger_pb.PricingDimension(
                key="length",
                property="prompt_tokens",
                bands=[
                    ledger_pb.DimensionBand(value="short", up_to_micros=0),
                    ledger_pb.DimensionBand(value="long"),
                ],
            ),
        ],
    )
    assert list(renamed.pricing_dimensions) == list(told.pricing_dimensions)
    assert renamed.conversion == told.conversion


async def test_a_renamed_usage_product_is_told_with_the_next_version(
    catalog: CatalogStub, shop: Shop, ledger: RecordingLedger
) -> None:
    product = await shop.usage()

    await catalog.UpdateProduct(
        pb.UpdateProductRequest(request_id="r1", product_id=product.product_id, name="Renamed")
    )

    assert [(told.version, told.name) for told in ledger.products] == [(1, "AI Assistant"), (2, "Renamed")]


async def test_other_products_are_told_to_nobody(
    catalog: CatalogStub, shop: Shop, ledger: RecordingLedger
) -> None:
    for product in (await shop.seats(), await shop.product()):
        await catalog.UpdateProduct(
            pb.UpdateProductRequest(request_id=shop.request_id(), product_id=product.product_id, name="x")
        )

    assert ledger.products == []


async def test_every_change_of_a_card_tells_all_its_usage_rates_and_no_seat_rates(
    shop: Shop, ledger: RecordingLedger
) -> None:
    credits = (await shop.credit_type()).credit_type_id
    card = await shop.card([pb.CreditType(credit_type_id=credits)])
    seats, assistant = await shop.seats(), await shop.usage()
    first = (await shop.add(card, a_rate(assistant, credit_type_id=credits))).rates[0]
    await shop.add(card, a_rate(seats, frequency=pb.BILLING_FREQUENCY_ANNUAL))
    second = (await shop.add(card, a_rate(assistant, start=JULY, price_micros=0, end_previous=True))).rates[0]

    assert [(told.rate_card_id, told.version) for told in ledger.rate_cards] == [
        (card.rate_card_id, version) for version in (1, 2, 3, 4)
    ]
    usage_rate = ledger_pb.UsageRate(
        rate_id=first.rate_id,
        product_id=assistant.product_id,
        credit_type_id=credits,
        price_micros=12_000_000,
        per_micros=1_000_000,
        effective_time=timestamp(JUNE),
        create_time=timestamp(JUNE),
    )
    assert [list(told.rates) for told in ledger.rate_cards[:3]] == [[], [usage_rate], [usage_rate]]
    usage_rate.end_time.CopyFrom(timestamp(JULY))
    later_rate = ledger_pb.UsageRate(
        rate_id=second.rate_id,
        product_id=assistant.product_id,
        credit_type_id="USD",
        per_micros=1_000_000,
        effective_time=timestamp(JULY),
        create_time=timestamp(JUNE),
    )
    assert list(ledger.rate_cards[3].rates) == [usage_rate, later_rate]


async def test_a_repeated_request_tells_nothing_more(
    databases: Databases, catalog: CatalogStub, shop: Shop, ledger: RecordingLedger
) -> None:
    request = pb.CreateRateCardRequest(request_id="r1", name="List prices", fiat_credit_type_id="USD")

    await asyncio.gather(*(catalog.CreateRateCard(request) for _ in range(5)))
    await catalog.CreateRateCard(request)

    await ledger.has_heard(lambda it: bool(it.rate_cards))
    assert await _pending(databases) == 0
    assert len(ledger.rate_cards) == 1


async def test_with_the_ledger_away_writes_succeed_and_it_hears_of_them_when_it_is_back(
    databases: Databases, catalog: CatalogStub, shop: Shop, ledger: RecordingLedger
) -> None:
    await ledger.go_away()

    card, assistant = await shop.card(), await shop.usage()
    added = await shop.add(card, a_rate(assistant))
    assert added.rate_card.version == 2
    assert await _pending(databases) == 3

    await ledger.come()
    await ledger.has_heard(lambda it: len(it.rate_cards) == 2 and len(it.products) == 1)
    assert [told.version for told in ledger.rate_cards] == [1, 2]
    assert ledger.products[0].product_id == assistant.product_id


async def test_a_write_after_the_ledger_is_back_brings_the_older_news_first(
    databases: Databases, catalog: CatalogStub, shop: Shop, ledger: RecordingLedger
) -> None:
    card, assistant = await shop.card(), await shop.usage()
    await ledger.go_away()
    await shop.add(card, a_rate(assistant, end=JULY))
    await ledger.come()

    await shop.add(card, a_rate(assistant, start=JULY))

    await ledger.has_heard(lambda it: len(it.rate_cards) == 3)
    assert [told.version for told in ledger.rate_cards] == [1, 2, 3]
    assert [len(told.rates) for told in ledger.rate_cards] == [0, 1, 2]


async def test_news_survive_a_restart_of_the_catalog(databases: Databases, ledger: RecordingLedger) -> None:
    async with running_catalog(databases) as without_ledger:
        card = await Shop(without_ledger.stub).card()
    assert ledger.rate_cards == []

    async with running_catalog(databases, ledger_address=ledger.address):
        await ledger.has_heard(lambda it: bool(it.rate_cards))

    assert [told.rate_card_id for told in ledger.rate_cards] == [card.rate_card_id]


IN_TURN = """
    INSERT INTO catalog.rates
    SELECT 'rat_' || lpad(n::text, 32, '0'), :card, :product, 'NONE', 'USD', 9223372036854775807, 9223372036854775807,
        timestamptz '2200-01-01Z' + n * interval '1001 microseconds',
        timestamptz '2200-01-01Z' + (n + 1) * interval '1001 microseconds'
    FROM generate_series(1, 9999) AS n
"""
# All are in force together: the constraint must not compare each with all others.
BY_MODEL_AND_KIND = """
    INSERT INTO catalog.rates
    SELECT 'rat_' || lpad(n::text, 32, '0'), :card, :product, 'NONE', 'USD', 9223372036854775807, 9223372036854775807,
        timestamptz '2200-01-01Z', timestamptz '2200-01-02Z', 'PACKAGE', '[]',
        jsonb_build_object('model', 'model-' || n / 4, 'token_kind', 'kind-' || n % 4), now()
    FROM generate_series(1, 9999) AS n
"""


@pytest.mark.parametrize("rates", [IN_TURN, BY_MODEL_AND_KIND], ids=["in turn", "by model and kind"])
async def test_a_full_card_fits_into_one_message(
    databases: Databases, catalog: CatalogStub, shop: Shop, ledger: RecordingLedger, rates: str
) -> None:
    card, assistant = await shop.card(), await shop.usage()
    engine = open_engine(databases.url("catalog"), application_name="test")
    async with engine.begin() as connection:
        values = {"card": card.rate_card_id, "product": assistant.product_id}
        await connection.execute(text(rates), values)
    await engine.dispose()

    await shop.add(card, a_rate(assistant, end=JULY))

    await ledger.has_heard(lambda it: len(it.rate_cards) == 2)
    assert len(ledger.rate_cards[1].rates) == 10_000


async def test_a_product_and_a_card_are_told_again_under_new_versions(
    catalog: CatalogStub, ledger: RecordingLedger
) -> None:
    shop = Shop(catalog)
    card, product = await shop.card(), await shop.usage()
    await shop.archived(product)
    resend = pb.ResendProductRequest(request_id="p", product_id=product.product_id)
    resend_card = pb.ResendRateCardRequest(request_id="c", rate_card_id=card.rate_card_id)

    for _ in range(2):
        assert (await catalog.ResendProduct(resend)).product.product_id == product.product_id
        assert (await catalog.ResendRateCard(resend_card)).rate_card.version == card.version + 1

    first, again = ledger.products
    assert (first.version, again.version) == (1, 2)
    first.version, first.request_id = again.version, again.request_id
    assert first == again
    assert [one.version for one in ledger.rate_cards] == [card.version, card.version + 1]
    assert (await shop.add(card, a_rate(await shop.usage()))).rate_card.version == card.version + 2


async def test_only_what_the_ledger_gets_is_told_again(catalog: CatalogStub, ledger: RecordingLedger) -> None:
    seats = await Shop(catalog).seats()

    with fault(StatusCode.FAILED_PRECONDITION, "PRODUCT_NOT_USAGE", product_id=seats.product_id):
        await catalog.ResendProduct(pb.ResendProductRequest(request_id="r", product_id=seats.product_id))
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_x"):
        await catalog.ResendProduct(pb.ResendProductRequest(request_id="r", product_id="prd_x"))
    with fault(StatusCode.NOT_FOUND, "RATE_CARD_NOT_FOUND", rate_card_id="rcd_x"):
        await catalog.ResendRateCard(pb.ResendRateCardRequest(request_id="r", rate_card_id="rcd_x"))
    with bad_fields("request_id", "product_id"):
        await catalog.ResendProduct(pb.ResendProductRequest())
    with bad_fields("request_id", "rate_card_id"):
        await catalog.ResendRateCard(pb.ResendRateCardRequest())
    assert ledger.products == []
    assert ledger.rate_cards == []
