# SPDX-License-Identifier: Apache-2.0
"""What goes into the store comes out as it was; states change once, under guard."""

from dataclasses import replace
from datetime import timedelta

import pytest

from meshkit.page import Page
from meshkit.quantity import Credits, Money
from services.catalog.domain.credit_type import USD, CreditType, CreditTypeId
from services.catalog.domain.errors import (
    BillableMetricNotFound,
    CreditTypeNameTaken,
    ProductArchived,
    ProductNotFound,
    RateCardNotFound,
    TopUpPackNotFound,
)
from services.catalog.domain.metric import (
    Aggregation,
    BillableMetric,
    BillableMetricId,
    FilterKind,
    PropertyFilter,
)
from services.catalog.domain.product import Product, ProductId, ProductType
from services.catalog.domain.rate_card import CreditConversion, RateCard, RateCardId
from services.catalog.domain.top_up_pack import LIFETIME_MAX, TopUpPack, TopUpPackId
from services.catalog.store import PostgresStore
from tests.support.catalog import AUGUST, JULY, JUNE

FIRST_PAGE = Page(50, None)

SUM = BillableMetric(
    billable_metric_id=BillableMetricId("met_1"),
    name="units",
    event_type="ai.call",
    aggregation=Aggregation.SUM,
    aggregated_property="units",
    filters=(
        PropertyFilter(property="model", kind=FilterKind.EXISTS),
        PropertyFilter(property="tier", kind=FilterKind.IN, values=("pro", "max")),
        PropertyFilter(property="region", kind=FilterKind.NOT_IN, values=("test",)),
    ),
    group_keys=("user_id", "team"),
    create_time=JUNE,
)
COUNT = replace(
    SUM,
    billable_metric_id=BillableMetricId("met_2"),
    aggregation=Aggregation.COUNT,
    aggregated_property=None,
    filters=(),
    group_keys=(),
)
UNIQUE = replace(
    SUM,
    billable_metric_id=BillableMetricId("met_3"),
    aggregation=Aggregation.UNIQUE,
    aggregated_property="user_id",
)
PACK = Product(
    product_id=ProductId("prd_1"),
    name="AI credit top-up",
    product_type=ProductType.FIXED,
    billable_metric_id=None,
    version=1,
    create_time=JUNE,
)


def _credit_type(number: int) -> CreditType:
    return CreditType(
        credit_type_id=CreditTypeId(f"crt_{number}"), name=f"credits {number}", create_time=JUNE
    )


async def test_usd_is_made_by_the_migration_and_listed_first(store: PostgresStore) -> None:
    async with store.transaction() as tx:
        await tx.credit_types.insert(_credit_type(1))
        listed = await tx.credit_types.list(FIRST_PAGE)
        known = await tx.credit_types.known({USD, CreditTypeId("crt_1"), CreditTypeId("crt_2")})

    assert [one.credit_type_id for one in listed] == ["USD", "crt_1"]
    assert listed[1] == _credit_type(1)
    assert known == {"USD", "crt_1"}


async def test_a_name_is_taken_once(store: PostgresStore) -> None:
    async with store.transaction() as tx:
        await tx.credit_types.insert(_credit_type(1))
        with pytest.raises(CreditTypeNameTaken):
            await tx.credit_types.insert(replace(_credit_type(1), credit_type_id=CreditTypeId("crt_2")))


async def test_a_page_brings_one_row_more_than_it_holds(store: PostgresStore) -> None:
    async with store.transaction() as tx:
        for number in range(4):
            await tx.credit_types.insert(_credit_type(number))
        first = await tx.credit_types.list(Page(2, None))
        last = await tx.credit_types.list(Page(2, ("crt_1",)))

    assert [one.credit_type_id for one in first] == ["USD", "crt_0", "crt_1"]
    assert [one.credit_type_id for one in last] == ["crt_2", "crt_3"]


@pytest.mark.parametrize("metric", [SUM, COUNT, UNIQUE], ids=["sum", "count", "unique"])
async def test_a_metric_comes_back_as_it_went_in(store: PostgresStore, metric: BillableMetric) -> None:
    async with store.transaction() as tx:
        await tx.metrics.insert(metric)

    async with store.transaction() as tx:
        assert await tx.metrics.get(metric.billable_metric_id) == metric
        with pytest.raises(BillableMetricNotFound):
            await tx.metrics.get(BillableMetricId("met_unknown"))


