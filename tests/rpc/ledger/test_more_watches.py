# SPDX-License-Identifier: Apache-2.0
"""WatchThreshold of the newer kinds: which change of an account writes the crossing."""

from datetime import UTC, datetime, timedelta

import pytest

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import usage_pb2 as usage
from tests.support.faults import bad_fields
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, a_rate
from tests.support.ledger_sql import Sql
from tests.support.recording_alert import RecordingAlert

PERCENT = 1_000_000
LOW_PERCENTAGE = {"watch_kind": peer_pb.WATCH_KIND_LOW_PERCENTAGE, "threshold_micros": 20 * PERCENT}
SHORTFALL = {"watch_kind": peer_pb.WATCH_KIND_SHORTFALL}
OVERAGE = {"watch_kind": peer_pb.WATCH_KIND_OVERAGE}
EXPIRING = {"watch_kind": peer_pb.WATCH_KIND_GRANT_EXPIRING, "within_days": 7}
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
AUGUST = datetime(2025, 8, 1, tzinfo=UTC)


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


async def report(ledger: RunningLedger, credits: int, at: datetime, transaction_id: str) -> None:
    """Report usage of so many credits by ann; usage that has happened cannot be denied."""
    event = usage.UsageEvent(
        transaction_id=transaction_id,
        customer="acme",
        event_type="ai_call",
        timestamp=timestamp(at),
        properties={"units": str(credits), "user_id": "ann"},
    )
    answer = await ledger.usage.RecordUsage(usage.RecordUsageRequest(events=[event]))
    assert [one.event_status for one in answer.results] == [usage.EVENT_STATUS_ACCEPTED]


@pytest.fixture
async def at_one_a_unit(watched: RunningLedger) -> RunningLedger:
    """Acme's Ledger, in which a unit costs one credit."""
    await watched.tell_card(a_rate(price_micros=CREDIT), version=2)
    return watched


@pytest.mark.parametrize("customer_id", ["cus_acme", ""])
async def test_a_shortfall_is_told_when_it_starts_and_resolved_by_the_next_usage_period(
    at_one_a_unit: RunningLedger, alert: RecordingAlert, customer_id: str
) -> None:
    ledger = at_one_a_unit
    await ledger.watch(0, customer_id=customer_id, threshold_micros=1, **SHORTFALL)
    first = [("", False, 0)] if customer_id else []

    await report(ledger, 400, JUNE, "all")
    assert await told(ledger, alert) == first
    await report(ledger, 1, JUNE, "more")
    await report(ledger, 5, JUNE, "and more")
    ledger.clock.advance_to(JULY - TICK)
    assert await told(ledger, alert) == [*first, ("", True, CREDIT)]

    ledger.clock.advance_to(JULY)
    assert (await told(ledger, alert))[len(first) + 1 :] == [("", False, 0)]
    assert alert.heard[-1].observe_time == timestamp(JULY)


async def test_a_shortfall_threshold_is_reached_at_it_and_a_void_takes_it_back(
    at_one_a_unit: RunningLedger, alert: RecordingAlert
) -> None:
    ledger = at_one_a_unit
    await ledger.watch(10, rearm_micros=8 * CREDIT, **SHORTFALL)
    await report(ledger, 409, JUNE, "first")
    assert len(await told(ledger, alert)) == 1
    await report(ledger, 1, JUNE, "second")
    assert (await told(ledger, alert))[1:] == [("", True, 10 * CREDIT)]

    await report(ledger, 2, JUNE, "third")
    for transaction_id, is_resolved in (("third", False), ("second", False), ("first", True)):
        await ledger.usage.VoidUsage(
            usage.VoidUsageRequest(
                request_id=ledger.request_id(),
                customer="acme",
                transaction_id=transaction_id,
                reason="a mistake",
                actor="ops@seatsco.example",
            )
        )
        assert len(await told(ledger, alert)) == (3 if is_resolved else 2), transaction_id
    assert (await told(ledger, alert))[2] == ("", False, 0)


async def test_usage_of_the_usage_period_before_is_no_shortfall_of_the_present_one(
    at_one_a_unit: RunningLedger, alert: RecordingAlert
) -> None:
    ledger = at_one_a_unit
    await ledger.watch(0, threshold_micros=1, **SHORTFALL)
    ledger.clock.advance_to(JULY + DAY)

    await report(ledger, 900, JUNE + DAY, "late")

    assert await told(ledger, alert) == [("", False, 0)]
    await report(ledger, 1, JULY + DAY, "present")
    assert (await told(ledger, alert))[1:] == [("", True, CREDIT)]


async def test_a_shortfall_from_before_the_watch_is_found_by_it(
    at_one_a_unit: RunningLedger, alert: RecordingAlert
) -> None:
    ledger = at_one_a_unit
    await report(ledger, 403, JUNE, "all")

    await ledger.watch(3, customer_id="", **SHORTFALL)
    await ledger.watch(4, alert_id="alr_2", customer_id="", **SHORTFALL)

    await ledger.flush()
    assert [(one.alert_id, one.in_alarm, one.value_micros) for one in alert.heard] == [
        ("alr_1", True, 3 * CREDIT)
    ]


