# SPDX-License-Identifier: Apache-2.0
"""Many callers of one pool over real gRPC: in any order, they never get more credits than there are."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc.aio import AioRpcError

from meshkit.rpc.status import from_rpc_error
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.ledger import AUGUST, CREDIT, JULY, RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

ALLOWED, DENIED = pb.DECISION_ALLOWED, pb.DECISION_DENIED


@pytest.fixture
async def ledger(databases: Databases) -> AsyncIterator[RunningLedger]:
    """Acme has 500 credits."""
    async with running_ledger(databases) as running:
        await running.sell_assistant()
        await running.sign_acme(seats=5)
        yield running
        await running.assert_adds_up()


@pytest.fixture
async def other(databases: Databases, ledger: RunningLedger) -> AsyncIterator[RunningLedger]:
    """A second Ledger on the same database and clock."""
    async with running_ledger(databases, clock=ledger.clock) as running:
        yield running


@pytest.fixture
async def sql(databases: Databases) -> AsyncIterator[Sql]:
    async with Sql.connected(databases.admin_url) as connection:
        yield connection


def _decisions(answers: list[Any]) -> Counter[int]:
    return Counter(answer.decision for answer in answers)


async def _ends(*calls: Any) -> list[Any]:
    """Return the answers; for an error, its reason."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    return [from_rpc_error(one).reason if isinstance(one, AioRpcError) else one for one in outcomes]


async def test_fifty_ask_for_one_credit_of_ten(ledger: RunningLedger) -> None:
    await ledger.debit(490)

    answers = await asyncio.gather(*(ledger.authorize(1) for _ in range(50)))

    assert _decisions(answers) == {ALLOWED: 10, DENIED: 40}
    pool = await ledger.pool()
    assert (pool.available_micros, pool.held_micros) == (0, 10 * CREDIT)


async def test_twenty_hold_75_of_500(ledger: RunningLedger) -> None:
    answers = await asyncio.gather(*(ledger.authorize(75) for _ in range(20)))

    assert _decisions(answers) == {ALLOWED: 6, DENIED: 14}
    pool = await ledger.pool()
    assert (pool.available_micros, pool.held_micros) == (50 * CREDIT, 450 * CREDIT)


async def test_two_ledgers_give_the_last_credit_once(ledger: RunningLedger, other: RunningLedger) -> None:
    await ledger.debit(249)
    await other.debit(250)

    for _ in range(5):
        answers = await asyncio.gather(
            *(replica.authorize(1) for _ in range(8) for replica in (ledger, other))
        )

        assert _decisions(answers) == {ALLOWED: 1, DENIED: 15}
        (allowed,) = [one for one in answers if one.decision == ALLOWED]
        await other.release(allowed.hold_id)


async def test_two_ledgers_under_load_spend_each_credit_once(
    ledger: RunningLedger, other: RunningLedger
) -> None:
    async def busy(replica: RunningLedger, user: str) -> int:
        spent = 0
        for _ in range(12):
            hold = await replica.authorize(7, user=user)
            if hold.decision == ALLOWED:
                spent += (await replica.capture(hold.hold_id, 5)).captured_micros
            spent += (await replica.debit(2, user=user)).debited_micros
        return spent

    spent = await asyncio.gather(
        *(busy(replica, f"user-{n}") for n in range(4) for replica in (ledger, other))
    )

    pool = await other.pool()
    assert sum(spent) + pool.available_micros == 500 * CREDIT
    assert pool.available_micros < 2 * CREDIT
    assert pool.held_micros == 0


async def test_two_ledgers_keep_a_users_cap(ledger: RunningLedger, other: RunningLedger) -> None:
    await ledger.set_cap(30, user="ann")

    answers = await asyncio.gather(
        *(replica.debit(4, user="ann") for _ in range(10) for replica in (ledger, other)),
        *(replica.debit(4, user="bob") for _ in range(10) for replica in (ledger, other)),
    )

    assert _decisions(answers[:20]) == {ALLOWED: 7, DENIED: 13}
    assert _decisions(answers[20:]) == {ALLOWED: 20}


async def test_a_hold_that_is_captured_many_times_at_once_is_captured_once(
    ledger: RunningLedger, other: RunningLedger
) -> None:
    hold = await ledger.authorize(100)

    ends = await _ends(*(replica.capture(hold.hold_id, 60) for _ in range(5) for replica in (ledger, other)))

    captured = [one for one in ends if isinstance(one, pb.CaptureResponse)]
    assert [one.captured_micros for one in captured] == [60 * CREDIT]
    assert Counter(one for one in ends if isinstance(one, str)) == {"HOLD_ALREADY_RESOLVED": 9}
    assert (await ledger.pool()).available_micros == 440 * CREDIT


