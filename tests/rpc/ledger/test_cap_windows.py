# SPDX-License-Identifier: Apache-2.0
"""Spend caps in calendar and rolling windows, several at once: what counts in them, also what came before the cap."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import usage_pb2 as usage
from tests.support.ledger import CREDIT, JUNE, RunningLedger, two_ledgers
from tests.support.postgres import Databases
from tests.support.reported import an_event, report

TICK = timedelta(microseconds=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CAP_REACHED = pb.DENIAL_REASON_SPEND_CAP_REACHED
WEEK, MONTH, ROLLING = admin.CAP_WINDOW_WEEK, admin.CAP_WINDOW_MONTH, admin.CAP_WINDOW_ROLLING
# JUNE is Sunday, 1 June 2025.
MONDAY = datetime(2025, 6, 2, tzinfo=UTC)


async def _left(ledger: RunningLedger, user: str = "ann") -> int:
    """Return how many credits a user may still spend."""
    denied = await ledger.authorize(399, user=user)
    assert denied.denial_reason == CAP_REACHED
    return denied.affordable_credits_micros // CREDIT


@pytest.mark.parametrize(
    ("window", "begin", "anew"),
    [
        (WEEK, MONDAY, MONDAY + 7 * DAY),
        (MONTH, datetime(2025, 6, 20, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)),
    ],
)
async def test_a_calendar_window_begins_anew_at_its_end(
    ledger: RunningLedger, window: admin.CapWindow, begin: datetime, anew: datetime
) -> None:
    ledger.clock.advance_to(begin)
    await ledger.set_cap(100, user="ann", window=window)
    await ledger.debit(60, user="ann")
    ledger.clock.advance_to(anew - TICK)
    before = [await ledger.debit(41, user="ann"), await ledger.debit(40, user="ann")]
    ledger.clock.advance_to(anew)
    after = await ledger.debit(100, user="ann")

    assert [one.denial_reason for one in before] == [CAP_REACHED, 0]
    assert after.decision == pb.DECISION_ALLOWED
    await ledger.assert_adds_up()


async def test_a_rolling_window_lets_go_of_a_spend_a_step_after_its_hours(ledger: RunningLedger) -> None:
    cap = await ledger.set_cap(100, user="ann", window=ROLLING, window_hours=24)
    ledger.clock.advance_to(JUNE + 12 * HOUR + timedelta(minutes=10))  # in the step of 12:00 to 12:24
    await ledger.debit(60, user="ann")
    ledger.clock.advance(HOUR)
    await ledger.debit(30, user="ann")
    leaves = JUNE + DAY + 12 * HOUR + timedelta(minutes=24)
    ledger.clock.advance_to(leaves - TICK)
    denied = await ledger.authorize(11, user="ann")
    ledger.clock.advance_to(leaves)
    after = await _left(ledger)

    assert denied.reached_cap == pb.SpendCapUse(
        spend_cap_id=cap.spend_cap_id,
        group_key="user_id",
        group_value="ann",
        limit_micros=100 * CREDIT,
        used_micros=90 * CREDIT,
        window_start_time=timestamp(JUNE + 12 * HOUR),
        window_end_time=timestamp(leaves),
        window_hours=24,
        scope=pb.CAP_SCOPE_GROUP_VALUE,
        owner=pb.CAP_OWNER_VENDOR,
    )
    assert (denied.affordable_credits_micros, after) == (10 * CREDIT, 70)
    await ledger.assert_adds_up()


async def test_the_strictest_of_several_windows_holds_and_is_named(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(MONDAY)
    day = await ledger.set_cap(50, user="ann", window=admin.CAP_WINDOW_DAY)
    week = await ledger.set_cap(80, user="ann", window=WEEK)
    period = await ledger.set_cap(200, user="ann")
    await ledger.debit(40, user="ann")
    of_day = await ledger.authorize(11, user="ann")
    ledger.clock.advance(DAY)
    of_week = await ledger.authorize(41, user="ann")
    caps = (await ledger.admin.ListSpendCaps(admin.ListSpendCapsRequest(customer="acme"))).spend_caps

    assert (of_day.reached_cap.spend_cap_id, of_day.affordable_credits_micros) == (
        day.spend_cap_id,
        10 * CREDIT,
    )
    assert (of_week.reached_cap.spend_cap_id, of_week.affordable_credits_micros) == (
        week.spend_cap_id,
        40 * CREDIT,
    )
    assert [one.spend_cap_id for one in caps] == [day.spend_cap_id, week.spend_cap_id, period.spend_cap_id]


async def test_setting_the_cap_of_a_window_again_replaces_it(ledger: RunningLedger) -> None:
    first = await ledger.set_cap(10, user="ann", window=WEEK)
    other = await ledger.set_cap(10, user="ann", window=ROLLING, window_hours=1)
    again = await ledger.set_cap(20, user="ann", window=WEEK)
    await ledger.lift_cap(other.spend_cap_id)
    in_day = await ledger.set_cap(5, user="ann", window=admin.CAP_WINDOW_DAY)
    await ledger.set_cap(7, user="ann")
    await ledger.lift_cap(in_day.spend_cap_id)
    in_day = await ledger.set_cap(6, user="ann", window=admin.CAP_WINDOW_DAY)
    caps = (await ledger.admin.ListSpendCaps(admin.ListSpendCapsRequest(customer="acme"))).spend_caps

    assert (again.spend_cap_id, again.limit_micros) == (first.spend_cap_id, 20 * CREDIT)
    assert sorted(one.limit_micros // CREDIT for one in caps) == [6, 7, 20]


async def test_a_values_own_cap_replaces_the_one_on_every_value_in_its_window_only(
    ledger: RunningLedger,
) -> None:
    await ledger.set_cap(10, window=WEEK)
    await ledger.set_cap(30)
    await ledger.set_cap(20, user="ann", window=WEEK)

    assert [await _left(ledger, user) for user in ("ann", "bob")] == [20, 10]
    await ledger.debit(10, user="ann")
    ledger.clock.advance_to(MONDAY)
    assert [await _left(ledger, user) for user in ("ann", "bob")] == [20, 10]
    await ledger.debit(15, user="ann")
    assert await _left(ledger) == 5


@pytest.mark.parametrize("whom", ["ann", ""])
async def test_what_was_spent_before_the_cap_counts_since_its_window_began(
    ledger: RunningLedger, whom: str
) -> None:
    await ledger.debit(100, user="ann")  # on Sunday
    ledger.clock.advance_to(MONDAY)
    await ledger.debit(20, user="ann")
    await ledger.debit(7, user="bob")
    hold = await ledger.authorize(5, user="ann", hold_ttl=Duration(seconds=80_000))
    ledger.clock.advance(2 * DAY)
    await ledger.debit(3, user="ann")

    await ledger.set_cap(50, user=whom, window=WEEK)

    assert await _left(ledger) == 27
    if not whom:
        assert await _left(ledger, "bob") == 43
    assert hold.decision == pb.DECISION_ALLOWED
    await ledger.debit(27, user="ann")
    assert await _left(ledger) == 0
    await ledger.assert_adds_up()


async def test_a_hold_counts_in_every_window_and_its_capture_in_those_of_the_capture(
    ledger: RunningLedger,
) -> None:
    await ledger.set_cap(100, user="ann", window=WEEK)
    hold = await ledger.authorize(60, user="ann", hold_ttl=Duration(seconds=7200))
    ledger.clock.advance_to(MONDAY + HOUR)
    # The hold has expired by now, and its late capture counts in this week.
    assert await _left(ledger) == 100
    await ledger.capture(hold.hold_id, 50)

    assert await _left(ledger) == 50
    await ledger.assert_adds_up()


async def test_reported_usage_counts_in_the_window_of_its_time_and_corrections_reduce_it(
    ledger: RunningLedger,
) -> None:
    await ledger.set_cap(100, user="ann", window=WEEK)
    await ledger.set_cap(90, user="ann", window=ROLLING, window_hours=48)
    ledger.clock.advance_to(MONDAY)
    await report(ledger, an_event("sunday", "2", at=MONDAY - TICK))
    await report(ledger, an_event("monday", "3", at=MONDAY))
    both = await _left(ledger)  # 24 + 36 of 90 in the rolling window
    await ledger.usage.VoidUsage(
        usage.VoidUsageRequest(
            request_id=ledger.request_id(),
            customer="acme",
            transaction_id="sunday",
            reason="twice",
            actor="ops",
        )
    )
    without_sunday = await _left(ledger)
    await ledger.usage.VoidUsage(
        usage.VoidUsageRequest(
            request_id=ledger.request_id(),
            customer="acme",
            transaction_id="monday",
            reason="twice",
            actor="ops",
        )
    )

    assert (both, without_sunday, await _left(ledger)) == (30, 54, 90)
    await ledger.assert_adds_up()


@pytest.fixture
async def replicas(databases: Databases) -> AsyncIterator[tuple[RunningLedger, RunningLedger]]:
    """Two Ledgers that share database and clock."""
    async with two_ledgers(databases) as (first, second):
        yield first, second


async def test_a_cap_of_one_replica_holds_at_the_next_call_on_the_other(
    replicas: tuple[RunningLedger, RunningLedger],
) -> None:
    first, second = replicas
    await first.debit(20, user="ann")
    await second.debit(20, user="ann")
    await first.debit(1, user="ann")

    cap = await second.set_cap(50, user="ann", window=ROLLING, window_hours=24)
    on_first = await _left(first)
    await first.debit(5, user="ann")
    await second.debit(2, user="ann")
    on_both = (await _left(first), await _left(second))
    await first.lift_cap(cap.spend_cap_id)
    lifted = await second.debit(100, user="ann")

    assert (on_first, on_both) == (9, (2, 2))
    assert lifted.decision == pb.DECISION_ALLOWED
    await first.assert_adds_up()


async def test_what_is_spent_while_a_cap_is_set_is_counted_once(
    replicas: tuple[RunningLedger, RunningLedger],
) -> None:
    first, second = replicas
    users = ["ann", "bob"] * 20

    await asyncio.gather(
        *(replica.debit(1, user=user) for replica in replicas for user in users[:10]),
        second.set_cap(300, window=WEEK),
        *(replica.debit(1, user=user) for replica in replicas for user in users),
        first.set_cap(200, group_key="", scope=pb.CAP_SCOPE_CUSTOMER, window=MONTH),
        *(replica.debit(1, user=user) for replica in replicas for user in users),
    )

    await first.assert_adds_up()
    assert await _left(second) == 200 - 180
