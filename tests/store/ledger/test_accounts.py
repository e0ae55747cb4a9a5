# SPDX-License-Identifier: Apache-2.0
"""Accounts are read as they were saved, under the pool's lock; a guess is written only if nothing has changed."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from meshkit.quantity import Credits, Ratio
from services.ledger.domain.copies import WatchUpdate
from services.ledger.domain.credits import recording
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import Grant, GrantId, GrantKind, ProductId
from services.ledger.domain.credits.unit_of_work import AccountSelection, Change, NewResponse, PoolKey
from services.ledger.domain.crossings import alarm
from services.ledger.domain.crossings.watch import Watch, WatchKind
from services.ledger.domain.gate import gate
from services.ledger.domain.gate.commands import SetSpendCap
from services.ledger.domain.gate.decision import Ask, Entitlement
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.spend_cap import SpendCap, SpendCapRemoval
from services.ledger.domain.gate.windows import CapWindow
from services.ledger.domain.rating.price import Conversion, FlatPrice, Pricing, Rounding
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey
from services.ledger.store import Transaction
from tests.support.ledger_sql import Sql
from tests.support.ledger_store import A_CARD, ACME, AI, ASSISTANT, GLOBEX, JULY, JUNE, Books, open_books
from tests.support.postgres import Databases

ANN = ("user_id", "ann")
ASK = Ask(
    product_id=ASSISTANT,
    entitlement=Entitlement(
        contract_id="con_1",
        anchor=JUNE,
        credit_type_id=AI,
        price=MeteredPrice(
            meter_key=MeterKey("rat_1", JUNE),
            product_id=ASSISTANT,
            rate_id="rat_1",
            pricing=Pricing(FlatPrice(Ratio(12, 1)), Conversion(Ratio(1, 3), Rounding.UP)),
        ),
        dimension_values={"model": "large"},
    ),
    amount=Credits.of(120),
    group_values={"user_id": "ann", "team": 'ré"d, {}\\'},
    counted_group_values={"user_id": "ann"},
)
A_TOP_UP = Grant(
    grant_id=GrantId("grt_top_up"),
    kind=GrantKind.TOP_UP,
    product_id=ProductId("prd_pack"),
    priority=100,
    effective_time=JUNE,
    expire_time=JULY + timedelta(microseconds=1),
    create_time=JUNE,
    granted=Credits.of(1_000),
    cost_basis_micros=80_000_000,
    scope_product_ids=frozenset({ASSISTANT, ProductId("prd_b")}),
    source_id="top_1",
)
RESPONSE = SpendCapRemoval("cap_1")


def _busy(account: Account) -> Account:
    """Return the account with a grant, a hold over two grants, a capture and what was spent and held."""
    account = recording.issue(account, A_TOP_UP, at=JUNE, cause_id="req-1")
    account, _ = gate.authorize(
        account,
        replace(ASK, amount=Credits.of(450)),
        hold_id=HoldId("hld_1"),
        expire_time=JUNE + timedelta(hours=1),
        allows_part=False,
        at=JUNE,
    )
    account, _ = gate.debit(account, ASK, cause_id="req-2", at=JUNE)
    return account


def _plain(account: Account) -> Account:
    """With dicts for mappings of any other kind."""
    return replace(
        account, grants=dict(account.grants), holds=dict(account.holds), spends=dict(account.spends)
    )


async def _save(books: Books, after: Account, before: Account) -> None:
    async def work(tx: Transaction) -> None:
        await tx.accounts.read(ACME, AI, at=JUNE)
        await tx.accounts.save(before, after, {})

    await books.store.run(work)


async def test_an_account_is_read_as_it_was_saved(books: Books) -> None:
    watch = Watch(
        alert_id="alr_1",
        version=1,
        kind=WatchKind.LOW_BALANCE,
        customer_id=ACME,
        credit_type_id=AI,
        threshold=Credits.of(2_000),
        rearm=Credits.of(2_000),
        group_key="",
        group_value="",
    )
    await books.copies.watch_threshold(WatchUpdate(watch=watch, is_active=True))
    await books.store.run(
        lambda tx: tx.caps.set(
            ACME,
            SpendCap(
                spend_cap_id="cap_1",
                credit_type_id=AI,
                group_key="user_id",
                group_value="",
                limit=Credits.of(900),
                window=CapWindow.DAY,
                create_time=JUNE,
            ),
        )
    )
    before = await books.read(group_values=(ANN,), prices=(ASK.entitlement.price,))
    after = alarm.observe_balance(_busy(before), at=JUNE)

    await _save(books, after, before)

    saved = after.as_saved(version=before.version + 1)
    assert _plain(await books.read(hold_id=HoldId("hld_1"), group_values=(ANN,))) == _plain(saved)
    assert saved.grants[A_TOP_UP.grant_id].held == Credits.of(50)
    assert saved.caps[0].limit == Credits.of(900)
    assert saved.watches == (watch,)
    assert saved.watch_states[("alr_1", "")].in_alarm


async def test_an_account_that_is_as_it_was_writes_nothing(books: Books, sql: Sql) -> None:
    account = await books.read()
    before = await sql.everything()

    await _save(books, account, account)

    assert await sql.everything() == before


async def test_a_pool_is_read_by_one_at_a_time_and_others_meanwhile(books: Books, sql: Sql) -> None:
    await books.sign(GLOBEX)
    is_read, may_go = asyncio.Event(), asyncio.Event()

    async def keep(tx: Transaction) -> None:
        await tx.accounts.read(ACME, AI, at=JUNE)
        is_read.set()
        await may_go.wait()

    keeping = asyncio.create_task(books.store.run(keep))
    await is_read.wait()
    waiting = asyncio.create_task(books.read(ACME))
    await sql.until_somebody_waits()

    assert (await books.read(GLOBEX)).customer_id == GLOBEX
    assert not waiting.done()
    may_go.set()
    await keeping
    assert (await waiting).customer_id == ACME


async def test_pools_are_locked_in_one_order_whatever_order_they_are_asked_in(books: Books) -> None:
    await books.sign(GLOBEX)
    keys: list[PoolKey] = [(ACME, AI), (GLOBEX, AI)]

    async def read(order: list[PoolKey]) -> int:
        selections = {key: AccountSelection() for key in order}
        return len(await books.store.run(lambda tx: tx.accounts.read_many(selections, at=JUNE)))

    orders = [keys if n % 2 else keys[::-1] for n in range(20)]

    assert await asyncio.gather(*map(read, orders)) == [2] * 20


async def test_a_guess_on_a_version_that_has_passed_writes_nothing(books: Books, sql: Sql) -> None:
    before = await books.read(group_values=(ANN,))
    after, _ = gate.debit(before, ASK, cause_id="req-1", at=JUNE)
    answer = NewResponse((ACME, AI), "req-1", b"", RESPONSE, JUNE, "gate")
    await books.debit(1)
    epoch = await sql.value("SELECT version FROM ledger.epochs")
    rows = await sql.everything()

    stale = await books.store.write_guess([Change(before, after)], [answer], epoch=epoch)

    assert stale == set()
    assert await sql.everything() == rows


async def test_a_guess_on_prices_that_have_passed_writes_nothing(books: Books, sql: Sql) -> None:
    before = await books.read(group_values=(ANN,))
    after, _ = gate.debit(before, ASK, cause_id="req-1", at=JUNE)
    epoch = await sql.value("SELECT version FROM ledger.epochs")
    await books.copies.apply_rate_card(replace(A_CARD, version=2))
    rows = await sql.everything()

    assert await books.store.write_guess([Change(before, after)], [], epoch=epoch) == set()
    assert await sql.everything() == rows


@pytest.mark.plain_postgres("on Citus, customers are written one after another")
async def test_a_guess_with_an_answered_request_writes_nothing_of_any_pool(books: Books, sql: Sql) -> None:
    await books.sign(GLOBEX)
    changes = []
    for customer_id in (ACME, GLOBEX):
        before = await books.read(customer_id, group_values=(ANN,))
        changes.append(Change(before, gate.debit(before, ASK, cause_id="req-1", at=JUNE)[0]))
    await sql.execute("INSERT INTO ledger.requests VALUES ('cus_globex', 'req-1', '', '{}', now())")
    epoch = await sql.value("SELECT version FROM ledger.epochs")
    rows = await sql.everything()
    answers = [NewResponse(change.key, "req-1", b"", RESPONSE, JUNE, "gate") for change in changes]

    assert await books.store.write_guess(changes, answers, epoch=epoch) is None
    assert await sql.everything() == rows


async def test_of_several_pools_in_a_guess_those_that_stand_are_written(books: Books) -> None:
    await books.sign(GLOBEX)
    changes = []
    for customer_id in (ACME, GLOBEX):
        before = await books.read(customer_id, group_values=(ANN,))
        changes.append(Change(before, gate.debit(before, ASK, cause_id="req-1", at=JUNE)[0]))
    await books.debit(1)
    epoch = await books.store.run(lambda tx: tx.standings.epoch())

    assert await books.store.write_guess(changes, [], epoch=epoch) == {(GLOBEX, AI)}
    assert (await books.read(ACME)).available(JUNE) == Credits.of(399)
    assert (await books.read(GLOBEX)).available(JUNE) == Credits.of(280)


@pytest.mark.parametrize("replicas", [1, 2])
async def test_a_period_begins_once_however_many_look(databases: Databases, replicas: int) -> None:
    async with open_books(databases) as first, open_books(databases, clock=first.clock) as second:
        await first.sign()
        first.clock.advance_to(JULY)
        both = (first, second)[:replicas]

        await asyncio.gather(*(one.settlement.settle(ACME, AI, at=JULY) for _ in range(8) for one in both))
        await asyncio.gather(*(one.debit(1) for _ in range(8) for one in both))

        account = await first.read()
        assert [grant.period_start for grant in account.grants.values()] == [JULY]
        assert account.available(JULY) == Credits.of(400 - 8 * replicas)
        assert (await first.store.verify(None)).discrepancies == ()


async def test_due_pools_are_told_by_how_long_they_are_due_and_from_where_one_left_off(books: Books) -> None:
    await books.sign(GLOBEX)
    books.clock.advance_to(JUNE + timedelta(hours=1))
    await books.authorize(1)
    assert list(await books.store.due_pools(at=JUNE, after=None, pools_max=9)) == []

    (first,) = await books.store.due_pools(at=JULY, after=None, pools_max=1)
    rest = await books.store.due_pools(at=JULY, after=first, pools_max=9)

    assert (first.customer_id, first.next_due_time) == (ACME, JUNE + timedelta(hours=1, minutes=5))
    assert [(one.customer_id, one.next_due_time) for one in rest] == [(GLOBEX, JULY)]


async def test_work_that_loses_a_race_is_done_again_from_its_start(books: Books, sql: Sql) -> None:
    attempts = 0

    async def work(tx: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        command = SetSpendCap(
            request_id="req-1",
            fingerprint=b"body",
            customer=ACME,
            credit_type_id=AI,
            group_key="user_id",
            group_value="",
            limit=Credits.of(1),
            window=CapWindow.DAY,
        )
        if await tx.responses.find(ACME, command, SpendCapRemoval) is None:
            if attempts == 1:
                twin = books.store.run(
                    lambda other: other.responses.store(ACME, command, SpendCapRemoval("cap_7"), at=JUNE)
                )
                await twin
            await tx.responses.store(ACME, command, SpendCapRemoval("cap_8"), at=JUNE)

    await books.store.run(work)

    assert attempts == 2
    assert (
        await sql.value("SELECT answer::text FROM ledger.requests WHERE request_id = 'req-1'")
        == '{"spend_cap_id": "cap_7"}'
    )
