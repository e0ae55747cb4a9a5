# SPDX-License-Identifier: Apache-2.0
"""WatchThreshold: the debit that takes a value past a threshold writes the crossing; Alert hears each edge once."""

from datetime import UTC, datetime, timedelta

import pytest
from grpc import StatusCode

from meshkit.faults import DatabaseUnavailable
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_peer_pb2
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import CREDIT, JULY, JUNE, RunningLedger
from tests.support.ledger_sql import Sql
from tests.support.recording_alert import RecordingAlert

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
SPEND = {"watch_kind": peer_pb.WATCH_KIND_SPEND, "group_key": "user_id"}


async def _told(ledger: RunningLedger, alert: RecordingAlert) -> list[tuple[str, bool, int, int]]:
    """Return what Alert has heard, all that waits included: whose, in alarm, whole credits, sequence."""
    await ledger.flush()
    return [(one.group_value, one.in_alarm, one.value_micros // CREDIT, one.sequence) for one in alert.heard]


async def test_the_first_observation_is_told_whatever_it_is(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    answer = await watched.watch(100)

    assert answer == peer_pb.WatchThresholdResponse(version=1)
    assert await _told(watched, alert) == [("", False, 400, 1)]
    assert alert.heard == [
        alert_peer_pb2.ObserveCrossingRequest(
            request_id=alert.heard[0].request_id,
            alert_id="alr_1",
            customer_id="cus_acme",
            value_micros=400 * CREDIT,
            sequence=1,
            observe_time=timestamp(JUNE),
        )
    ]
    assert alert.heard[0].request_id.startswith("ntc_")


async def test_the_debit_that_crosses_is_told_of_without_waiting(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(100)

    await watched.debit(300)

    heard = await alert.until_heard(2)
    assert (heard[1].in_alarm, heard[1].value_micros) == (True, 100 * CREDIT)


async def test_each_edge_is_told_once_and_no_debit_between_them(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(100)
    for _ in range(7):
        await watched.debit(50)
    await watched.top_up(50)  # 100 left: still at the threshold
    await watched.top_up(1)
    await watched.debit(1)

    assert await _told(watched, alert) == [
        ("", False, 400, 1),
        ("", True, 100, 2),
        ("", False, 101, 3),
        ("", True, 100, 4),
    ]
    assert len({one.request_id for one in alert.heard}) == 4


async def test_holds_are_not_spent_and_cross_nothing_until_captured(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(100)
    hold = await watched.authorize(350)
    released = await watched.authorize(50)
    await watched.release(released.hold_id)
    before = await _told(watched, alert)

    await watched.capture(hold.hold_id)

    assert before == [("", False, 400, 1)]
    assert (await _told(watched, alert))[1:] == [("", True, 50, 2)]


async def test_a_threshold_of_nothing_is_reached_at_nothing(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(0)
    await watched.debit(0, credits_micros=400 * CREDIT - 1)
    before = await _told(watched, alert)
    await watched.debit(0, credits_micros=1)

    assert before == [("", False, 400, 1)]
    assert (await _told(watched, alert))[1:] == [("", True, 0, 2)]


async def test_a_new_month_resolves_and_its_end_alarms_though_nobody_asks(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(100)
    await watched.debit(350)
    watched.clock.advance_to(JULY)
    await watched.flush()
    await watched.apply_contract(start=JUNE, end=datetime(2025, 8, 1, tzinfo=UTC), version=2)
    watched.clock.advance_to(datetime(2025, 8, 1, tzinfo=UTC))

    assert await _told(watched, alert) == [
        ("", False, 400, 1),
        ("", True, 50, 2),
        ("", False, 400, 3),
        ("", True, 0, 4),
    ]
    assert alert.heard[2].observe_time == timestamp(JULY)


async def test_crossings_wait_in_the_debits_own_transaction_until_alert_is_back(
    watched: RunningLedger, alert: RecordingAlert, sql: Sql
) -> None:
    await watched.watch(100)
    await watched.flush()
    await alert.go_away()

    await watched.debit(300)
    await watched.top_up(1)
    kept = await sql.rows(
        "SELECT kind, payload FROM ledger.outbox WHERE sent_time IS NULL ORDER BY create_time"
    )
    await alert.come()

    assert [(row["kind"], '"in_alarm": true' in row["payload"]) for row in kept] == [
        ("CROSSING", True),
        ("CROSSING", False),
    ]
    assert await alert.until_heard(3)
    assert (await _told(watched, alert))[1:] == [("", True, 100, 2), ("", False, 101, 3)]
    assert await sql.value("SELECT count(*) FROM ledger.outbox WHERE sent_time IS NULL") == 0


async def test_what_alert_refuses_is_told_again_under_the_same_id_and_in_order(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    alert.fault = DatabaseUnavailable()
    await watched.watch(100)
    await watched.debit(300)
    await watched.flush()
    alert.fault = None

    told = await _told(watched, alert)

    assert told == [("", False, 400, 1), ("", True, 100, 2)]
    assert {one.request_id for one in alert.refused} == {alert.heard[0].request_id}


async def test_a_spend_watch_counts_each_user_by_itself(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(100, **SPEND)
    for user, credits in (("ann", 60), ("bob", 99), ("ann", 40), ("ann", 10), ("bob", 1)):
        await watched.debit(credits, user=user)
    await watched.debit(90)

    assert await _told(watched, alert) == [("", False, 0, 1), ("ann", True, 100, 1), ("bob", True, 100, 1)]


async def test_a_spend_watch_set_late_finds_those_who_are_past_it_already(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.debit(120, user="ann")
    await watched.debit(20, user="bob")

    await watched.watch(100, **SPEND)

    assert await _told(watched, alert) == [("", False, 0, 1), ("ann", True, 120, 1)]


async def test_a_spend_watch_of_a_later_version_finds_those_it_is_now_past(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(200, **SPEND)
    await watched.debit(120, user="ann")

    await watched.watch(100, version=2, **SPEND)

    assert await _told(watched, alert) == [("", False, 0, 1), ("", False, 0, 2), ("ann", True, 120, 1)]


async def test_a_spend_watch_may_name_one_user(watched: RunningLedger, alert: RecordingAlert) -> None:
    await watched.watch(100, **SPEND, group_value="ann")
    await watched.debit(150, user="bob")
    await watched.debit(99, user="ann")
    await watched.debit(1, user="ann")

    assert await _told(watched, alert) == [("ann", False, 0, 1), ("ann", True, 100, 2)]


async def test_spend_alarms_end_with_the_billing_period_though_nobody_asks(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(100, **SPEND)
    await watched.debit(100, user="ann")
    watched.clock.advance_to(JULY - TICK)
    before = await _told(watched, alert)
    watched.clock.advance_to(JULY)

    assert len(before) == 2
    assert (await _told(watched, alert))[2:] == [("ann", False, 0, 2)]
    await watched.debit(100, user="ann")
    assert (await _told(watched, alert))[3:] == [("ann", True, 100, 3)]


async def test_a_watch_on_everybody_is_observed_as_accounts_change(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.tell_customer("cus_globex", "globex")
    await watched.debit(1)  # so that acme is remembered without the watch
    await watched.watch(100, customer_id="")
    assert await _told(watched, alert) == []

    await watched.debit(299)
    await watched.top_up(99, customer="globex")
    await watched.top_up(2, customer="globex")
    await watched.top_up(500, customer="globex")

    await watched.flush()
    assert [(one.customer_id, one.in_alarm, one.sequence) for one in alert.heard] == [
        ("cus_acme", True, 1),
        ("cus_globex", True, 1),
        ("cus_globex", False, 2),
    ]


async def test_an_older_version_is_ignored_and_an_ended_watch_is_silent(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    assert (await watched.watch(100, version=3)).version == 3
    assert (await watched.watch(400, version=2)).version == 3
    assert (await watched.watch(100, version=3)).version == 3
    assert (await watched.watch(100, version=4, is_active=False)).version == 4

    await watched.debit(400)

    assert await _told(watched, alert) == [("", False, 400, 1)]


async def test_a_watch_on_another_credit_type_sees_that_pool_only(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(5, credit_type_id="crt_image")
    await watched.debit(400)
    await watched.top_up(6, credit_type_id="crt_image")

    assert await _told(watched, alert) == [("", False, 6, 1)]


async def test_a_denied_ask_crosses_nothing(watched: RunningLedger, alert: RecordingAlert) -> None:
    await watched.watch(100)
    await watched.debit(401)
    await watched.authorize(401)

    assert await _told(watched, alert) == [("", False, 400, 1)]


async def test_unknown_customers_and_bad_fields_are_faults(watched: RunningLedger) -> None:
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="cus_nobody"):
        await watched.watch(1, customer_id="cus_nobody")
    with bad_fields("request_id", "alert_id", "version", "watch_kind", "credit_type_id", "threshold_micros"):
        await watched.peer.WatchThreshold(peer_pb.WatchThresholdRequest(threshold_micros=-1))
    with bad_fields("group_key"):
        await watched.watch(1, watch_kind=peer_pb.WATCH_KIND_LOW_SEAT_BALANCE)
    with bad_fields("rearm_micros"):
        await watched.watch(10, rearm_micros=10 * CREDIT - 1)
    with bad_fields("rearm_micros"):
        await watched.watch(10, rearm_micros=10 * CREDIT + 1, **SPEND)


async def test_what_one_user_spends_is_told_of_no_other(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    for _ in range(2):
        await watched.debit(60, user="ann")
        await watched.debit(10, user="bob")
    await watched.watch(100, customer_id="", **SPEND)

    await watched.debit(10, user="bob")
    await watched.debit(80, user="bob")
    await watched.debit(1, user="ann")

    assert sorted(await _told(watched, alert)) == [("ann", True, 121, 1), ("bob", True, 110, 1)]


async def test_a_balance_that_hovers_around_its_threshold_is_one_alarm(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(10, rearm_micros=20 * CREDIT)
    balance = 400
    for target in (11, 9, 15, 9, 15, 20, 21, 9):
        if target < balance:
            await watched.debit(balance - target)
        else:
            await watched.top_up(target - balance)
        balance = target

    assert await _told(watched, alert) == [
        ("", False, 400, 1),
        ("", True, 9, 2),
        ("", False, 21, 3),
        ("", True, 9, 4),
    ]


async def test_a_raised_threshold_is_observed_anew_from_its_own_side(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(100, rearm_micros=200 * CREDIT)
    await watched.debit(300)

    # 100 is above 90, so it is no alarm; that it is not beyond 200 counts only for an alarm that has begun.
    await watched.watch(90, rearm_micros=200 * CREDIT, version=2)

    assert (await _told(watched, alert))[1:] == [("", True, 100, 2), ("", False, 100, 3)]


@pytest.mark.parametrize("customer_id", ["", "cus_globex"])
async def test_a_pool_that_was_never_granted_anything_is_not_low(
    watched: RunningLedger, alert: RecordingAlert, customer_id: str
) -> None:
    await watched.tell_customer("cus_globex", "globex")
    await watched.watch(300, customer_id=customer_id)
    await watched.top_up(300, customer="globex", effective_time=timestamp(JUNE + 5 * DAY))
    watched.clock.advance_to(JUNE + 5 * DAY - TICK)
    assert await _told(watched, alert) == []

    watched.clock.advance_to(JUNE + 5 * DAY)

    assert await _told(watched, alert) == [("", True, 300, 1)]


async def test_a_pool_that_has_spent_everything_is_low_for_a_new_watch(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.debit(400)

    await watched.watch(100)

    assert await _told(watched, alert) == [("", True, 0, 1)]


@pytest.mark.parametrize("customer_id", ["", "cus_globex"])
async def test_a_backdated_contract_raises_no_alarm_of_months_that_are_over(
    watched: RunningLedger, alert: RecordingAlert, customer_id: str
) -> None:
    await watched.tell_customer("cus_globex", "globex")
    await watched.watch(100, customer_id=customer_id)
    watched.clock.advance_to(JULY + 9 * DAY)
    before = len(await _told(watched, alert))

    await watched.apply_contract(
        customer_id="cus_globex", contract_id="con_globex", start=datetime(2025, 3, 1, tzinfo=UTC)
    )

    assert (await _told(watched, alert))[before:] == ([("", False, 400, 1)] if customer_id else [])


async def test_a_new_watch_on_everybody_finds_those_who_are_past_it_and_tells_of_no_other(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    for number in range(3):
        await watched.tell_customer(f"cus_{number}", f"c{number}")
        await watched.top_up(100 + number, customer=f"c{number}")
    await watched.watch(101, customer_id="")

    await watched.flush()

    assert sorted((one.customer_id, one.in_alarm, one.value_micros // CREDIT) for one in alert.heard) == [
        ("cus_0", True, 100),
        ("cus_1", True, 101),
    ]
    await watched.flush()
    assert len(alert.heard) == 2


async def test_a_lower_threshold_ends_the_alarms_of_those_who_are_no_longer_past_it(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(500, customer_id="")
    await watched.flush()

    await watched.watch(399, customer_id="", version=2)

    assert await _told(watched, alert) == [("", True, 400, 1), ("", False, 400, 2)]


async def test_a_new_spend_watch_on_everybody_finds_each_user_who_is_past_it(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.debit(120, user="ann")
    await watched.debit(119, user="bob")

    await watched.watch(120, customer_id="", **SPEND)

    assert await _told(watched, alert) == [("ann", True, 120, 1)]


async def test_a_watch_on_everybody_ignores_spends_of_an_earlier_usage_period(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.debit(120, user="ann")
    watched.clock.advance_to(JULY)

    await watched.watch(120, customer_id="", **SPEND)

    assert await _told(watched, alert) == []


async def test_a_watch_on_everybody_that_ended_is_not_observed_any_more(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.watch(500, customer_id="")
    await watched.watch(500, customer_id="", version=2, is_active=False)

    assert await _told(watched, alert) == []
