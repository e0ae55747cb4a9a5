# SPDX-License-Identifier: Apache-2.0
"""Overage on two replicas at once: what is held and captured of it never exceeds the cap, at any instant."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.ledger import AI, CREDIT, JUNE, RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

CAP = 200
Replicas = tuple[RunningLedger, RunningLedger]

# What is held and captured of overage, by the totals that the gate guards.
# Of contracts; the pool's shortfall is counted beside it.
IN_USE = """SELECT sum(held_micros + period_spent_micros)::bigint FROM ledger.spends
    WHERE group_key = '' AND group_value <> 'shortfall'"""


@pytest.fixture
async def replicas(databases: Databases) -> AsyncIterator[Replicas]:
    """Two Ledgers on one database: acme has 500 credits, and overage up to 200."""
    async with (
        running_ledger(databases) as first,
        running_ledger(databases, clock=first.clock) as second,
    ):
        await first.sell_assistant()
        await first.tell_customer("cus_acme", "acme")
        limit = peer_pb.OverageLimit(credit_type_id=AI, cap_micros=CAP * CREDIT)
        await first.apply_contract(start=JUNE, seats=5, overage=peer_pb.OveragePolicy(limits=[limit]))
        yield first, second


async def test_twenty_holds_on_two_replicas_reserve_no_more_than_the_cap(
    replicas: Replicas, sql: Sql
) -> None:
    answers = await asyncio.gather(*(replicas[n % 2].authorize(75) for n in range(20)))

    held = [one for one in answers if one.decision == pb.DECISION_ALLOWED]
    assert len(held) == 9  # 675 of 700
    assert sum(one.overage_held_micros for one in held) == 175 * CREDIT
    assert await sql.value(IN_USE) == 175 * CREDIT
    await replicas[0].assert_adds_up()


async def test_the_cap_holds_at_every_instant_whatever_happens_at_the_same_time(
    replicas: Replicas, sql: Sql
) -> None:
    is_done = asyncio.Event()

    async def one_after_the_other(number: int) -> None:
        """Hold, then capture more or less than that, extend, release or debit, on either replica."""
        for turn in range(6):
            here, there = replicas[(number + turn) % 2], replicas[(number + turn + 1) % 2]
            held = await here.authorize(40)
            if held.decision == pb.DECISION_DENIED:
                await there.debit(15)
                continue
            match (number + turn) % 4:
                case 0:
                    await there.capture(held.hold_id, 60)
                case 1:
                    await there.release(held.hold_id)
                case 2:
                    await there.extend(held.hold_id, 15)
                    await here.capture(held.hold_id)
                case _:
                    await here.capture(held.hold_id, 10)

    async def most_in_use() -> int:
        most = 0
        while not is_done.is_set():
            most = max(most, await sql.value(IN_USE) or 0)
        return most

    watching = asyncio.create_task(most_in_use())
    await asyncio.gather(*(one_after_the_other(number) for number in range(10)))
    is_done.set()

    assert await watching <= CAP * CREDIT
    entries = await replicas[0].entries(page_size=500)
    billed = sum(one.shortfall_micros for one in entries if one.entry_kind == apb.ENTRY_KIND_OVERAGE)
    assert 0 < billed <= CAP * CREDIT
    await replicas[0].assert_adds_up()


async def test_a_replica_decides_by_the_policy_that_the_other_one_has_received(replicas: Replicas) -> None:
    first, second = replicas
    for replica in replicas:
        await replica.debit(1)
    assert (await second.debit(550)).overage_micros == 52 * CREDIT

    await first.apply_contract(start=JUNE, seats=5, version=2)
    assert (await second.debit(1)).decision == pb.DECISION_DENIED

    limit = peer_pb.OverageLimit(credit_type_id=AI, cap_micros=60 * CREDIT)
    await second.apply_contract(start=JUNE, seats=5, version=3, overage=peer_pb.OveragePolicy(limits=[limit]))
    assert (await first.debit(9)).affordable_credits_micros == 8 * CREDIT
    assert (await first.debit(8)).overage_micros == 8 * CREDIT
    await first.assert_adds_up()
