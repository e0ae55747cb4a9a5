# SPDX-License-Identifier: Apache-2.0
"""An event that names a hold is that hold's capture: gated usage is never counted twice."""

import asyncio

from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import usage_pb2 as usage
from tests.rpc.ledger.test_record_usage import ACCEPTED, DAY, HOUR, REJECTED, of_usage
from tests.support.faults import fault
from tests.support.ledger import AI, CREDIT, JUNE, RunningLedger
from tests.support.ledger_sql import Sql
from tests.support.reported import an_event, report

UNIT = 10**6


def of_hold(hold_id: str, units: str | None = "2", **more: object) -> usage.UsageEvent:
    event = an_event(units=units, **more)  # type: ignore[arg-type]
    event.hold_id = hold_id
    return event


async def a_hold(ledger: RunningLedger, units: int = 3) -> str:
    """Hold 12 credits a unit for ann."""
    return (await ledger.authorize(0, quantity_micros=units * UNIT, user="ann")).hold_id


async def test_the_event_captures_its_hold(ledger: RunningLedger) -> None:
    hold_id = await a_hold(ledger)

    (result,) = await report(ledger, of_hold(hold_id))

    assert (result.event_status, result.credits_micros, result.is_duplicate) == (
        ACCEPTED,
        24 * CREDIT,
        False,
    )
    assert result.lines[0].quantity_micros == 2 * UNIT
    (hold,) = await ledger.holds()
    assert (hold.hold_state, hold.captured_micros) == (admin.HOLD_STATE_CAPTURED, 24 * CREDIT)
    entry = (await ledger.entries())[0]
    assert (entry.hold_id, entry.transaction_id, entry.sequence) == (
        hold_id,
        "tx-1",
        result.lines[0].entry_sequence,
    )
    assert (await ledger.pool()).available_micros == 376 * CREDIT
    await ledger.assert_adds_up()


async def test_a_capture_after_the_event_gets_what_the_event_came_to(ledger: RunningLedger, sql: Sql) -> None:
    hold_id = await a_hold(ledger)
    await report(ledger, of_hold(hold_id))
    before = await sql.everything()

    same = await ledger.capture(hold_id, quantity_micros=2 * UNIT)
    other = await ledger.capture(hold_id, quantity_micros=3 * UNIT)
    all_of_it = await ledger.capture(hold_id)

    assert same == pb.CaptureResponse(
        captured_micros=24 * CREDIT,
        released_micros=12 * CREDIT,
        credit_type_id=AI,
        available_micros=376 * CREDIT,
    )
    assert (other.captured_micros, other.differs, all_of_it.differs) == (24 * CREDIT, True, True)
    assert await sql.everything() == before


async def test_an_event_after_the_capture_gets_what_the_capture_came_to(
    ledger: RunningLedger, sql: Sql
) -> None:
    hold_id = await a_hold(ledger)
    await ledger.capture(hold_id, quantity_micros=2 * UNIT)
    before = await sql.everything()

    same, other = await report(
        ledger, of_hold(hold_id), of_hold(hold_id, "3", transaction_id="tx-2", at=JUNE)
    )

    assert (same.event_status, same.credits_micros, same.is_duplicate, same.differs) == (
        ACCEPTED,
        24 * CREDIT,
        True,
        False,
    )
    assert (other.credits_micros, other.is_duplicate, other.differs) == (24 * CREDIT, True, True)
    assert await sql.everything() == before


async def test_of_two_events_for_one_hold_the_first_counts(ledger: RunningLedger) -> None:
    hold_id = await a_hold(ledger)

    first, second = await report(ledger, of_hold(hold_id), of_hold(hold_id, "1", transaction_id="tx-2"))
    (again,) = await report(ledger, of_hold(hold_id))

    assert (first.credits_micros, first.is_duplicate) == (24 * CREDIT, False)
    assert (second.credits_micros, second.is_duplicate, second.differs) == (24 * CREDIT, True, True)
    assert (again.credits_micros, again.is_duplicate, again.differs) == (24 * CREDIT, True, False)
    assert await of_usage(ledger) == [("CAPTURE", -24 * CREDIT, 0)]
    await ledger.assert_adds_up()


