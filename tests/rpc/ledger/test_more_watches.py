# SPDX-License-Identifier: Apache-2.0
"""WatchThreshold of the newer kinds: which change of an account writes the crossing."""

import pytest

from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import bad_fields
from tests.support.ledger import JUNE, RunningLedger
from tests.support.ledger_sql import Sql
from tests.support.recording_alert import RecordingAlert

PERCENT = 1_000_000
LOW_PERCENTAGE = {"watch_kind": peer_pb.WATCH_KIND_LOW_PERCENTAGE, "threshold_micros": 20 * PERCENT}


async def told(ledger: RunningLedger, alert: RecordingAlert) -> list[tuple[str, bool, int]]:
    """Return what Alert has heard, all that waits included: whose, in alarm, value in millionths."""
    await ledger.flush()
    return [(one.group_value, one.in_alarm, one.value_micros) for one in alert.heard]


@pytest.mark.parametrize("customer_id", ["cus_acme", ""])
async def test_a_percentage_of_the_periods_grant_is_low_at_it_and_resolved_beyond_its_rearm_level(
    watched: RunningLedger, alert: RecordingAlert, customer_id: str
) -> None:
    await watched.watch(0, customer_id=customer_id, rearm_micros=25 * PERCENT, **LOW_PERCENTAGE)
    first = [("", False, 100 * PERCENT)] if customer_id else []

    await watched.debit(319)
    assert await told(watched, alert) == first
    await watched.debit(1)
    await watched.debit(10)
    assert (await told(watched, alert))[len(first) :] == [("", True, 20 * PERCENT)]

    await watched.top_up(30)  # 100 of 400: at the rearm level
    assert len(await told(watched, alert)) == len(first) + 1
    await watched.top_up(1)
    assert (await told(watched, alert))[len(first) + 1 :] == [("", False, 25_250_000)]


async def test_a_seat_more_raises_what_a_percentage_is_of(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(0, **LOW_PERCENTAGE)
    await watched.debit(320)

    await watched.change_seats(1, JUNE, sequence=1)

    assert await told(watched, alert) == [
        ("", False, 100 * PERCENT),
        ("", True, 20 * PERCENT),
        ("", False, 36 * PERCENT),
    ]


async def test_a_top_up_of_a_pool_without_included_credits_is_no_percentage(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.tell_customer("cus_globex", "globex")
    await watched.watch(0, customer_id="cus_globex", **LOW_PERCENTAGE)

    await watched.top_up(5, customer="globex")

    assert await told(watched, alert) == []


async def test_a_paused_percentage_is_silent_and_a_resumed_one_told_anew(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(0, **LOW_PERCENTAGE)
    await watched.watch(0, version=2, is_active=False, **LOW_PERCENTAGE)
    await watched.debit(400)
    assert await told(watched, alert) == [("", False, 100 * PERCENT)]

    await watched.watch(0, version=3, **LOW_PERCENTAGE)

    assert (await told(watched, alert))[1:] == [("", True, 0)]


async def test_the_previous_version_finds_no_watch_of_a_newer_kind(watched: RunningLedger, sql: Sql) -> None:
    await watched.watch(100)
    await watched.watch(0, alert_id="alr_2", **LOW_PERCENTAGE)

    assert await sql.value("SELECT string_agg(alert_id, ',') FROM ledger.watches") == "alr_1"
    assert await sql.value("SELECT string_agg(alert_id, ',') FROM ledger.more_watches") == "alr_2"


async def test_a_rearm_level_on_the_side_of_the_alarm_is_refused(watched: RunningLedger) -> None:
    with bad_fields("rearm_micros"):
        await watched.watch(0, rearm_micros=20 * PERCENT - 1, **LOW_PERCENTAGE)
    assert (await watched.watch(0, rearm_micros=20 * PERCENT, **LOW_PERCENTAGE)).version == 1
