# SPDX-License-Identifier: Apache-2.0
"""Copies of products and rates are read as they were stored, and no rate's row is lost."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from meshkit.quantity import INT64_MAX, Quantity, Ratio
from services.ledger.domain.copies import ProductUpdate, RateCardUpdate
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.gate.standing import CatalogCopies
from services.ledger.domain.rating.dimensions import Band, Dimension
from services.ledger.domain.rating.metric import Aggregation, Metric, PropertyFilter
from services.ledger.domain.rating.price import Conversion, FlatPrice, PackagePrice, Price, Rounding
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.rating.rate import Rate
from services.ledger.domain.rating.tiers import GraduatedPrice, Tier
from services.ledger.store.connection import Connection, open_pool
from services.ledger.store.rates import (
    RATE_COLUMNS,
    USAGE_PRODUCT_COLUMNS,
    rate_from_row,
    usage_product_from_row,
)
from tests.support.ledger_sql import Sql
from tests.support.ledger_store import A_CARD, A_PRODUCT, ASSISTANT, JULY, JUNE, Books
from tests.support.postgres import Databases

(A_RATE,) = A_CARD.rates
TOKENS = ProductId("prd_tokens")


@pytest.fixture
async def connection(databases: Databases) -> AsyncIterator[Connection]:
    """A connection as the store's."""
    pool = await open_pool(databases.url("ledger"), size=1)
    async with pool.acquire() as acquired:
        yield acquired
    pool.terminate()


async def _products(connection: Connection) -> dict[str, UsageProduct]:
    rows = await connection.fetch(f"SELECT {USAGE_PRODUCT_COLUMNS} FROM ledger.products")
    return {row["product_id"]: usage_product_from_row(row) for row in rows}


async def _rates(connection: Connection) -> dict[str, Rate]:
    rows = await connection.fetch(f"SELECT {RATE_COLUMNS} FROM ledger.rates WHERE rate_card_id = 'rcd_1'")
    return {row["rate_id"]: rate_from_row(row) for row in rows}


def a_card(*rates: Rate, version: int) -> RateCardUpdate:
    return RateCardUpdate(rate_card_id="rcd_1", version=version, rates=rates)


def a_product(
    aggregation: Aggregation, *, conversion: Conversion | None = None, dimensions: tuple[Dimension, ...] = ()
) -> ProductUpdate:
    return ProductUpdate(
        version=1,
        name="Tokens",
        billable_metric_id="met_1",
        product=UsageProduct(
            product_id=TOKENS,
            metric=Metric(
                event_type="ai_call",
                aggregation=aggregation,
                property=None if aggregation is Aggregation.COUNT else "tokens",
                filters=(PropertyFilter(property="region", values=("test",), is_negated=True),),
                group_keys=("user_id", "team"),
            ),
            conversion=conversion,
            dimensions=dimensions,
        ),
    )


@pytest.mark.parametrize("aggregation", list(Aggregation))
@pytest.mark.parametrize("rounding", [None, *Rounding])
async def test_a_product_is_read_as_it_was_stored(
    books: Books, connection: Connection, aggregation: Aggregation, rounding: Rounding | None
) -> None:
    update = a_product(
        aggregation,
        conversion=Conversion(Ratio(1, INT64_MAX), rounding),
        dimensions=(
            Dimension(key="model", property="ai_model", bands=()),
            Dimension(
                key="context",
                property="prompt_tokens",
                bands=(Band("short", Quantity(INT64_MAX)), Band("long", None)),
            ),
        ),
    )

    await books.copies.apply_product(update)

    assert (await _products(connection))[TOKENS] == update.product


async def test_a_newer_product_replaces_all_that_was_stored(books: Books, connection: Connection) -> None:
    dimension = Dimension(key="model", property="ai_model", bands=())
    await books.copies.apply_product(
        a_product(Aggregation.MAX, conversion=Conversion(Ratio(1, 2), None), dimensions=(dimension,))
    )
    plain = a_product(Aggregation.COUNT)

    assert await books.copies.apply_product(replace(plain, version=2)) == 2

    assert await _products(connection) == {ASSISTANT: A_PRODUCT.product, TOKENS: plain.product}


async def test_rates_are_read_as_they_were_stored(books: Books, connection: Connection) -> None:
    rates = (
        A_RATE,
        replace(
            A_RATE,
            rate_id="rat_2",
            price=PackagePrice(Ratio(7, 100)),
            dimension_values={"model": "large", "context": "long"},
            end_time=JULY,
        ),
        replace(
            A_RATE,
            rate_id="rat_3",
            price=GraduatedPrice((Tier(Quantity(INT64_MAX), Ratio(0, 1)), Tier(None, Ratio(1, INT64_MAX)))),
            corrects_rate_id="rat_1",
            create_time=JULY,
        ),
        replace(A_RATE, rate_id="rat_4", is_withdrawn=True),
    )

    await books.copies.apply_rate_card(a_card(*rates, version=2))

    assert await _rates(connection) == {rate.rate_id: rate for rate in rates}


async def test_a_rate_that_a_newer_card_has_no_more_stays_as_withdrawn(
    books: Books, connection: Connection
) -> None:
    second = replace(A_RATE, rate_id="rat_2", effective_time=JULY)
    dearer = replace(A_RATE, price=FlatPrice(Ratio(13, 1)), end_time=JULY)

    await books.copies.apply_rate_card(a_card(A_RATE, second, version=2))
    await books.copies.apply_rate_card(a_card(dearer, version=3))
    assert await _rates(connection) == {"rat_1": dearer, "rat_2": replace(second, is_withdrawn=True)}

    await books.copies.apply_rate_card(a_card(version=4))
    assert {rate.is_withdrawn for rate in (await _rates(connection)).values()} == {True}

    await books.copies.apply_rate_card(a_card(second, version=5))
    assert await _rates(connection) == {"rat_1": replace(dearer, is_withdrawn=True), "rat_2": second}


