# SPDX-License-Identifier: Apache-2.0
"""A denial from memory is given only if one statement confirms it; what else is in its batch is decided in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from meshkit.errors import RequestIdReused
from meshkit.quantity import Credits, Quantity, Ratio
from services.ledger.domain.copies import CustomerUpdate
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.unit_of_work import GuessedDenial
from services.ledger.domain.gate.commands import Debit
from services.ledger.domain.gate.decision import DenialReason
from services.ledger.domain.rating.price import FlatPrice
from services.ledger.domain.retention import GENERATION
from services.ledger.store.connection import open_pool
from services.ledger.store.credits.denials import holding
from tests.support.ledger_sql import Sql
from tests.support.ledger_store import A_CARD, ACME, AI, ASSISTANT, GLOBEX, Books, ask, open_books
from tests.support.postgres import Databases

INITECH = CustomerId("cus_initech")
TOO_FEW = DenialReason.INSUFFICIENT_CREDITS

# 40 units cost acme's 400 credits, instead of 480.
_A_CHEAPER_CARD = replace(
    A_CARD,
    version=2,
    rates=(replace(A_CARD.rates[0], rate_id="rat_2", price=FlatPrice(Ratio(10_000_000, 1_000_000))),),
)
_UNTIL_GLOBEX_IS_WRITTEN = """
    CREATE FUNCTION ledger.until_globex_is_written() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE before bigint := (SELECT version FROM ledger.pools WHERE customer_id = 'cus_globex');
    BEGIN
        FOR attempt IN 1..6000 LOOP
            EXIT WHEN before < (SELECT version FROM ledger.pools WHERE customer_id = 'cus_globex');
            PERFORM pg_sleep(0.01);
        END LOOP;
        RETURN NEW;
    END $$;
    CREATE TRIGGER until_globex_is_written BEFORE UPDATE ON ledger.pools FOR EACH ROW
        WHEN (NEW.customer_id = 'cus_initech') EXECUTE FUNCTION ledger.until_globex_is_written();
"""
_IS_WAITING_FOR_GLOBEX = """
    SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'
"""


def _debit(request_id: str, credits: int, *, customer: str = ACME, body: bytes = b"") -> Debit:
    return Debit(
        request_id=request_id,
        fingerprint=body,
        customer=customer,
        product_id=ASSISTANT,
        amount=Credits.of(credits),
        group_values={},
    )


def _known_as(customer_id: CustomerId, version: int, *aliases: str) -> CustomerUpdate:
    return CustomerUpdate(customer_id=customer_id, version=version, aliases=aliases, is_suspended=False)


def _steps(step: str) -> float:
    return REGISTRY.get_sample_value("ledger_step_seconds_count", {"step": step}) or 0.0


@asynccontextmanager
async def _writes_to_initech_wait_for_globex(sql: Sql) -> AsyncIterator[None]:
    """End each write to initech's pool after one to globex's that has not ended yet."""
    await sql.execute(_UNTIL_GLOBEX_IS_WRITTEN)
    try:
        yield
    finally:
        await sql.execute("DROP FUNCTION ledger.until_globex_is_written CASCADE")


async def _together(books: Books, *commands: Debit) -> list[Any]:
    """Ask each by a call of its own, all of them before the first is looked at."""
    return await asyncio.gather(*(ask(books.gate, command) for command in commands), return_exceptions=True)


async def _denial(sql: Sql, request_id: str = "req-1") -> GuessedDenial:
    """Return a denial on acme's pool as it is stored."""
    version = await sql.value("SELECT version FROM ledger.pools WHERE customer_id = 'cus_acme'")
    return GuessedDenial((ACME, AI), version, request_id)


async def test_denials_are_confirmed_together_and_wait_for_no_lock_of_their_pool(
    books: Books, sql: Sql
) -> None:
    await books.debit(500)
    confirmed, read = _steps("confirm"), _steps("read")

    async with sql.transaction():
        await sql.execute("SELECT FROM ledger.pools FOR UPDATE")
        answers = await _together(books, *(_debit(f"too-much-{n}", 500) for n in range(3)))

    assert [answer.reason for answer in answers] == [TOO_FEW] * 3
    assert _steps("confirm") == confirmed + 1
    assert _steps("read") == read


async def test_what_comes_after_a_denial_in_one_batch_is_decided_after_it(books: Books) -> None:
    await books.debit(1)

    answers = await _together(
        books, _debit("a", 400), _debit("b", 399), _debit("c", 399), _debit("d", 0), _debit("e", 1)
    )

    assert [answer.reason for answer in answers] == [TOO_FEW, None, TOO_FEW, None, TOO_FEW]
    assert [answer.available for answer in answers] == list(map(Credits.of, [399, 0, 0, 0, 0]))


async def test_a_call_of_several_requests_is_carried_out_in_its_order_although_one_is_denied(
    books: Books,
) -> None:
    await books.sign(GLOBEX)
    for customer_id in (ACME, GLOBEX):
        await books.debit(1, customer_id=customer_id)

    answers = await books.gate.call_all(
        [_debit("a", 1, customer=GLOBEX), _debit("b", 400), _debit("c", 2, customer=GLOBEX), _debit("d", 3)]
    )

    assert [answer.reason for answer in answers] == [None, TOO_FEW, None, None]  # type: ignore[union-attr]
    assert (await books.read(GLOBEX)).available(books.clock.now()) == Credits.of(396)


