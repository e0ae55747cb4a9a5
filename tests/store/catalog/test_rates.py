# SPDX-License-Identifier: Apache-2.0
"""Rates in the store: their order, their pages, and the wall behind the domain's overlap rule."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from meshkit.page import Page
from meshkit.quantity import Ratio
from services.catalog.domain.credit_type import USD
from services.catalog.domain.metric import Aggregation, BillableMetric, BillableMetricId
from services.catalog.domain.product import Product, ProductId, ProductType
from services.catalog.domain.rate import BillingFrequency, Rate, RateId
from services.catalog.domain.rate_card import RateCard, RateCardId, RateFilter
from services.catalog.store import PostgresStore, Transaction
from tests.support.catalog import AUGUST, JULY, JUNE

CARD, OTHER_CARD = RateCardId("rcd_1"), RateCardId("rcd_2")
SEATS, USAGE = ProductId("prd_seats"), ProductId("prd_usage")
TICK = timedelta(microseconds=1)


def _rate(
    rate_id: str,
    start: datetime = JUNE,
    end: datetime | None = None,
    *,
    product_id: ProductId = USAGE,
    frequency: BillingFrequency | None = None,
) -> Rate:
    return Rate(
        rate_id=RateId(rate_id),
        product_id=product_id,
        billing_frequency=frequency,
        credit_type_id=USD,
        price=Ratio(80_000_000, 1_000_000_000),
        effective_time=start,
        end_time=end,
    )


async def _open_cards(tx: Transaction) -> None:
    metric = BillableMetric(
        billable_metric_id=BillableMetricId("met_1"),
        name="calls",
        event_type="ai.call",
        aggregation=Aggregation.COUNT,
        aggregated_property=None,
        filters=(),
        group_keys=(),
        create_time=JUNE,
    )
    await tx.metrics.insert(metric)
    for product_id, product_type in ((SEATS, ProductType.SUBSCRIPTION), (USAGE, ProductType.USAGE)):
        await tx.products.insert(
            Product(
                product_id=product_id,
                name="x",
                product_type=product_type,
                billable_metric_id=metric.billable_metric_id if product_type is ProductType.USAGE else None,
                version=1,
                create_time=JUNE,
            )
        )
    for rate_card_id in (CARD, OTHER_CARD):
        card = RateCard(
            rate_card_id=rate_card_id,
            name="x",
            fiat_credit_type_id=USD,
            conversions=(),
            version=1,
            create_time=JUNE,
        )
        await tx.rate_cards.insert(card)


def _all_of(rate_card_id: RateCardId) -> RateFilter:
    return RateFilter(rate_card_id=rate_card_id, as_of_time=None, product_id=None)


async def test_rates_come_back_as_they_went_in_by_product_frequency_and_time(store: PostgresStore) -> None:
    monthly = _rate("rat_4", product_id=SEATS, frequency=BillingFrequency.MONTHLY)
    annual = _rate("rat_3", product_id=SEATS, frequency=BillingFrequency.ANNUAL)
    later, earlier = _rate("rat_1", JULY + TICK), _rate("rat_2", JUNE, JULY)
    async with store.transaction() as tx:
        await _open_cards(tx)
        await tx.rates.insert(CARD, [later, monthly, earlier, annual])
        await tx.rates.insert(OTHER_CARD, [_rate("rat_9")])

    async with store.transaction() as tx:
        assert await tx.rates.list(_all_of(CARD), Page(50, None)) == [annual, monthly, earlier, later]
        assert await tx.rates.of_usage(CARD) == [earlier, later]
        assert await tx.rates.of_products(CARD, {SEATS}) == [annual, monthly]
        assert await tx.rates.count(CARD) == 4


async def test_a_page_goes_on_behind_its_last_rate(store: PostgresStore) -> None:
    rates = [_rate(f"rat_{9 - n}", JUNE + n * TICK, JUNE + (n + 1) * TICK) for n in range(5)]
    async with store.transaction() as tx:
        await _open_cards(tx)
        await tx.rates.insert(CARD, rates)

        assert await tx.rates.list(_all_of(CARD), Page(2, None)) == rates[:3]
        assert await tx.rates.list(_all_of(CARD), Page(2, (rates[1].rate_id,))) == rates[2:]
        assert await tx.rates.list(_all_of(CARD), Page(2, (rates[4].rate_id,))) == []


@pytest.mark.parametrize(
    ("at", "in_force"),
    [
        (JUNE - TICK, []),
        (JUNE, ["first"]),
        (JULY - TICK, ["first"]),
        (JULY, ["second"]),
        (AUGUST, ["second"]),
    ],
)
async def test_a_rate_is_in_force_from_its_start_to_just_before_its_end(
    store: PostgresStore, at: datetime, in_force: list[str]
) -> None:
    async with store.transaction() as tx:
        await _open_cards(tx)
        await tx.rates.insert(CARD, [_rate("first", JUNE, JULY), _rate("second", JULY)])
        asked = RateFilter(rate_card_id=CARD, as_of_time=at, product_id=None)

        assert [rate.rate_id for rate in await tx.rates.list(asked, Page(50, None))] == in_force


async def test_an_open_end_is_set_once(store: PostgresStore) -> None:
    async with store.transaction() as tx:
        await _open_cards(tx)
        await tx.rates.insert(CARD, [_rate("first")])
        await tx.rates.end(_rate("first", JUNE, JULY))

        assert await tx.rates.of_usage(CARD) == [_rate("first", JUNE, JULY)]
        with pytest.raises(AssertionError):
            await tx.rates.end(_rate("first", JUNE, AUGUST))


@pytest.mark.parametrize(
    ("new", "fits"),
    [
        (_rate("new", JUNE, JULY), True),
        (_rate("new", JUNE, JULY + TICK), False),
        (_rate("new", JUNE, None), False),
        (_rate("new", JULY + TICK, AUGUST), False),
        (_rate("new", AUGUST - TICK, None), False),
        (_rate("new", AUGUST, None), True),
        (_rate("new", JULY, None, product_id=SEATS, frequency=BillingFrequency.MONTHLY), True),
    ],
)
async def test_the_database_itself_refuses_an_overlap(store: PostgresStore, new: Rate, fits: bool) -> None:
    async with store.transaction() as tx:
        await _open_cards(tx)
        await tx.rates.insert(CARD, [_rate("there", JULY, AUGUST)])
        await tx.rates.insert(OTHER_CARD, [_rate("elsewhere", JUNE)])

    if fits:
        async with store.transaction() as tx:
            await tx.rates.insert(CARD, [new])
    else:
        with pytest.raises(IntegrityError, match="rates_never_overlap"):
            async with store.transaction() as tx:
                await tx.rates.insert(CARD, [new])
