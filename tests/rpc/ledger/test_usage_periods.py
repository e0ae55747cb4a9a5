# SPDX-License-Identifier: Apache-2.0
"""A customer has one usage period: its first contract fixes it, and no later contract moves it."""

from datetime import UTC, datetime, timedelta

from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.ledger import CREDIT, JULY, JUNE, RunningLedger
from tests.support.ledger_sql import Sql

TICK = timedelta(microseconds=1)
MID_JUNE = datetime(2025, 6, 16, tzinfo=UTC)


async def _change_plan(ledger: RunningLedger) -> None:
    """End con_1 on 16 June, and begin con_2 there."""
    await ledger.apply_contract(start=JUNE, end=MID_JUNE, version=2)
    await ledger.apply_contract(
        start=MID_JUNE, contract_id="con_2", subscriptions=[], schedules=[], request_id=ledger.request_id()
    )
    ledger.clock.advance_to(MID_JUNE)


async def _affordable(ledger: RunningLedger, user: str) -> int:
    """Return the whole credits that a user may spend now."""
    asked = await ledger.authorize(1_000_000, user=user)
    assert asked.decision == pb.DECISION_DENIED
    return asked.affordable_credits_micros // CREDIT


async def test_a_new_contract_does_not_reset_a_users_cap_in_mid_month(ledger: RunningLedger) -> None:
    await ledger.set_cap(100, user="ann")
    await ledger.debit(80, user="ann")

    await _change_plan(ledger)

    assert await _affordable(ledger, "ann") == 20


async def test_the_cap_begins_again_when_the_month_of_the_first_contract_ends(ledger: RunningLedger) -> None:
    await ledger.top_up(1_000)
    await ledger.set_cap(100, user="ann")
    await ledger.debit(80, user="ann")
    await _change_plan(ledger)

    ledger.clock.advance_to(JULY - TICK)
    before = await _affordable(ledger, "ann")
    ledger.clock.advance_to(JULY)

    assert (before, await _affordable(ledger, "ann")) == (20, 100)


async def test_a_contract_heard_of_later_moves_no_period_even_if_it_began_earlier(
    ledger: RunningLedger,
) -> None:
    await ledger.top_up(1_000)
    await ledger.set_cap(100, user="ann")
    ledger.clock.advance_to(MID_JUNE - TICK)
    await ledger.debit(80, user="ann")

    await ledger.apply_contract(
        start=MID_JUNE - timedelta(days=60), contract_id="con_0", subscriptions=[], schedules=[]
    )
    ledger.clock.advance_to(MID_JUNE)

    assert await _affordable(ledger, "ann") == 20


async def test_a_period_that_the_previous_version_did_not_store_follows_from_the_first_contract(
    ledger: RunningLedger, sql: Sql
) -> None:
    await sql.execute("UPDATE ledger.customers SET usage_anchor_time = NULL")
    await ledger.set_cap(100, user="ann")
    await ledger.debit(80, user="ann")

    await _change_plan(ledger)

    assert await _affordable(ledger, "ann") == 20
    assert await sql.value("SELECT usage_anchor_time FROM ledger.customers") == JUNE