async def test_an_event_and_a_capture_at_once_count_once(ledger: RunningLedger) -> None:
    hold_ids = [await a_hold(ledger, 1) for _ in range(8)]

    events, *captures = await asyncio.gather(
        report(
            ledger,
            *(of_hold(hold_id, "1", transaction_id=hold_id) for hold_id in hold_ids),
        ),
        *(ledger.capture(hold_id, quantity_micros=UNIT) for hold_id in hold_ids),
    )

    assert {one.credits_micros for one in events} == {12 * CREDIT}
    assert {(one.captured_micros, one.differs) for one in captures} == {(12 * CREDIT, False)}
    assert (await ledger.pool()).available_micros == (400 - 8 * 12) * CREDIT
    await ledger.assert_adds_up()


async def test_more_than_held_is_drawn_and_what_is_missing_is_a_shortfall(ledger: RunningLedger) -> None:
    hold_id = await a_hold(ledger, 30)

    (result,) = await report(ledger, of_hold(hold_id, "40"))
    captured = await ledger.capture(hold_id, quantity_micros=40 * UNIT)

    assert (result.credits_micros, result.shortfall_micros) == (480 * CREDIT, 80 * CREDIT)
    assert (captured.captured_micros, captured.shortfall_micros, captured.released_micros) == (
        400 * CREDIT,
        80 * CREDIT,
        0,
    )
    await ledger.assert_adds_up()


