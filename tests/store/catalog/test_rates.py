# SPDX-License-Identifier: Apache-2.0
"""Rates in the store: their order, their pages, and the wall behind the domain's overlap rule."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from meshkit.page import Page
from meshkit.quantity import Ratio
from services.catalog.domain.credit_type import USD
from services.catalog.domain.product import ProductId
from services.catalog.domain.rate import BillingFrequency, Rate, RateId, RateTier, RateType
from services.catalog.domain.rate_book import RateChange
from services.catalog.domain.rate_card import RateCardId, RateFilter
from services.catalog.store import PostgresStore
from tests.store.catalog.builders import CARD, OTHER_CARD, SEATS, USAGE, open_cards
from tests.support.catalog import AUGUST, JULY, JUNE

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


def _all_of(rate_card_id: RateCardId) -> RateFilter:
    return RateFilter(rate_card_id=rate_card_id, as_of_time=None, product_id=None)


async def test_rates_come_back_as_they_went_in_by_product_frequency_and_time(store: PostgresStore) -> None:
    monthly = _rate("rat_4", product_id=SEATS, frequency=BillingFrequency.MONTHLY)
    annual = _rate("rat_3", product_id=SEATS, frequency=BillingFrequency.ANNUAL)
    later, earlier = _rate("rat_1", JULY + TICK), _rate("rat_2", JUNE, JULY)
    async with store.transaction() as tx:
        await open_cards(tx)
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
        await open_cards(tx)
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
        await open_cards(tx)
        await tx.rates.insert(CARD, [_rate("first", JUNE, JULY), _rate("second", JULY)])
        asked = RateFilter(rate_card_id=CARD, as_of_time=at, product_id=None)

        assert [rate.rate_id for rate in await tx.rates.list(asked, Page(50, None))] == in_force


async def test_an_end_is_set_only_on_the_rate_as_it_was_read(store: PostgresStore) -> None:
    open_ended, ended = _rate("first"), _rate("first", JUNE, JULY)
    async with store.transaction() as tx:
        await open_cards(tx)
        await tx.rates.insert(CARD, [open_ended])
        await tx.rates.save(CARD, RateChange(added=(), changed=((open_ended, ended),)))

        assert await tx.rates.of_usage(CARD) == [ended]
        later = _rate("first", JUNE, AUGUST)
        with pytest.raises(AssertionError):
            await tx.rates.save(CARD, RateChange(added=(), changed=((open_ended, later),)))


async def test_no_statement_of_a_change_overlaps_another_one(store: PostgresStore) -> None:
    first = replace(_rate("first", JUNE, JULY), ended_by_rate_id=RateId("second"))
    second, third = _rate("second", JULY, AUGUST), _rate("third", AUGUST)
    new = _rate("new", AUGUST + TICK)
    async with store.transaction() as tx:
        await open_cards(tx)
        await tx.rates.insert(CARD, [first, second, third])

    longer = replace(first, end_time=AUGUST, ended_by_rate_id=None)
    ended = replace(third, end_time=AUGUST + TICK, ended_by_rate_id=new.rate_id)
    withdrawn = replace(second, withdraw_time=JUNE)
    changed = ((first, longer), (second, withdrawn), (third, ended))
    async with store.transaction() as tx:
        await tx.rates.save(CARD, RateChange(added=(new,), changed=changed))

    async with store.transaction() as tx:
        assert await tx.rates.of_usage(CARD) == [longer, withdrawn, ended, new]


def _correction(rate_id: str, root: Rate, create_time: datetime) -> Rate:
    return replace(root, rate_id=RateId(rate_id), corrects_rate_id=root.rate_id, create_time=create_time)


async def test_a_usage_rate_comes_back_with_everything_that_it_has(store: PostgresStore) -> None:
    graduated = replace(
        _rate("rat_1", JUNE, JULY),
        price=None,
        rate_type=RateType.GRADUATED,
        tiers=(
            RateTier(up_to_micros=1_000_000, price=Ratio(1, 2)),
            RateTier(up_to_micros=None, price=Ratio(0, 1)),
        ),
        dimension_values=(("kind", "input"), ("model", "large")),
        create_time=JUNE,
        ended_by_rate_id=RateId("rat_2"),
    )
    withdrawn = replace(_rate("rat_2", JULY), create_time=JUNE, withdraw_time=JUNE + TICK)
    async with store.transaction() as tx:
        await open_cards(tx)
        await tx.rates.insert(CARD, [graduated, withdrawn])

    async with store.transaction() as tx:
        assert await tx.rates.of_products(CARD, {USAGE}) == [withdrawn, graduated]


async def test_of_a_rate_and_its_corrections_the_latest_created_prices(store: PostgresStore) -> None:
    root = replace(_rate("rat_2", JUNE, JULY), create_time=JUNE)
    # Two replicas make ids: the later correction may have the smaller one.
    later, earlier = _correction("rat_3", root, JUNE + 2 * TICK), _correction("rat_4", root, JUNE + TICK)
    alone = _rate("rat_1", JULY)
    async with store.transaction() as tx:
        await open_cards(tx)
        await tx.rates.insert(CARD, [alone, root, earlier, later])
        by_later = RateId("rat_3")

        assert await tx.rates.list(_all_of(CARD), Page(50, None)) == [
            replace(root, corrected_by_rate_id=by_later),
            later,
            replace(earlier, corrected_by_rate_id=by_later),
            alone,
        ]
        asked = RateFilter(rate_card_id=CARD, as_of_time=JUNE, product_id=None)
        assert await tx.rates.list(asked, Page(50, None)) == [later]


async def test_a_withdrawn_rate_prices_nothing_and_leaves_its_place(store: PostgresStore) -> None:
    withdrawn = replace(_rate("rat_1", JUNE), create_time=JUNE, withdraw_time=JUNE)
    async with store.transaction() as tx:
        await open_cards(tx)
        await tx.rates.insert(CARD, [withdrawn, _rate("rat_2", JULY)])
        asked = RateFilter(rate_card_id=CARD, as_of_time=AUGUST, product_id=None)

        assert [rate.rate_id for rate in await tx.rates.list(asked, Page(50, None))] == ["rat_2"]
        assert len(await tx.rates.list(_all_of(CARD), Page(50, None))) == 2


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
        (replace(_rate("new", JULY), dimension_values=(("model", "large"),)), True),
        (replace(_rate("new", JULY, AUGUST), dimension_values=(("model", "small"),)), False),
        (replace(_rate("new", JULY, AUGUST), withdraw_time=JUNE), True),
        (replace(_rate("new", JULY, AUGUST), corrects_rate_id=RateId("there"), create_time=JULY), True),
    ],
)
async def test_the_database_itself_refuses_an_overlap(store: PostgresStore, new: Rate, fits: bool) -> None:
    async with store.transaction() as tx:
        await open_cards(tx)
        small = replace(_rate("small", JUNE), dimension_values=(("model", "small"),))
        await tx.rates.insert(CARD, [_rate("there", JULY, AUGUST), small])
        await tx.rates.insert(OTHER_CARD, [_rate("elsewhere", JUNE)])

    if fits:
        async with store.transaction() as tx:
            await tx.rates.insert(CARD, [new])
    else:
        with pytest.raises(IntegrityError, match="rates_never_overlap"):
            async with store.transaction() as tx:
                await tx.rates.insert(CARD, [new])
