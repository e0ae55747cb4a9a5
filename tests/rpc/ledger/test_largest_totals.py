# SPDX-License-Identifier: Apache-2.0
"""Totals near the limit of int64: refused by name or cut, never an internal error, and nothing half done."""

from datetime import UTC, datetime

import pytest
from grpc import StatusCode

from meshkit.quantity import INT64_MAX
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import usage_pb2
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, AUGUST, CREDIT, JULY, JUNE, RunningLedger, a_rate
from tests.support.ledger_sql import Sql
from tests.support.recording_alert import RecordingAlert

BILLION = 10**9  # the most credits of one request
TICK_OF_9000 = datetime(8999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
YEAR_9000 = datetime(9000, 1, 1, tzinfo=UTC)
YEAR_9999 = datetime(9999, 12, 31, tzinfo=UTC)


async def _grant_beyond_int64(ledger: RunningLedger, sql: Sql) -> None:
    """Give acme 20 grants of a quintillion micros, a thousand times what one request may give."""
    for _ in range(20):
        await ledger.top_up(1)
    await sql.execute("UPDATE ledger.grants SET granted_micros = 1000000000000000000 WHERE kind = 'TOP_UP'")
    await sql.execute("UPDATE ledger.pools SET version = version + 1")


async def _set_shortfall(sql: Sql, micros: int) -> None:
    await sql.execute(f"UPDATE ledger.pools SET shortfall_micros = {micros}, version = version + 1")


async def test_a_balance_beyond_int64_is_told_to_alert_as_the_most_it_can_hold(
    watched: RunningLedger, alert: RecordingAlert, sql: Sql
) -> None:
    await _grant_beyond_int64(watched, sql)

    await watched.watch(100)
    await watched.flush()

    assert [one.value_micros for one in alert.heard] == [INT64_MAX]
    assert (await watched.pool()).remaining_micros == INT64_MAX


async def test_a_shortfall_that_would_exceed_int64_is_refused_and_the_hold_can_still_be_captured(
    ledger: RunningLedger, sql: Sql
) -> None:
    first = await ledger.authorize(400, user="ann")
    await _set_shortfall(sql, INT64_MAX - 100 * CREDIT)

    with fault(StatusCode.FAILED_PRECONDITION, "TOTAL_TOO_LARGE", total="the pool's shortfall"):
        await ledger.capture(first.hold_id, 501)
    (hold,) = await ledger.holds()
    captured = await ledger.capture(first.hold_id, 500)

    assert hold.hold_state == admin.HOLD_STATE_HELD
    assert (captured.captured_micros, captured.shortfall_micros) == (400 * CREDIT, 100 * CREDIT)
    assert (await ledger.pool()).shortfall_micros == INT64_MAX


async def test_an_event_whose_shortfall_would_exceed_int64_is_rejected_by_name(
    ledger: RunningLedger, sql: Sql
) -> None:
    await ledger.debit(400)
    await _set_shortfall(sql, INT64_MAX - 12 * CREDIT)

    rejected, accepted = [await _report(ledger, f"evt_{units}", units) for units in (2, 1)]

    assert rejected.event_status == usage_pb2.EVENT_STATUS_REJECTED
    assert rejected.rejection_reason == usage_pb2.REJECTION_REASON_QUANTITY_TOO_LARGE
    assert "the pool's shortfall" in rejected.detail
    assert accepted.event_status == usage_pb2.EVENT_STATUS_ACCEPTED


async def _report(ledger: RunningLedger, transaction_id: str, units: int) -> usage_pb2.UsageResult:
    event = usage_pb2.UsageEvent(
        transaction_id=transaction_id,
        customer="acme",
        event_type="ai_call",
        timestamp=timestamp(JUNE),
        properties={"units": str(units)},
    )
    recorded = await ledger.usage.RecordUsage(usage_pb2.RecordUsageRequest(events=[event]))
    return recorded.results[0]


@pytest.mark.parametrize("figure", ["period_spent_micros", "day_spent_micros"])
async def test_a_spend_that_would_exceed_int64_is_refused(
    ledger: RunningLedger, sql: Sql, figure: str
) -> None:
    await ledger.debit(1, user="ann")
    await sql.execute(f"UPDATE ledger.spends SET {figure} = {INT64_MAX - 10 * CREDIT}")
    await sql.execute("UPDATE ledger.pools SET version = version + 1")

    with fault(StatusCode.FAILED_PRECONDITION, "TOTAL_TOO_LARGE"):
        await ledger.debit(11, user="ann")
    debited = await ledger.debit(10, user="ann")

    assert debited.decision == pb.DECISION_ALLOWED
    assert (await ledger.pool()).available_micros == 389 * CREDIT


async def test_holds_of_a_group_value_that_would_exceed_int64_are_refused(
    ledger: RunningLedger, sql: Sql
) -> None:
    await ledger.authorize(1, user="ann")
    await sql.execute(f"UPDATE ledger.spends SET held_micros = {INT64_MAX - 10 * CREDIT}")
    await sql.execute("UPDATE ledger.pools SET version = version + 1")

    with fault(StatusCode.FAILED_PRECONDITION, "TOTAL_TOO_LARGE"):
        await ledger.authorize(11, user="ann")
    allowed = await ledger.authorize(10, user="ann")

    assert allowed.decision == pb.DECISION_ALLOWED


async def test_a_meter_that_would_exceed_int64_is_refused_though_its_usage_is_free(
    ledger: RunningLedger,
) -> None:
    await ledger.tell_card(a_rate(price_micros=0), version=2)
    await ledger.debit(0, quantity_micros=INT64_MAX - 5)

    with fault(StatusCode.FAILED_PRECONDITION, "TOTAL_TOO_LARGE"):
        await ledger.debit(0, quantity_micros=6)
    debited = await ledger.debit(0, quantity_micros=5)

    assert debited.decision == pb.DECISION_ALLOWED
    await ledger.assert_adds_up()


async def test_a_free_hold_that_would_exceed_int64_by_its_extension_is_refused(ledger: RunningLedger) -> None:
    await ledger.tell_card(a_rate(price_micros=0), version=2)
    hold = await ledger.authorize(0, quantity_micros=INT64_MAX - 5)

    with fault(StatusCode.FAILED_PRECONDITION, "TOTAL_TOO_LARGE", total="the quantity of the hold"):
        await ledger.extend(hold.hold_id, quantity_micros=6)
    extended = await ledger.extend(hold.hold_id, quantity_micros=5)

    assert extended.decision == pb.DECISION_ALLOWED


async def test_a_cap_whose_use_exceeds_int64_is_explained(ledger: RunningLedger, sql: Sql) -> None:
    await ledger.set_cap(100, user="ann")
    await ledger.authorize(1, user="ann")
    await sql.execute(
        f"UPDATE ledger.spends SET held_micros = {INT64_MAX}, period_start = '2025-06-01Z',"
        f" period_spent_micros = {INT64_MAX}"
    )
    await sql.execute("UPDATE ledger.pools SET version = version + 1")

    denied = await ledger.authorize(1, user="ann")

    assert denied.denial_reason == pb.DENIAL_REASON_SPEND_CAP_REACHED


async def test_sums_of_usage_stay_at_the_most_that_int64_holds(ledger: RunningLedger) -> None:
    """In one usage period: two rates of one product, each used for as much as its meter can count."""
    await ledger.tell_card(a_rate(price_micros=0, rate_id="rat_a"), version=2)
    await ledger.debit(0, quantity_micros=INT64_MAX)
    middle = datetime(2025, 6, 15, tzinfo=UTC)
    await ledger.tell_card(
        a_rate(price_micros=0, rate_id="rat_a", end=middle),
        a_rate(price_micros=0, rate_id="rat_b", start=middle),
        version=3,
    )
    ledger.clock.advance_to(middle)
    await ledger.debit(0, quantity_micros=7)

    found = await ledger.usage.GetUsage(
        usage_pb2.GetUsageRequest(
            customer="acme",
            start_time=timestamp(JUNE),
            end_time=timestamp(JULY),
            window=usage_pb2.USAGE_WINDOW_USAGE_PERIOD,
        )
    )

    assert [one.quantity_micros for one in found.sums] == [INT64_MAX]
    await ledger.assert_adds_up()


async def test_a_preview_in_a_year_without_an_end_of_its_period_is_refused(ledger: RunningLedger) -> None:
    def asked(at: datetime) -> peer_pb.PreviewSeatChangeRequest:
        return peer_pb.PreviewSeatChangeRequest(
            customer_id="cus_acme", subscription_id="sub_1", effective_time=timestamp(at), quantity_delta=1
        )

    for at in (YEAR_9000, YEAR_9999):
        with bad_fields("effective_time"):
            await ledger.peer.PreviewSeatChange(asked(at))
    previewed = await ledger.peer.PreviewSeatChange(asked(TICK_OF_9000))

    assert len(previewed.credits) == 1


async def test_top_spenders_of_a_year_without_an_end_of_its_period_are_refused(ledger: RunningLedger) -> None:
    def asked(at: datetime) -> usage_pb2.ListTopSpendersRequest:
        return usage_pb2.ListTopSpendersRequest(
            customer="acme", credit_type_id=AI, group_key="user_id", period_time=timestamp(at)
        )

    for at in (YEAR_9000, YEAR_9999):
        with bad_fields("period_time"):
            await ledger.usage.ListTopSpenders(asked(at))
    found = await ledger.usage.ListTopSpenders(asked(TICK_OF_9000))

    assert found.period.end_time == timestamp(YEAR_9000)


async def test_credits_of_a_grant_may_end_in_the_last_year(ledger: RunningLedger) -> None:
    await ledger.top_up(BILLION, expire_time=timestamp(YEAR_9999))
    ledger.clock.advance_to(AUGUST)

    debited = await ledger.debit(500)

    assert debited.decision == pb.DECISION_ALLOWED
    await ledger.assert_adds_up()