async def test_an_expired_hold_is_captured_late_by_its_event(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(0, quantity_micros=3 * UNIT, user="ann", hold_ttl=Duration(seconds=60))
    ledger.clock.advance_to(JUNE + HOUR)

    (result,) = await report(ledger, of_hold(hold.hold_id))
    captured = await ledger.capture(hold.hold_id, quantity_micros=2 * UNIT)

    assert result.credits_micros == 24 * CREDIT
    assert (captured.is_late, captured.released_micros, captured.differs) == (True, 0, False)
    await ledger.assert_adds_up()


async def test_an_event_whose_hold_cannot_be_captured_is_rejected_and_the_rest_is_recorded(
    ledger: RunningLedger, sql: Sql
) -> None:
    released = await a_hold(ledger)
    await ledger.release(released)
    held = await a_hold(ledger)
    await ledger.tell_product("prd_other", event_type="other", version=1)
    await ledger.debit(1)
    before = await sql.everything()

    results = await report(
        ledger,
        of_hold("hld_none"),
        of_hold(held, customer="nobody"),
        of_hold(released),
        of_hold(held, event_type="other"),
        of_hold(held, None),
        of_hold(held, "-1"),
        of_hold(held, at=JUNE - 35 * DAY),
        of_hold("h" * 201),
    )

    assert {one.event_status for one in results} == {REJECTED}
    assert [(usage.RejectionReason.Name(one.rejection_reason)[17:], one.field) for one in results] == [
        ("HOLD_NOT_FOUND", "hold_id"),
        ("HOLD_NOT_FOUND", "hold_id"),
        ("HOLD_RELEASED", "hold_id"),
        ("INVALID_FIELD", "hold_id"),
        ("PROPERTY_MISSING", "properties[units]"),
        ("QUANTITY_NEGATIVE", "properties[units]"),
        ("TOO_OLD", "timestamp"),
        ("INVALID_FIELD", "hold_id"),
    ]
    assert await sql.everything() == before
    (good,) = await report(ledger, of_hold(held))
    assert good.credits_micros == 24 * CREDIT


async def test_a_second_capture_without_an_event_is_still_refused(ledger: RunningLedger) -> None:
    hold_id = await a_hold(ledger)
    await ledger.capture(hold_id, quantity_micros=2 * UNIT)

    with fault(StatusCode.FAILED_PRECONDITION, "HOLD_ALREADY_RESOLVED", hold_id=hold_id, state="CAPTURED"):
        await ledger.capture(hold_id, quantity_micros=2 * UNIT)


async def test_usage_captured_by_an_event_can_be_voided_by_it_or_by_the_hold_and_comes_back_once(
    ledger: RunningLedger,
) -> None:
    hold_id = await a_hold(ledger)
    await report(ledger, of_hold(hold_id))
    who = {"customer": "acme", "reason": "wrong", "actor": "ops"}

    by_event = await ledger.usage.VoidUsage(
        usage.VoidUsageRequest(request_id="v-1", transaction_id="tx-1", **who)
    )
    by_hold = await ledger.usage.VoidUsage(usage.VoidUsageRequest(request_id="v-2", hold_id=hold_id, **who))

    assert [one.credits_micros for one in by_event.lines] == [-24 * CREDIT]
    assert sum(one.credits_micros for one in by_hold.lines) == 0
    assert (await ledger.pool()).available_micros == 400 * CREDIT
    await ledger.assert_adds_up()


async def test_a_request_id_that_is_used_for_another_capture_fails_alone(ledger: RunningLedger) -> None:
    first, second, third = [await a_hold(ledger) for _ in range(3)]
    await ledger.capture(first, quantity_micros=UNIT, request_id="twice")
    await ledger.capture(second, quantity_micros=UNIT)
    await report(ledger, of_hold(third, "1"))

    reused, good = (
        await ledger.gate.CaptureBatch(
            pb.CaptureBatchRequest(
                items=[
                    pb.CaptureRequest(
                        request_id=request_id, customer="acme", hold_id=hold_id, quantity_micros=UNIT
                    )
                    for request_id, hold_id in (("twice", second), ("new", third))
                ]
            )
        )
    ).results

    assert reused.error.code == StatusCode.ALREADY_EXISTS.value[0]
    assert (good.response.captured_micros, good.response.differs) == (12 * CREDIT, False)


async def test_what_an_event_captured_comes_back_in_full_whatever_the_metric(ledger: RunningLedger) -> None:
    await ledger.tell_product(
        "prd_assistant",
        version=2,
        aggregation=peer_pb.AGGREGATION_MAX,
        sum_property="",
        aggregated_property="units",
    )
    hold_id = await a_hold(ledger)
    await report(ledger, an_event("larger", "7"), of_hold(hold_id))

    voided = await ledger.usage.VoidUsage(
        usage.VoidUsageRequest(
            request_id="v-1", customer="acme", transaction_id="tx-1", reason="wrong", actor="ops"
        )
    )

    assert [one.credits_micros for one in voided.lines] == [-24 * CREDIT]
    await ledger.assert_adds_up()


async def test_an_amended_capture_counts_like_any_event_of_its_metric(ledger: RunningLedger) -> None:
    await ledger.tell_product(
        "prd_assistant",
        version=2,
        aggregation=peer_pb.AGGREGATION_MAX,
        sum_property="",
        aggregated_property="units",
    )
    hold_id = await a_hold(ledger)
    await report(ledger, of_hold(hold_id))
    who = {"customer": "acme", "reason": "wrong", "actor": "ops", "transaction_id": "tx-1"}

    amended = await ledger.usage.AmendUsage(
        usage.AmendUsageRequest(request_id="a-1", properties={"units": "1", "user_id": "ann"}, **who)
    )
    (as_large,) = await report(ledger, an_event("tx-2", "1"))
    voided = await ledger.usage.VoidUsage(usage.VoidUsageRequest(request_id="v-1", **who))

    assert sum(one.credits_micros for one in amended.lines) == -12 * CREDIT
    # The other event reports as much, so that it costs nothing, and that nothing comes back.
    assert (as_large.credits_micros, [one.credits_micros for one in voided.lines]) == (0, [0])
    assert (await ledger.pool()).available_micros == 388 * CREDIT
    await ledger.assert_adds_up()
