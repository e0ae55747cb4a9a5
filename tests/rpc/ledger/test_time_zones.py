# SPDX-License-Identifier: Apache-2.0
"""SetTimeZone: calendar windows of caps begin and end at midnight where the customer is."""

from datetime import UTC, datetime, timedelta

import pytest

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.faults import bad_fields
from tests.support.ledger import CREDIT, RunningLedger, two_ledgers
from tests.support.postgres import Databases

TICK = timedelta(microseconds=1)
CAP_REACHED = pb.DENIAL_REASON_SPEND_CAP_REACHED
DAY, WEEK, MONTH = admin.CAP_WINDOW_DAY, admin.CAP_WINDOW_WEEK, admin.CAP_WINDOW_MONTH
BERLIN = "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def _left(ledger: RunningLedger, user: str = "ann") -> int:
    """Return how many credits a user may still spend."""
    denied = await ledger.authorize(399, user=user)
    assert denied.denial_reason == CAP_REACHED
    return denied.affordable_credits_micros // CREDIT


# In Berlin the clocks go back on 26 October 2025, so that day has 25 hours and its week 169; they go forward on
# 29 March 2026, a day of 23 hours.
@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        (DAY, "2025-10-25 22:00", "2025-10-26 23:00"),
        (DAY, "2026-03-28 23:00", "2026-03-29 22:00"),
        (WEEK, "2025-10-19 22:00", "2025-10-26 23:00"),
        (MONTH, "2025-09-30 22:00", "2025-10-31 23:00"),
    ],
)
async def test_a_window_is_as_long_as_it_is_in_the_zone(
    ledger: RunningLedger, window: admin.CapWindow, start: str, end: str
) -> None:
    await ledger.set_time_zone(BERLIN)
    cap = await ledger.set_cap(100, user="ann", window=window)
    ledger.clock.advance_to(utc(start) - TICK)
    await ledger.debit(100, user="ann")
    ledger.clock.advance_to(utc(start))
    await ledger.debit(60, user="ann")
    ledger.clock.advance_to(utc(end) - TICK)
    denied = await ledger.authorize(41, user="ann")
    last = await ledger.debit(40, user="ann")
    ledger.clock.advance_to(utc(end))
    after = await ledger.debit(100, user="ann")

    assert denied.reached_cap.spend_cap_id == cap.spend_cap_id
    assert (denied.reached_cap.window_start_time, denied.reached_cap.window_end_time) == (
        timestamp(utc(start)),
        timestamp(utc(end)),
    )
    assert (last.decision, after.decision) == (pb.DECISION_ALLOWED, pb.DECISION_ALLOWED)
    await ledger.assert_adds_up()


async def test_a_change_of_zone_counts_the_windows_again_and_holds_at_once_on_every_replica(
    databases: Databases,
) -> None:
    async with two_ledgers(databases) as (first, second):
        await first.set_cap(100, user="ann", window=DAY)
        await first.set_cap(300, group_key="", scope=pb.CAP_SCOPE_CUSTOMER, window=DAY)
        first.clock.advance_to(utc("2025-06-10 21:30"))  # in Berlin 23:30
        await first.debit(10, user="ann")
        first.clock.advance_to(utc("2025-06-10 22:30"))
        await second.debit(20, user="ann")
        lefts = [await _left(first)]
        for zone in (BERLIN, "Asia/Kathmandu", "UTC"):
            await first.set_time_zone(zone)
            lefts += [await _left(second), await _left(first, "bob")]
            await first.assert_adds_up()
        listed = await first.admin.ListSpendCaps(admin.ListSpendCapsRequest(customer="acme"))

    # Kathmandu is 5:45 ahead: there both were on 11 June.
    assert lefts == [70, 80, 280, 70, 270, 70, 270]
    assert listed.time_zone == "UTC"


@pytest.mark.parametrize("zone", ["", "Europe/Atlantis", "CET+1", "../etc/passwd"])
async def test_only_iana_zones_are_known(ledger: RunningLedger, zone: str) -> None:
    with bad_fields("time_zone"):
        await ledger.set_time_zone(zone)