async def test_the_rates_of_other_cards_stay_as_they_are(books: Books, connection: Connection) -> None:
    other = RateCardUpdate(rate_card_id="rcd_2", version=1, rates=(replace(A_RATE, end_time=JULY),))

    await books.copies.apply_rate_card(other)
    await books.copies.apply_rate_card(replace(other, version=2, rates=()))

    assert await _rates(connection) == {"rat_1": A_RATE}


async def test_rates_of_one_product_may_begin_at_one_instant(books: Books, connection: Connection) -> None:
    rates = [replace(A_RATE, rate_id=f"rat_{n}", dimension_values={"model": str(n)}) for n in (1, 2, 3)]

    await books.copies.apply_rate_card(a_card(*rates, version=2))

    assert await _rates(connection) == {rate.rate_id: rate for rate in rates}


# What the revision before writes, while it serves beside this one.
ITS_PRODUCT = (
    "INSERT INTO ledger.products (product_id, version, name, billable_metric_id, event_type, aggregation,"
    " sum_property, filters, group_keys) VALUES ($1, 2, 'n', 'met_1', 'ai_call', 'SUM', 'units', '[]', '{user_id}')"
    " ON CONFLICT (product_id) DO UPDATE SET version = 2, name = 'n', billable_metric_id = 'met_1',"
    " event_type = 'ai_call', aggregation = 'SUM', sum_property = 'units', filters = '[]', group_keys = '{user_id}'"
    " WHERE products.version < 2"
)
ITS_RATE = (
    "INSERT INTO ledger.rates (rate_card_id, product_id, effective_time, end_time, rate_id,"
    " credit_type_id, price_micros, per_micros) VALUES ('rcd_1', $1, $2, NULL, $3, 'crt_ai', 12, 1)"
)


async def test_the_revision_before_may_serve_beside_this_one(
    books: Books, connection: Connection, databases: Databases
) -> None:
    await books.copies.apply_rate_card(
        a_card(A_RATE, replace(A_RATE, rate_id="rat_2", dimension_values={"model": "large"}), version=2)
    )
    async with Sql.connected(databases.url("ledger")) as before:
        for product_id in (ASSISTANT, TOKENS):
            await before.execute(ITS_PRODUCT, product_id)
        await before.execute("DELETE FROM ledger.rates WHERE rate_card_id = 'rcd_1'")
        await before.execute(ITS_RATE, ASSISTANT, JUNE, "rat_1")
        await before.execute(ITS_RATE, ASSISTANT, JULY, "rat_3")

    for product in (await _products(connection)).values():
        assert (product.metric.aggregation, product.metric.property) == (Aggregation.SUM, "units")
        assert (product.conversion, product.dimensions) == (None, ())
    stored = await _rates(connection)
    plain = replace(A_RATE, price=FlatPrice(Ratio(12, 1)))
    assert stored == {"rat_1": plain, "rat_3": replace(plain, rate_id="rat_3", effective_time=JULY)}


async def test_a_graduated_price_has_the_ratio_of_its_first_tier_for_the_revision_before(
    books: Books, sql: Sql
) -> None:
    tiers = (Tier(Quantity(5), Ratio(3, 4)), Tier(None, Ratio(1, 4)))
    await books.copies.apply_rate_card(a_card(replace(A_RATE, price=GraduatedPrice(tiers)), version=2))

    assert await sql.rows("SELECT price_micros, per_micros FROM ledger.rates") == [
        {"price_micros": 3, "per_micros": 4}
    ]


async def test_a_sum_that_the_revision_before_changes_is_read_as_changed(
    books: Books, connection: Connection, databases: Databases
) -> None:
    await books.copies.apply_product(a_product(Aggregation.SUM))

    async with Sql.connected(databases.url("ledger")) as before:
        await before.execute(ITS_PRODUCT, TOKENS)

    assert (await _products(connection))[TOKENS].metric.property == "units"


async def test_the_gate_prices_with_the_latest_correction_that_is_not_withdrawn(books: Books) -> None:
    async def price_of(*rates: Rate, version: int) -> Price | None:
        await books.copies.apply_rate_card(a_card(*rates, version=version))
        pair = (await books.store.run(lambda tx: tx.standings.customer_id("cus_acme")), ASSISTANT)
        read, _ = await books.store.run(lambda tx: tx.standings.price_books([pair], CatalogCopies()))
        entitlement = read[pair].entitlement_at(JUNE, {})
        return None if entitlement is None else entitlement.price.pricing.price

    first = replace(A_RATE, price=FlatPrice(Ratio(1, 1)))
    second, third = (
        replace(
            A_RATE,
            rate_id=f"rat_{n}",
            price=FlatPrice(Ratio(n, 1)),
            corrects_rate_id="rat_1",
            create_time=JUNE + n * timedelta(seconds=1),
        )
        for n in (2, 3)
    )
    tiers = replace(third, price=GraduatedPrice((Tier(None, Ratio(9, 1)),)))
    large = replace(A_RATE, dimension_values={"model": "large"})

    assert await price_of(first, version=2) == FlatPrice(Ratio(1, 1))
    assert await price_of(first, second, third, version=3) == FlatPrice(Ratio(3, 1))
    assert await price_of(first, second, replace(third, is_withdrawn=True), version=4) == FlatPrice(
        Ratio(2, 1)
    )
    assert await price_of(first, version=5) == FlatPrice(Ratio(1, 1))
    assert await price_of(first, second, tiers, version=6) == tiers.price
    assert await price_of(large, version=7) is None
    assert await price_of(replace(first, is_withdrawn=True), version=8) is None
