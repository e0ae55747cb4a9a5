# SPDX-License-Identifier: Apache-2.0
"""The revision that gives rates tiers, dimensions and corrections keeps the rates and products that are there."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from meshkit.quantity import Ratio
from services.ledger.domain.rating.metric import Aggregation, Metric, PropertyFilter
from services.ledger.domain.rating.price import FlatPrice
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.rating.rate import Rate
from services.ledger.store.connection import open_pool
from services.ledger.store.rates import (
    RATE_COLUMNS,
    USAGE_PRODUCT_COLUMNS,
    rate_from_row,
    usage_product_from_row,
)
from tests.support.ledger_sql import Sql
from tests.support.ledger_store import AI, ASSISTANT
from tests.support.postgres import Databases

BEFORE, AFTER = "0007", "0008"
NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)
MARCH = datetime(2025, 3, 1, tzinfo=UTC)

ROWS = (
    """
    INSERT INTO ledger.products (product_id, version, name, billable_metric_id, event_type, aggregation, sum_property,
        filters, group_keys)
    VALUES ('prd_assistant', 1, 'Assistant', 'met_1', 'ai_call', 'SUM', 'units',
        '[{"property": "model", "values": ["large"], "is_negated": false}]', '{user_id}')
    """,
    "INSERT INTO ledger.rate_cards VALUES ('rcd_1', 1)",
    """
    INSERT INTO ledger.rates (rate_card_id, product_id, effective_time, end_time, rate_id, credit_type_id,
        price_micros, per_micros)
    VALUES ('rcd_1', 'prd_assistant', '2025-01-01 00:00Z', '2025-03-01 00:00Z', 'rat_1', 'crt_ai', 12, 1),
        ('rcd_1', 'prd_assistant', '2025-03-01 00:00Z', NULL, 'rat_2', 'crt_ai', 13, 2)
    """,
)


@pytest.fixture
async def before(databases: Databases) -> AsyncIterator[Sql]:
    """A session of the schema's owner on the previous revision, with a product and two rates."""
    await databases.remake_schema("ledger")
    await databases.migrate("ledger", to=BEFORE)
    async with Sql.connected(databases.owner_url("ledger")) as sql:
        for statement in ROWS:
            await sql.execute(statement)
        yield sql


async def _stored(databases: Databases) -> tuple[list[UsageProduct], list[Rate]]:
    pool = await open_pool(databases.url("ledger"), size=1)
    products = await pool.fetch(f"SELECT {USAGE_PRODUCT_COLUMNS} FROM ledger.products")
    rates = await pool.fetch(f"SELECT {RATE_COLUMNS} FROM ledger.rates ORDER BY rate_id")
    pool.terminate()
    return [usage_product_from_row(row) for row in products], [rate_from_row(row) for row in rates]


PRODUCT = UsageProduct(
    product_id=ASSISTANT,
    metric=Metric(
        event_type="ai_call",
        aggregation=Aggregation.SUM,
        property="units",
        filters=(PropertyFilter(property="model", values=("large",), is_negated=False),),
        group_keys=("user_id",),
    ),
)
RATES = [
    Rate(
        rate_id=rate_id,
        product_id=ASSISTANT,
        credit_type_id=AI,
        price=FlatPrice(price),
        effective_time=start,
        end_time=end,
    )
    for rate_id, price, start, end in (
        ("rat_1", Ratio(12, 1), NEW_YEAR, MARCH),
        ("rat_2", Ratio(13, 2), MARCH, None),
    )
]


async def test_what_was_stored_before_is_read_as_flat_rates_without_dimensions(
    before: Sql, databases: Databases
) -> None:
    await databases.migrate("ledger", to=AFTER)

    assert await _stored(databases) == ([PRODUCT], RATES)


async def test_an_interrupted_migration_can_be_run_again(before: Sql, databases: Databases) -> None:
    keys = "SELECT conname, pg_get_constraintdef(oid) AS rule, convalidated FROM pg_constraint WHERE conrelid = ANY"
    tables = "(ARRAY['ledger.rates', 'ledger.products']::regclass[]) ORDER BY conname"
    await databases.migrate("ledger", to=AFTER)
    once = await before.rows(f"{keys} {tables}")

    await before.execute("UPDATE ledger.alembic_version SET version_num = '0007'")
    await databases.migrate("ledger", to=AFTER)

    assert await before.rows(f"{keys} {tables}") == once
    assert {row["convalidated"] for row in once} == {True}
    assert await _stored(databases) == ([PRODUCT], RATES)
