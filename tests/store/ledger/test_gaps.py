# SPDX-License-Identifier: Apache-2.0
"""Usage that the previous version recorded is added up step by step, to the same sums as if it had been at once."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from meshkit.clock import ManualClock, SystemClock
from meshkit.ids import Ids
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import usage_pb2 as usage
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.operations.usage import gaps
from services.ledger.store import PostgresStore
from services.ledger.store.connection import open_pool
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, a_rate, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.reported import an_event, record

HOUR = timedelta(hours=1)
ACME = (CustomerId("cus_acme"), CreditTypeId(AI))


@pytest.fixture
async def ledger(databases: Databases) -> AsyncIterator[RunningLedger]:
    """Usage of every kind: by hold, by debit, in credits, reported, paid by several grants, corrected, at no cost."""
    async with running_ledger(databases) as running:
        await running.sell_assistant()
        await running.sign_acme()
        await running.tell_product("prd_tokens", dimensions=("model",), event_type="tokens")
        await running.tell_card(a_rate(), a_rate("prd_tokens", price_micros=0), version=2)
        for _ in range(3):
            await running.top_up(10)
        await running.debit(395, user="ann", group_values={"user_id": "ann", "note": "not counted"})
        await record(running, an_event("tx-1", "2"), an_event("tx-2", at=JUNE, user="bob"))
        await record(running, an_event("tx-3", event_type="tokens", model="large"), an_event("tx-4", "0"))
        await running.usage.VoidUsage(
            usage.VoidUsageRequest(
                request_id="void-1", customer="acme", transaction_id="tx-2", reason="mistake", actor="ops"
            )
        )
        hold = await running.authorize(3, user="ann")
        await running.capture(hold.hold_id, 4)
        running.clock.advance_to(JULY + HOUR)
        await record(running, an_event("tx-5", "1", at=JULY - HOUR), an_event("tx-6", at=JULY + HOUR))
        yield running


@pytest.fixture
async def store(databases: Databases) -> AsyncIterator[PostgresStore]:
    wall = SystemClock()
    pool = await open_pool(databases.url("ledger"), size=2)
    yield PostgresStore(pool, wall=wall, ids=Ids(wall))
    pool.terminate()


async def sums(sql: Sql) -> list[str]:
    return [
        row["line"]
        for table in ("usage_hours", "usage_periods")
        for row in await sql.rows(f"SELECT t::text AS line FROM ledger.{table} t ORDER BY 1")
    ]


async def forget_sums(sql: Sql) -> None:
    """As after the migration: nothing is added up."""
    await sql.execute("TRUNCATE ledger.usage_hours, ledger.usage_periods, ledger.rollup_gaps")
    await sql.execute("UPDATE ledger.pools SET rolled_sequence = 0, version = version + 1")


@pytest.mark.parametrize("entries_max", [1, 2, 3, 5, 1_000])
async def test_usage_is_added_up_as_if_it_had_been_at_once_whatever_the_steps(
    ledger: RunningLedger, sql: Sql, store: PostgresStore, entries_max: int
) -> None:
    before = await sums(sql)
    await forget_sums(sql)
    await ledger.assert_adds_up()

    steps = 0
    while await store.run(lambda tx: tx.gaps.close_some(ACME, entries_max=entries_max)):
        steps += 1
        await ledger.assert_adds_up()

    entries = await ledger.entries()
    assert steps == -(-len(entries) // entries_max)
    assert {admin.EntryKind.Name(one.entry_kind)[11:] for one in entries} >= {
        "CAPTURE",
        "SHORTFALL",
        "UNCHARGED",
        "CORRECTION",
    }
    assert await sums(sql) == before
    assert await sql.count("rollup_gaps") == 0


async def test_the_gate_goes_on_between_the_steps(
    ledger: RunningLedger, sql: Sql, store: PostgresStore
) -> None:
    await forget_sums(sql)

    await ledger.debit(1, user="ann")
    while await store.run(lambda tx: tx.gaps.close_some(ACME, entries_max=3)):
        assert (await ledger.debit(1, user="ann")).debited_micros == CREDIT
        await ledger.assert_adds_up()

    all_at_once = await sums(sql)
    await forget_sums(sql)
    await store.run(lambda tx: tx.gaps.close_some(ACME, entries_max=1_000))
    assert await sums(sql) == all_at_once


async def test_what_a_replica_has_cached_does_not_make_a_gap_again(
    ledger: RunningLedger, sql: Sql, store: PostgresStore
) -> None:
    """It cached the pool before the gap was closed; its next write must not list the gap a second time."""
    await forget_sums(sql)
    await ledger.authorize(10_000, user="ann")

    await store.run(lambda tx: tx.gaps.close_some(ACME, entries_max=1_000))
    await ledger.debit(1, user="ann")

    assert await sql.count("rollup_gaps") == 0
    await ledger.assert_adds_up()


async def test_one_replica_closes_the_gaps_of_all_customers_and_not_again_for_10_minutes(
    ledger: RunningLedger, sql: Sql, store: PostgresStore
) -> None:
    await ledger.tell_customer("cus_globex", "globex")
    await ledger.top_up(1, customer="globex")
    await sql.execute("DELETE FROM ledger.chores")
    before = await sums(sql)
    await forget_sums(sql)
    wall = ManualClock(JUNE)
    one, other = gaps.Gaps(store=store, wall=wall), gaps.Gaps(store=store, wall=wall)

    steps = [await one.run(), await other.run()]
    await forget_sums(sql)
    wall.advance(gaps.EVERY - timedelta(microseconds=1))
    steps.append(await other.run())
    wall.advance(timedelta(microseconds=1))
    steps.append(await other.run())

    assert steps == [2, 0, 0, 2]
    assert await sums(sql) == before
    assert not await sql.value("SELECT EXISTS (SELECT FROM ledger.pools WHERE rolled_sequence < sequence)")
    await ledger.assert_adds_up()