async def test_archiving_a_metric_again_keeps_the_first_instant(store: PostgresStore) -> None:
    async with store.transaction() as tx:
        await tx.metrics.insert(SUM)
        archived = await tx.metrics.archive(SUM.billable_metric_id, at=JULY)
        again = await tx.metrics.archive(SUM.billable_metric_id, at=AUGUST)

        assert archived == again == replace(SUM, archive_time=JULY)
        assert await tx.metrics.list(FIRST_PAGE, include_archived=False) == []
        assert await tx.metrics.list(FIRST_PAGE, include_archived=True) == [archived]
        with pytest.raises(BillableMetricNotFound):
            await tx.metrics.archive(BillableMetricId("met_unknown"), at=JULY)


async def test_a_product_is_renamed_until_it_is_archived(store: PostgresStore) -> None:
    async with store.transaction() as tx:
        await tx.products.insert(PACK)
        renamed = await tx.products.rename(PACK.product_id, "Credits")
        assert renamed == replace(PACK, name="Credits", version=2)
        archived = await tx.products.archive(PACK.product_id, at=JULY)
        assert await tx.products.archive(PACK.product_id, at=AUGUST) == archived

        with pytest.raises(ProductArchived):
            await tx.products.rename(PACK.product_id, "Too late")
        assert await tx.products.get(PACK.product_id) == archived == replace(renamed, archive_time=JULY)
        assert await tx.products.list(FIRST_PAGE, include_archived=False) == []
        assert await tx.products.list(FIRST_PAGE, include_archived=True) == [archived]


async def test_an_unknown_product_is_not_found(store: PostgresStore) -> None:
    unknown = ProductId("prd_unknown")
    async with store.transaction() as tx:
        with pytest.raises(ProductNotFound):
            await tx.products.get(unknown)
        with pytest.raises(ProductNotFound):
            await tx.products.rename(unknown, "x")
        with pytest.raises(ProductNotFound):
            await tx.products.archive(unknown, at=JULY)
        assert await tx.products.share({unknown}) == {}


async def test_a_card_comes_back_with_its_conversions_and_grows_by_one(store: PostgresStore) -> None:
    card = RateCard(
        rate_card_id=RateCardId("rcd_1"),
        name="List prices",
        fiat_credit_type_id=USD,
        conversions=tuple(
            CreditConversion(credit_type_id=CreditTypeId(f"crt_{n}"), fiat_per_credit_micros=n + 1)
            for n in range(2)
        ),
        version=1,
        create_time=JUNE,
    )
    plain = replace(card, rate_card_id=RateCardId("rcd_2"), conversions=())
    async with store.transaction() as tx:
        for number in range(2):
            await tx.credit_types.insert(_credit_type(number))
        await tx.rate_cards.insert(card)
        await tx.rate_cards.insert(plain)
        assert await tx.rate_cards.get(card.rate_card_id, locked=True) == card
        advanced = await tx.rate_cards.advance(card)

    async with store.transaction() as tx:
        assert advanced == replace(card, version=2)
        assert await tx.rate_cards.list(FIRST_PAGE) == [advanced, plain]
        with pytest.raises(RateCardNotFound):
            await tx.rate_cards.get(RateCardId("rcd_unknown"))


@pytest.mark.parametrize("lifetime", [None, timedelta(days=365, microseconds=1), LIFETIME_MAX])
async def test_a_pack_comes_back_as_it_went_in(store: PostgresStore, lifetime: timedelta | None) -> None:
    pack = TopUpPack(
        top_up_pack_id=TopUpPackId("pck_1"),
        name="1,000 credits",
        product_id=PACK.product_id,
        credit_type_id=CreditTypeId("crt_1"),
        amount=Credits.of(1_000),
        price=Money.of(USD, 80),
        priority=100,
        lifetime=lifetime,
        create_time=JUNE,
    )
    async with store.transaction() as tx:
        await tx.credit_types.insert(_credit_type(1))
        await tx.products.insert(PACK)
        await tx.top_up_packs.insert(pack)

    async with store.transaction() as tx:
        assert await tx.top_up_packs.get(pack.top_up_pack_id) == pack
        assert await tx.top_up_packs.list(FIRST_PAGE) == [pack]
        with pytest.raises(TopUpPackNotFound):
            await tx.top_up_packs.get(TopUpPackId("pck_unknown"))