async def test_the_order_of_a_call_is_kept_when_its_denial_does_not_hold(
    databases: Databases, books: Books
) -> None:
    await books.sign(GLOBEX)
    await books.copies.apply_customer(_known_as(ACME, 2, "team"))
    await ask(books.gate, _debit("seen", 1, customer="team"))
    async with open_books(databases, clock=books.clock) as other:
        await other.copies.apply_customer(_known_as(ACME, 3))
        await other.copies.apply_customer(_known_as(GLOBEX, 2, "team"))
    await books.debit(0, customer_id=GLOBEX)

    answers = await books.gate.call_all([_debit("a", 400, customer="team"), _debit("b", 1, customer=GLOBEX)])

    # Memory takes the team for acme, who has 399.
    assert [answer.reason for answer in answers] == [None, TOO_FEW]  # type: ignore[union-attr]


async def test_new_prices_that_are_read_beside_the_lane_confirm_no_denial_at_the_old_ones(
    databases: Databases, books: Books, sql: Sql
) -> None:
    for customer_id in (GLOBEX, INITECH):
        await books.sign(customer_id)
    for customer_id in (ACME, GLOBEX, INITECH):
        await books.debit(0, customer_id=customer_id)
    async with open_books(databases, clock=books.clock) as other, _writes_to_initech_wait_for_globex(sql):
        async with sql.transaction():
            await sql.lock("pools", but=INITECH)
            beside = asyncio.create_task(books.debit(0, customer_id=GLOBEX))
            await sql.until_waiting(1)
            units = replace(_debit("40-units", 0), amount=Quantity.of(40))
            both = asyncio.create_task(books.gate.call_all([_debit("b", 0, customer=INITECH), units]))
            await sql.until(_IS_WAITING_FOR_GLOBEX)
            await other.copies.apply_rate_card(_A_CHEAPER_CARD)
        answers = [await beside, *await both]

    assert [answer.reason for answer in answers] == [None, None, None]  # type: ignore[union-attr]


async def test_credits_that_a_repeated_request_seems_to_take_again_are_denied_to_nobody(books: Books) -> None:
    await ask(books.gate, _debit("once", 100))
    await books.debit(0)

    _, asked = await _together(books, _debit("once", 100), _debit("all-the-rest", 300))

    assert asked.reason is None


@pytest.mark.parametrize("generations", [0, 1])
async def test_a_request_that_was_allowed_gets_its_response_once_the_credits_are_spent(
    books: Books, generations: int
) -> None:
    allowed = await ask(books.gate, _debit("first", 300))
    books.clock.advance(generations * GENERATION)
    while (answer := await books.debit(300)).reason is None:
        pass
    assert answer.reason is TOO_FEW

    again, other = await _together(books, _debit("first", 300), _debit("first", 300, body=b"another"))

    assert again == allowed
    assert isinstance(other, RequestIdReused)


async def test_a_denial_holds_at_the_version_and_prices_on_which_it_was_decided_and_at_no_other(
    books: Books, sql: Sql
) -> None:
    await books.debit(500)
    epoch = await sql.value("SELECT version FROM ledger.epochs")
    stands = await _denial(sql)
    moved = [replace(stands, version=stands.version + step) for step in (-1, 1)]

    assert await books.store.confirm_denials([*moved, stands], epoch=epoch) == {stands}
    for other in (epoch - 1, epoch + 1):
        assert await books.store.confirm_denials([stands], epoch=other) == set()
    await books.copies.apply_rate_card(replace(A_CARD, version=2))
    assert await books.store.confirm_denials([stands], epoch=epoch) == set()


async def test_of_several_denials_those_hold_whose_pools_stand_and_whose_requests_no_response(
    books: Books, sql: Sql
) -> None:
    await books.sign(GLOBEX)
    await books.debit(1, customer_id=GLOBEX)
    stale = GuessedDenial((GLOBEX, AI), 1, "req-1")
    await ask(books.gate, _debit("answered", 1))
    stands, answered = await _denial(sql), await _denial(sql, "answered")
    epoch = await sql.value("SELECT version FROM ledger.epochs")

    assert await books.store.confirm_denials([answered, stale, stands], epoch=epoch) == {stands}


async def test_what_a_session_reads_that_cannot_write_confirms_no_denial(
    databases: Databases, books: Books, sql: Sql
) -> None:
    await books.debit(500)
    denial, epoch = await _denial(sql), await sql.value("SELECT version FROM ledger.epochs")
    pool = await open_pool(databases.url("ledger"), size=1)
    try:
        async with pool.acquire() as connection:
            assert await holding(connection, [denial], epoch=epoch) == {denial}
            await connection.execute("SET default_transaction_read_only = on")
            assert await holding(connection, [denial], epoch=epoch) == set()
    finally:
        pool.terminate()