async def test_overage_is_told_at_its_threshold_and_is_no_shortfall(
    at_one_a_unit: RunningLedger, alert: RecordingAlert
) -> None:
    ledger = at_one_a_unit
    limit = peer_pb.OverageLimit(credit_type_id=AI, cap_micros=50 * CREDIT)
    await ledger.apply_contract(start=JUNE, version=2, overage=peer_pb.OveragePolicy(limits=[limit]))
    await ledger.watch(20, **OVERAGE)
    await ledger.watch(0, alert_id="alr_2", threshold_micros=1, **SHORTFALL)

    await ledger.debit(419)
    assert await told(ledger, alert) == [("", False, 0), ("", False, 0)]
    await ledger.debit(1)
    await ledger.debit(30)
    assert (await told(ledger, alert))[2:] == [("", True, 20 * CREDIT)]

    ledger.clock.advance_to(AUGUST + DAY)
    assert (await told(ledger, alert))[3:] == [("", False, 0)]
    assert alert.heard[-1].observe_time == timestamp(JULY)


@pytest.mark.parametrize("customer_id", ["cus_acme", ""])
async def test_a_grant_that_expires_soon_is_told_of_by_the_clock_alone(
    watched: RunningLedger, alert: RecordingAlert, customer_id: str
) -> None:
    (included,) = [one for one in await watched.grants() if one.grant_kind]
    await watched.watch(50, customer_id=customer_id, **EXPIRING)
    first = [("", False, 0)] if customer_id else []
    grant = await watched.top_up(60, expire_time=timestamp(JULY + 3 * DAY))
    other = await watched.top_up(49, expire_time=timestamp(JULY + 3 * DAY))
    assert other.grant_id != grant.grant_id

    watched.clock.advance_to(JULY - 7 * DAY - TICK)
    assert await told(watched, alert) == first
    watched.clock.advance_to(JULY - 4 * DAY)
    assert (await told(watched, alert))[len(first) :] == [
        (included.grant_id, True, 400 * CREDIT),
        (grant.grant_id, True, 60 * CREDIT),
    ]
    assert alert.heard[-2].observe_time == timestamp(JULY - 7 * DAY)

    watched.clock.advance_to(JULY + 3 * DAY)
    assert (await told(watched, alert))[len(first) + 2 :] == [
        (included.grant_id, False, 0),
        (grant.grant_id, False, 0),
    ]


async def test_a_debit_that_uses_an_expiring_grant_up_resolves(
    watched: RunningLedger, alert: RecordingAlert, sql: Sql
) -> None:
    await watched.watch(50, rearm_micros=40 * CREDIT, **EXPIRING)
    watched.clock.advance_to(JULY - DAY)
    await watched.debit(1)
    await watched.debit(359)
    assert [one for one in await told(watched, alert) if one[0]][1:] == []

    await watched.debit(1)

    assert [one[1:] for one in await told(watched, alert) if one[0]][1:] == [(False, 39 * CREDIT)]
    watched.clock.advance_to(JULY)
    await watched.flush()
    assert await sql.value("SELECT count(*) FROM ledger.watch_states WHERE group_value <> ''") == 0


async def test_within_days_are_needed_for_expiring_grants(watched: RunningLedger) -> None:
    for days in (0, 367, -1):
        with bad_fields("within_days"):
            await watched.watch(50, watch_kind=peer_pb.WATCH_KIND_GRANT_EXPIRING, within_days=days)


SPEND_IN_DAY = {"watch_kind": peer_pb.WATCH_KIND_SPEND_IN_DAY, "group_key": "user_id"}


@pytest.mark.parametrize("customer_id", ["cus_acme", ""])
async def test_what_a_user_spends_in_a_day_is_told_and_midnight_resolves_it_though_nobody_asks(
    watched: RunningLedger, alert: RecordingAlert, customer_id: str
) -> None:
    await watched.watch(100, customer_id=customer_id, **SPEND_IN_DAY)
    await watched.watch(150, alert_id="alr_month", watch_kind=peer_pb.WATCH_KIND_SPEND, group_key="user_id")
    first = [("", False, 0)] * (2 if customer_id else 1)
    await watched.debit(99, user="ann")
    assert await told(watched, alert) == first
    await watched.debit(1, user="ann")
    assert (await told(watched, alert))[len(first) :] == [("ann", True, 100 * CREDIT)]

    watched.clock.advance_to(JUNE + DAY - TICK)
    assert len(await told(watched, alert)) == len(first) + 1
    watched.clock.advance_to(JUNE + DAY)
    assert (await told(watched, alert))[len(first) + 1 :] == [("ann", False, 0)]
    assert alert.heard[-1].observe_time == timestamp(JUNE + DAY)

    await watched.debit(50, user="ann")  # 150 in the usage period, 50 in the day
    told_last = (await told(watched, alert))[len(first) + 2 :]
    assert told_last == [("ann", True, 150 * CREDIT)]
    assert alert.heard[-1].alert_id == "alr_month"


async def test_a_new_watch_of_the_day_finds_who_is_past_it_today(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.debit(100, user="bob")
    watched.clock.advance_to(JUNE + DAY)
    await watched.debit(60, user="ann")
    await watched.debit(59, user="bob")

    await watched.watch(60, customer_id="", **SPEND_IN_DAY)

    assert await told(watched, alert) == [("ann", True, 60 * CREDIT)]
