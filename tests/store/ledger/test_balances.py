# SPDX-License-Identifier: Apache-2.0
"""A balance is told without a lock and without a write where nothing is due, and is the same as under locks."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from meshkit.clock import ManualClock
from meshkit.quantity import Credits
from services.ledger.domain.copies import CustomerUpdate, WatchUpdate
from services.ledger.domain.credits.balance import Balances, balance_of
from services.ledger.domain.credits.grant import CreditTypeId
from services.ledger.domain.crossings.watch import Watch, WatchKind
from services.ledger.domain.errors import CustomerNotFound
from services.ledger.operations.credits.reports import Reports
from services.ledger.operations.credits.settlement import open_account
from services.ledger.store import Transaction
from tests.support.ledger_sql import Sql
from tests.support.ledger_store import ACME, AI, GLOBEX, JULY, JUNE, Books

IMAGES, NONE = CreditTypeId("crt_images"), CreditTypeId("crt_none")
MINUTE, HOUR, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(weeks=1)
TICK = timedelta(microseconds=1)


async def _has_just_begun(books: Books) -> None:
    """400 credits for one product only."""


async def _is_held_and_spent(books: Books) -> None:
    await books.debit(100)
    await books.authorize(70)


async def _holds_on_a_grant_that_has_expired(books: Books) -> None:
    books.clock.advance_to(JULY - MINUTE)
    await books.authorize(70)
    books.clock.advance_to(JULY + MINUTE)
    await books.settlement.run_due(JULY + MINUTE)


async def _has_a_grant_that_is_spent(books: Books) -> None:
    await books.top_up(10)
    await books.debit(410)


async def _has_a_grant_that_begins_next_week(books: Books) -> None:
    await books.top_up(10, effective_time=JUNE + WEEK, expire_time=JULY + WEEK)


async def _has_used_what_nothing_covers(books: Books) -> None:
    held = await books.authorize(70)
    assert held.hold_id is not None
    books.clock.advance(HOUR)
    await books.debit(400)
    await books.capture(held.hold_id, 70)


async def _has_two_pools(books: Books) -> None:
    await books.top_up(10, credit_type_id=IMAGES, expire_time=JULY)
    await books.top_up(20, credit_type_id=IMAGES)


async def _has_a_pool_without_grants(books: Books) -> None:
    watch = Watch(
        alert_id="alr_1",
        version=1,
        kind=WatchKind.LOW_BALANCE,
        customer_id=ACME,
        credit_type_id=IMAGES,
        threshold=Credits.of(5),
        rearm=Credits.of(5),
        group_key="",
        group_value="",
    )
    await books.copies.watch_threshold(WatchUpdate(watch=watch, is_active=True))


SITUATIONS = (
    _has_just_begun,
    _is_held_and_spent,
    _holds_on_a_grant_that_has_expired,
    _has_a_grant_that_is_spent,
    _has_a_grant_that_begins_next_week,
    _has_used_what_nothing_covers,
    _has_two_pools,
    _has_a_pool_without_grants,
)


async def _told(books: Books, at: datetime, customer: str, credit_type_id: CreditTypeId | None) -> Balances:
    reports = Reports(store=books.store, clock=ManualClock(at), settlement=books.settlement)
    return await reports.balance(customer, credit_type_id)


async def _told_under_locks(
    books: Books, at: datetime, customer: str, credit_type_id: CreditTypeId | None
) -> Balances:
    pools = await books.store.snapshot(customer, credit_type_id)

    async def work(tx: Transaction) -> Balances:
        customer_id = await tx.standings.customer_id(customer)
        opened = [
            await open_account(tx, customer_id, pool.credit_type_id, at=at, ids=books.ids) for pool in pools
        ]
        return Balances(
            pools=tuple(balance_of(one.now, at=one.at) for one in opened),
            at=max([at, *(one.at for one in opened)]),
        )

    return await books.store.run(work)


async def _call(books: Books, customer: str, *, version: int = 2) -> None:
    """Call acme so, and no longer what it was called before."""
    await books.copies.apply_customer(
        CustomerUpdate(customer_id=ACME, version=version, aliases=(customer,), is_suspended=False)
    )


@pytest.mark.parametrize("skew", [timedelta(0), -HOUR], ids=["on time", "by a clock that is behind"])
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__.strip("_"))
async def test_a_balance_is_what_it_is_under_locks_and_writes_nothing(
    books: Books, sql: Sql, situation: Callable[[Books], Awaitable[None]], skew: timedelta
) -> None:
    await _call(books, "acme")
    await situation(books)
    at = books.clock.now() + skew
    before = await sql.everything()

    for customer in (ACME, "acme"):
        for credit_type_id in (None, AI, IMAGES, NONE):
            told = await _told(books, at, customer, credit_type_id)
            assert told == await _told_under_locks(books, at, customer, credit_type_id)

    assert await sql.everything() == before


async def test_a_clock_that_is_behind_is_told_the_time_that_is_settled(books: Books) -> None:
    behind = await _told(books, JUNE - TICK, ACME, AI)
    elsewhere = await _told(books, JUNE - TICK, ACME, NONE)

    assert (behind.at, behind.pools[0].available) == (JUNE, Credits.of(400))
    assert (elsewhere.at, elsewhere.pools) == (JUNE - TICK, ())


async def test_who_has_no_pools_has_an_empty_balance_and_who_is_not_known_has_none(books: Books) -> None:
    await _call(books, "acme")
    await _call(books, "acme_2", version=3)
    globex = CustomerUpdate(customer_id=GLOBEX, version=1, aliases=("globex",), is_suspended=False)
    await books.copies.apply_customer(globex)

    assert await books.reports.balance("globex", None) == Balances(pools=(), at=JUNE)
    assert (await books.reports.balance("acme_2", AI)).pools != ()
    for unknown in ("acme", "cus_nobody", ""):
        with pytest.raises(CustomerNotFound):
            await books.reports.balance(unknown, None)


async def test_a_balance_does_not_wait_for_who_has_locked_the_pool(books: Books, sql: Sql) -> None:
    before = await books.reports.balance(ACME, None)

    async with sql.transaction(keeps=True):
        await sql.lock("pools")
        await sql.execute("UPDATE ledger.grants SET captured_micros = 1")
        meanwhile = await books.reports.balance(ACME, None)
    after = await books.reports.balance(ACME, None)

    assert meanwhile == before
    assert after.pools[0].available == before.pools[0].available - Credits(1)


async def test_a_balance_in_which_something_is_due_waits_and_is_settled(books: Books, sql: Sql) -> None:
    books.clock.advance_to(JULY)

    async with sql.transaction():
        await sql.lock("pools")
        waiting = asyncio.create_task(books.reports.balance(ACME, None))
        await sql.until_somebody_waits()
        assert not waiting.done()
    (pool,) = (await waiting).pools

    assert [grant.effective_time for grant in pool.grants] == [JULY]


async def test_what_is_due_is_written_at_its_instant_and_not_before(books: Books, sql: Sql) -> None:
    await books.debit(100)
    in_june = await sql.everything()

    before = await _told(books, JULY - TICK, ACME, None)
    untouched = await sql.everything()
    then = await _told(books, JULY, ACME, None)

    assert untouched == in_june
    assert (before.pools[0].available, before.at) == (Credits.of(300), JULY - TICK)
    assert (then.pools[0].available, then.at) == (Credits.of(400), JULY)
    kinds = [row["kind"] for row in await sql.rows("SELECT kind FROM ledger.entries ORDER BY sequence")]
    assert kinds == ["GRANT", "CAPTURE", "EXPIRY", "GRANT"]
    assert then == await _told_under_locks(books, JULY, ACME, None)


async def test_what_is_due_in_one_pool_is_let_be_when_another_is_asked_for(books: Books, sql: Sql) -> None:
    await books.top_up(10, credit_type_id=IMAGES)
    books.clock.advance_to(JULY)
    before = await sql.everything()

    images = await books.reports.balance(ACME, IMAGES)
    untouched = await sql.everything()
    both = await books.reports.balance(ACME, None)

    assert untouched == before
    assert [pool.available for pool in images.pools] == [Credits.of(10)]
    assert [pool.available for pool in both.pools] == [Credits.of(400), Credits.of(10)]
    assert await sql.everything() != before