async def test_one_capture_request_sent_many_times_at_once_has_one_answer(
    ledger: RunningLedger, other: RunningLedger
) -> None:
    hold = await ledger.authorize(100)

    answers = await asyncio.gather(
        *(
            replica.capture(hold.hold_id, 60, request_id="one")
            for _ in range(5)
            for replica in (ledger, other)
        )
    )

    assert len({one.SerializeToString(deterministic=True) for one in answers}) == 1
    assert (await ledger.pool()).available_micros == 440 * CREDIT


async def test_of_release_and_capture_one_wins(ledger: RunningLedger, other: RunningLedger) -> None:
    for n in range(6):
        before = (await ledger.pool()).available_micros
        hold = await ledger.authorize(50)
        calls = [ledger.capture(hold.hold_id), other.release(hold.hold_id)]

        ends = await _ends(*(calls if n % 2 else reversed(calls)))

        captured = sum(one.captured_micros for one in ends if isinstance(one, pb.CaptureResponse))
        assert [one for one in ends if isinstance(one, str)] == ["HOLD_ALREADY_RESOLVED"]
        assert (await ledger.pool()).available_micros == before - captured


async def test_a_capture_at_the_instant_a_hold_expires_counts_once(
    ledger: RunningLedger, other: RunningLedger
) -> None:
    hold = await ledger.authorize(100, user="ann", hold_ttl=Duration(seconds=60))
    ledger.clock.advance(timedelta(seconds=60))

    captured, _, debited, released = await _ends(
        ledger.capture(hold.hold_id, 80),
        other.app.run_due(ledger.clock.now()),
        other.debit(450),
        ledger.release("hld_other"),
    )

    assert released == "HOLD_NOT_FOUND"
    assert captured.is_late
    assert captured.captured_micros + captured.shortfall_micros == 80 * CREDIT
    left = 500 * CREDIT - captured.captured_micros - debited.debited_micros
    pool = await ledger.pool()
    assert (pool.available_micros, pool.held_micros) == (left, 0)
    assert pool.shortfall_micros == captured.shortfall_micros


async def test_a_new_month_starts_once_whoever_asks_first(
    ledger: RunningLedger, other: RunningLedger, sql: Sql
) -> None:
    ledger.clock.advance_to(JULY - timedelta(minutes=1))
    holds = [await ledger.authorize(60, user=f"user-{n}") for n in range(5)]
    ledger.clock.advance_to(JULY)

    ends = await _ends(
        *(replica.app.run_due(JULY) for _ in range(3) for replica in (ledger, other)),
        *(replica.pool() for _ in range(3) for replica in (ledger, other)),
        *(replica.debit(20) for _ in range(3) for replica in (ledger, other)),
        *(
            replica.capture(hold.hold_id, 10)
            for hold, replica in zip(holds, [ledger, other, ledger, other], strict=False)
        ),
        other.entries(),
    )

    assert not [one for one in ends if isinstance(one, str | BaseException)]
    grants = await ledger.grants()
    assert [one.granted_micros // CREDIT for one in grants] == [500, 500]
    june, july = grants
    assert (june.captured_micros, june.held_micros) == (40 * CREDIT, 60 * CREDIT)
    assert june.expired_micros == 400 * CREDIT
    assert july.available_micros == 380 * CREDIT
    assert await sql.value("SELECT next_index FROM ledger.grant_schedules") == 2


async def test_seats_top_ups_and_spending_at_once_lose_nothing(
    ledger: RunningLedger, other: RunningLedger
) -> None:
    ledger.clock.advance_to(AUGUST)
    replicas = (ledger, other)

    ends = await _ends(
        *(replicas[n % 2].change_seats(1, AUGUST, sequence=n + 1) for n in range(4)),
        *(replicas[n % 2].top_up(10, source_id=f"order_{n // 2}") for n in range(8)),
        *(replicas[n % 2].debit(9, user="ann") for n in range(20)),
    )

    assert Counter(one for one in ends if isinstance(one, str)) == {"GRANT_ALREADY_EXISTS": 4}
    assert (await ledger.pool()).available_micros == (500 + 400 + 40 - 180) * CREDIT


async def test_cancelled_calls_leave_nothing_half_done(ledger: RunningLedger) -> None:
    await ledger.debit(1)
    calls = [asyncio.ensure_future(ledger.debit(1, request_id=f"given-up-{n}")) for n in range(60)]
    await asyncio.wait(calls[:1])
    for call in calls[::3]:
        call.cancel()

    ends = await asyncio.gather(*calls, return_exceptions=True)

    answered = [one for one in ends if isinstance(one, pb.DebitResponse)]
    assert len(answered) >= 40
    entries = await ledger.entries(page_size=500)
    spent = [one for one in entries if one.entry_kind == admin.ENTRY_KIND_CAPTURE]
    assert (await ledger.pool()).available_micros == (500 - len(spent)) * CREDIT
    assert len(answered) + 1 <= len(spent) <= 61
