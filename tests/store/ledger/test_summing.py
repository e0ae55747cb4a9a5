# SPDX-License-Identifier: Apache-2.0
"""Usage is added up after it was written, step by step, to the same sums whatever the steps."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from meshkit.clock import ManualClock, SystemClock
from meshkit.ids import Ids
from purser.ledger.v1 import usage_pb2 as usage
from services.ledger.domain.credits.entry import EntryKind
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.operations.usage import summing
from services.ledger.operations.usage.summing import Summing
from services.ledger.store import PostgresStore
from services.ledger.store.connection import open_pool
from tests.support.ledger import AI, JULY, JUNE, a_rate, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.reported import an_event, record

HOUR = timedelta(hours=1)
ACME = (CustomerId("cus_acme"), CreditTypeId(AI))
GLOBEX = (CustomerId("cus_globex"), CreditTypeId(AI))


@pytest.fixture
async def store(databases: Databases, sql: Sql) -> AsyncIterator[PostgresStore]:
    """Usage of every kind: by hold, by debit, in credits, reported, paid by several grants, corrected, at no cost.

    No Ledger is running any more, and nothing is added up.
    """
    async with running_ledger(databases) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_acme()
        await ledger.tell_product("prd_tokens", dimensions=("model",), event_type="tokens")
        await ledger.tell_card(a_rate(), a_rate("prd_tokens", price_micros=0), version=2)
        await ledger.tell_customer("cus_globex", "globex")
        await ledger.top_up(1, customer="globex")
        for _ in range(3):
            await ledger.top_up(10)
        await ledger.debit(395, user="ann", group_values={"user_id": "ann", "note": "not counted"})
        await record(ledger, an_event("tx-1", "2"), an_event("tx-2", at=JUNE, user="bob"))
        await record(ledger, an_event("tx-3", event_type="tokens", model="large"), an_event("tx-4", "0"))
        await ledger.usage.VoidUsage(
            usage.VoidUsageRequest(
                request_id="void-1", customer="acme", transaction_id="tx-2", reason="mistake", actor="ops"
            )
        )
        hold = await ledger.authorize(3, user="ann")
        await ledger.capture(hold.hold_id, 4)
        ledger.clock.advance_to(JULY + HOUR)
        await record(ledger, an_event("tx-5", "1", at=JULY - HOUR), an_event("tx-6", at=JULY + HOUR))
    await forget_sums(sql)
    wall = SystemClock()
    pool = await open_pool(databases.url("ledger"), size=2)
    yield PostgresStore(pool, wall=wall, ids=Ids(wall))
    pool.terminate()


async def forget_sums(sql: Sql) -> None:
    await sql.execute("TRUNCATE ledger.usage_by_hour, ledger.usage_by_period, ledger.usage_positions")


async def sums(sql: Sql) -> list[str]:
    return [
        row["line"]
        for table in ("usage_by_hour", "usage_by_period")
        for row in await sql.rows(f"SELECT t::text AS line FROM ledger.{table} t ORDER BY 1")
    ]


async def add_up(store: PostgresStore, *keys: PoolKey, entries_max: int = 1_000) -> set[PoolKey]:
    return await store.run(lambda tx: tx.rollups.add_up(keys, entries_max=entries_max))


async def assert_recounts(store: PostgresStore) -> None:
    found = await store.verify(None)
    assert found.discrepancies == ()


@pytest.mark.parametrize("entries_max", [1, 2, 3, 5])
async def test_the_sums_are_the_same_whatever_the_steps(
    store: PostgresStore, sql: Sql, entries_max: int
) -> None:
    assert await add_up(store, ACME) == {ACME}
    at_once = await sums(sql)
    await assert_recounts(store)
    await forget_sums(sql)

    steps = 1
    while await add_up(store, ACME, entries_max=entries_max) != {ACME}:
        steps += 1
        await assert_recounts(store)

    entries = await sql.value("SELECT sequence FROM ledger.pools WHERE customer_id = 'cus_acme'")
    assert steps == -(-entries // entries_max)
    kinds = {EntryKind(row["kind"]) for row in await sql.rows("SELECT kind FROM ledger.entries")}
    assert kinds >= {EntryKind.CAPTURE, EntryKind.SHORTFALL, EntryKind.UNCHARGED, EntryKind.CORRECTION}
    assert at_once
    assert await sums(sql) == at_once


async def test_a_pool_that_is_added_up_has_nothing_to_add(store: PostgresStore, sql: Sql) -> None:
    await add_up(store, ACME)
    before = await sums(sql)

    assert await add_up(store, ACME) == {ACME}
    assert await sums(sql) == before


async def test_two_replicas_at_once_add_no_entry_up_twice(store: PostgresStore) -> None:
    steps = (add_up(store, ACME, GLOBEX, entries_max=n % 3 + 1) for n in range(20))
    await asyncio.gather(*steps)
    assert await add_up(store, ACME, GLOBEX) == {ACME, GLOBEX}

    await assert_recounts(store)


async def test_one_replica_adds_all_customers_up_and_not_again_for_10_minutes(
    store: PostgresStore, sql: Sql
) -> None:
    await sql.execute("DELETE FROM ledger.chores")
    wall = ManualClock(JUNE)
    one, other = Summing(store=store, wall=wall), Summing(store=store, wall=wall)

    steps = [await one.add_up_all(), await other.add_up_all()]
    added_up = await sums(sql)
    await forget_sums(sql)
    wall.advance(summing.EVERY - timedelta(microseconds=1))
    steps.append(await other.add_up_all())
    wall.advance(timedelta(microseconds=1))
    steps.append(await other.add_up_all())

    assert steps == [1, 0, 0, 1]
    assert added_up
    assert await sums(sql) == added_up
    assert await store.read(lambda tx: tx.rollups.behind("", None)) == []
    await assert_recounts(store)


@pytest.mark.plain_postgres("renames a table while another session uses it")
async def test_what_a_step_could_not_do_is_done_at_the_next_call(store: PostgresStore, sql: Sql) -> None:
    adder = Summing(store=store, wall=SystemClock())
    store.has_new_entries |= {ACME, GLOBEX}

    await sql.execute("ALTER TABLE ledger.usage_by_hour RENAME TO away")
    with pytest.raises(Exception, match="usage_by_hour"):
        await adder.add_up_written()
    await sql.execute("ALTER TABLE ledger.away RENAME TO usage_by_hour")
    assert store.has_new_entries == {ACME, GLOBEX}

    await adder.add_up_written()
    assert store.has_new_entries == set()
    await assert_recounts(store)


async def test_a_read_gives_up_on_a_pool_that_is_far_behind(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    adder = Summing(store=store, wall=SystemClock())
    monkeypatch.setattr(summing, "ENTRIES_PER_STEP_MAX", 1)
    monkeypatch.setattr(summing, "STEPS_PER_READ_MAX", 5)
    entries = await store.run(lambda tx: tx.accounts.read(*ACME, at=JUNE))

    calls = 1
    while not await adder.add_up([ACME]):
        calls += 1

    assert calls == -(-entries.account.sequence // 5)
    await assert_recounts(store)
