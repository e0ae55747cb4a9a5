# SPDX-License-Identifier: Apache-2.0
"""The schema's own checks, the locks that writers rely on, and what the sweeper may forget."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.clock import ManualClock
from meshkit.ids import Ids
from services.catalog.domain.commands import CreateCreditType
from services.catalog.domain.credit_type import USD, CreditType, CreditTypeId
from services.catalog.domain.notices import RateCardChanged
from services.catalog.domain.product import Product, ProductId, ProductType
from services.catalog.domain.rate_card import RateCard, RateCardId
from services.catalog.store import PostgresStore, Transaction
from services.catalog.sweeper import forget_old
from tests.support.catalog import JULY, JUNE
from tests.support.postgres import Databases

PRODUCT = Product(
    product_id=ProductId("prd_1"),
    name="x",
    product_type=ProductType.FIXED,
    billable_metric_id=None,
    version=1,
    create_time=JUNE,
)
CARD = RateCard(
    rate_card_id=RateCardId("rcd_1"),
    name="x",
    fiat_credit_type_id=USD,
    conversions=(),
    version=1,
    create_time=JUNE,
)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO credit_types VALUES ('crt_1', '', now())",
        "INSERT INTO credit_types VALUES ('crt_1', repeat('x', 201), now())",
        "INSERT INTO credit_types VALUES ('crt_1', 'USD', now())",
        "INSERT INTO billable_metrics VALUES ('met_1', 'x', '', 'COUNT', NULL, '[]', '{}', now())",
        "INSERT INTO billable_metrics VALUES ('met_1', 'x', 'e', 'AVERAGE', NULL, '[]', '{}', now())",
        "INSERT INTO billable_metrics VALUES ('met_1', 'x', 'e', 'MAX', NULL, '[]', '{}', now())",
        "INSERT INTO billable_metrics VALUES ('met_1', 'x', 'e', 'UNIQUE', NULL, '[]', '{}', now(), NULL, '')",
        "INSERT INTO billable_metrics VALUES ('met_1', 'x', 'e', 'COUNT', NULL, '[]', '{}', now(), NULL, 'p')",
        "INSERT INTO billable_metrics VALUES ('met_1', 'x', 'e', 'SUM', NULL, '[]', '{}', now())",
        "INSERT INTO billable_metrics VALUES ('met_1', 'x', 'e', 'COUNT', 'p', '[]', '{}', now())",
        "INSERT INTO billable_metrics VALUES ('met_1', 'x', 'e', 'COUNT', NULL, '[]', '{a,b,c,d,e,f}', now())",
        "INSERT INTO products VALUES ('prd_2', 'x', 'GIFT', NULL, 1, now())",
        "INSERT INTO products VALUES ('prd_2', 'x', 'USAGE', NULL, 1, now())",
        "INSERT INTO products VALUES ('prd_2', 'x', 'USAGE', 'met_unknown', 1, now())",
        "INSERT INTO products VALUES ('prd_2', 'x', 'FIXED', NULL, 0, now())",
        "INSERT INTO products VALUES ('prd_2', 'x', 'FIXED', NULL, 1, now(), NULL, '{}')",
        "INSERT INTO products VALUES ('prd_2', 'x', 'FIXED', NULL, 1, now(), NULL, NULL, '[{}]')",
        "INSERT INTO rate_cards VALUES ('rcd_2', 'x', 'crt_ai', 1, now())",
        "INSERT INTO credit_conversions VALUES ('rcd_1', 'USD', 1)",
        "INSERT INTO credit_conversions VALUES ('rcd_1', 'crt_ai', 0)",
        "INSERT INTO rates VALUES ('rat_1', 'rcd_1', 'prd_1', 'DAILY', 'USD', 1, 1, now())",
        "INSERT INTO rates VALUES ('rat_1', 'rcd_1', 'prd_1', 'NONE', 'USD', -1, 1, now())",
        "INSERT INTO rates VALUES ('rat_1', 'rcd_1', 'prd_1', 'NONE', 'USD', 1, 0, now())",
        "INSERT INTO rates VALUES ('rat_1', 'rcd_1', 'prd_1', 'NONE', 'USD', 1, 1, now(), now())",
        "INSERT INTO rates VALUES ('rat_1', 'rcd_1', 'prd_1', 'MONTHLY', 'crt_ai', 1, 1, now())",
        *(
            f"INSERT INTO rates VALUES ('rat_1', 'rcd_1', 'prd_1', {values})"
            for values in (
                "'NONE', 'USD', 1, 1, now(), NULL, 'TIERED'",
                "'NONE', 'USD', NULL, NULL, now(), NULL, 'FLAT'",
                "'NONE', 'USD', NULL, 1, now(), NULL, 'GRADUATED', '[{}]'",
                "'NONE', 'USD', NULL, NULL, now(), NULL, 'GRADUATED'",
                "'NONE', 'USD', 1, 1, now(), NULL, 'PACKAGE', '[{}]'",
                "'MONTHLY', 'USD', 1, 1, now(), NULL, 'PACKAGE'",
                "'NONE', 'USD', NULL, NULL, now(), NULL, 'VOLUME', '[{}]'",
                "'MONTHLY', 'USD', NULL, NULL, now(), NULL, 'VOLUME'",
                "'MONTHLY', 'USD', 1, 1, now(), NULL, 'VOLUME', '[{}]'",
                """'MONTHLY', 'USD', 1, 1, now(), NULL, 'FLAT', '[]', '{"model": "large"}'""",
                "'NONE', 'USD', 1, 1, now(), NULL, 'FLAT', '[]', '[]'",
                "'NONE', 'USD', 1, 1, now(), NULL, 'FLAT', '[]', '{}', now(), NULL, 'rat_1'",
                "'NONE', 'USD', 1, 1, now(), NULL, 'FLAT', '[]', '{}', now(), NULL, 'rat_unknown'",
                "'NONE', 'USD', 1, 1, now(), NULL, 'FLAT', '[]', '{}', now(), NULL, NULL, 'rat_unknown'",
            )
        ),
        "INSERT INTO top_up_packs VALUES ('pck_1', 'x', 'prd_1', 'USD', 1, 'USD', 1, 1, NULL, now())",
        "INSERT INTO top_up_packs VALUES ('pck_1', 'x', 'prd_1', 'crt_ai', 0, 'USD', 1, 1, NULL, now())",
        "INSERT INTO top_up_packs VALUES ('pck_1', 'x', 'prd_1', 'crt_ai', 1, 'eur', 1, 1, NULL, now())",
        "INSERT INTO top_up_packs VALUES ('pck_1', 'x', 'prd_1', 'crt_ai', 1, 'USD', -1, 1, NULL, now())",
        "INSERT INTO top_up_packs VALUES ('pck_1', 'x', 'prd_1', 'crt_ai', 1, 'USD', 1, 0, NULL, now())",
        "INSERT INTO top_up_packs VALUES ('pck_1', 'x', 'prd_1', 'crt_ai', 1, 'USD', 1, 1001, NULL, now())",
        "INSERT INTO top_up_packs VALUES ('pck_1', 'x', 'prd_1', 'crt_ai', 1, 'USD', 1, 1, '0', now())",
        "INSERT INTO outbox VALUES ('k', 'n', 'SOMETHING_ELSE', '{}', now(), 0, NULL, now())",
    ],
)
async def test_the_schema_repeats_the_domain(
    store: PostgresStore, engine: AsyncEngine, statement: str
) -> None:
    async with store.transaction() as tx:
        await tx.credit_types.insert(
            CreditType(credit_type_id=CreditTypeId("crt_ai"), name="AI credits", create_time=JUNE)
        )
        await tx.products.insert(PRODUCT)
        await tx.rate_cards.insert(CARD)

    async with engine.connect() as connection:
        await connection.execute(text("SET search_path TO catalog"))
        with pytest.raises(IntegrityError):
            await connection.execute(text(statement))


async def test_migrating_again_changes_nothing(databases: Databases, store: PostgresStore) -> None:
    async with store.transaction() as tx:
        await tx.products.insert(PRODUCT)

    await databases.migrate("catalog")

    async with store.transaction() as tx:
        assert await tx.products.get(PRODUCT.product_id) == PRODUCT


async def test_a_locked_card_keeps_other_writers_out(store: PostgresStore, engine: AsyncEngine) -> None:
    async with store.transaction() as tx:
        await tx.rate_cards.insert(CARD)

    async with store.transaction() as tx:
        await tx.rate_cards.get(CARD.rate_card_id, locked=True)

        with pytest.raises(DBAPIError, match="lock timeout"):
            async with _impatient(engine) as other:
                await other.rate_cards.get(CARD.rate_card_id, locked=True)
        async with store.transaction() as reader:
            assert await reader.rate_cards.get(CARD.rate_card_id) == CARD


async def test_a_shared_product_is_not_archived_meanwhile(store: PostgresStore, engine: AsyncEngine) -> None:
    async with store.transaction() as tx:
        await tx.products.insert(PRODUCT)

    async with store.transaction() as tx:
        await tx.products.share({PRODUCT.product_id})

        with pytest.raises(DBAPIError, match="lock timeout"):
            async with _impatient(engine) as other:
                await other.products.archive(PRODUCT.product_id, at=JULY)
        async with store.transaction() as another:
            assert await another.products.share({PRODUCT.product_id}) == {PRODUCT.product_id: PRODUCT}


async def test_the_sweeper_forgets_what_is_old_and_nothing_else(
    store: PostgresStore, engine: AsyncEngine, wall: ManualClock
) -> None:
    command = CreateCreditType(request_id="r1", fingerprint=b"body", name="AI credits")
    credit_type = CreditType(credit_type_id=CreditTypeId("crt_1"), name="AI credits", create_time=JUNE)
    async with store.transaction() as tx:
        assert await tx.responses.claim(command, CreditType) is None
        for key in ("heard", "pending"):
            await tx.outbox.enqueue(
                RateCardChanged(rate_card_id=CARD.rate_card_id, version=1, rates=()), key=key
            )
        await tx.responses.store(command, credit_type)
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE catalog.outbox SET sent_time = :at WHERE key = 'heard'"), {"at": wall.now()}
        )

    wall.advance(timedelta(days=1))
    assert await forget_old(store, wall) == 0
    wall.advance(timedelta(microseconds=1))
    assert await forget_old(store, wall) == 1  # the notice that was heard
    wall.advance(timedelta(days=34) - timedelta(microseconds=1))
    assert await forget_old(store, wall) == 0
    async with store.transaction() as tx:
        assert await tx.responses.claim(command, CreditType) == credit_type
    wall.advance(timedelta(microseconds=1))
    assert await forget_old(store, wall) == 1  # the request
    async with engine.begin() as connection:
        left = await connection.execute(text("SELECT key FROM catalog.outbox"))
        assert left.scalars().all() == ["pending"]


@asynccontextmanager
async def _impatient(engine: AsyncEngine) -> AsyncIterator[Transaction]:
    """A transaction that gives up waiting for a lock after 50 ms."""
    clock = ManualClock(JUNE)
    async with engine.begin() as connection:
        await connection.execute(text("SET LOCAL lock_timeout = 50"))
        yield Transaction(connection, wall=clock, ids=Ids(clock))
