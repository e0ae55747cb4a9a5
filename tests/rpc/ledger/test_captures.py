# SPDX-License-Identifier: Apache-2.0
"""Capture: a hold becomes spend of what was really used."""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from access.control import INSECURE
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, a_rate

TICK = timedelta(microseconds=1)


async def test_without_an_amount_all_that_is_held_is_spent(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100, user="ann")

    captured = await ledger.capture(hold.hold_id)

    assert captured == pb.CaptureResponse(
        captured_micros=100 * CREDIT, credit_type_id=AI, available_micros=300 * CREDIT
    )
    granted, entry = reversed(await ledger.entries())
    assert entry == admin.Entry(
        sequence=2,
        credit_type_id=AI,
        grant_id=granted.grant_id,
        entry_kind=admin.ENTRY_KIND_CAPTURE,
        amount_micros=-100 * CREDIT,
        effective_time=timestamp(JUNE),
        create_time=timestamp(JUNE),
        hold_id=hold.hold_id,
        product_id="prd_assistant",
        group_values={"user_id": "ann"},
        cause_id=entry.cause_id,
        contract_id="con_1",
        subject=INSECURE.subject,
    )
    await ledger.assert_adds_up()


async def test_less_than_held_gives_the_rest_back_at_once(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100)

    captured = await ledger.capture(hold.hold_id, 40)

    assert captured == pb.CaptureResponse(
        captured_micros=40 * CREDIT,
        released_micros=60 * CREDIT,
        credit_type_id=AI,
        available_micros=360 * CREDIT,
    )
    await ledger.assert_adds_up()


async def test_nothing_used_is_a_capture_of_nothing(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100)

    captured = await ledger.capture(hold.hold_id, 0)

    assert (captured.captured_micros, captured.released_micros) == (0, 100 * CREDIT)
    assert [one.hold_state for one in await ledger.holds()] == [admin.HOLD_STATE_CAPTURED]
    await ledger.assert_adds_up()


async def test_the_last_drawn_is_given_back_first(ledger: RunningLedger) -> None:
    await ledger.debit(400)
    for priority in (10, 20, 30):
        await ledger.top_up(100, priority=priority)
    hold = await ledger.authorize(250)

    await ledger.capture(hold.hold_id, 80)

    top_ups = [one for one in (await ledger.pool()).grants if one.grant_kind == pb.GRANT_KIND_TOP_UP]
    assert [one.available_micros // CREDIT for one in top_ups] == [20, 100, 100]
    await ledger.assert_adds_up()


async def test_more_than_held_is_drawn_from_what_is_available(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100)

    captured = await ledger.capture(hold.hold_id, 150)

    assert captured == pb.CaptureResponse(
        captured_micros=150 * CREDIT, credit_type_id=AI, available_micros=250 * CREDIT
    )
    await ledger.assert_adds_up()


async def test_what_cannot_be_drawn_is_a_shortfall_and_never_a_negative_balance(
    ledger: RunningLedger,
) -> None:
    hold = await ledger.authorize(100)
    await ledger.authorize(290)

    captured = await ledger.capture(hold.hold_id, 120)

    assert captured == pb.CaptureResponse(
        captured_micros=110 * CREDIT, shortfall_micros=10 * CREDIT, credit_type_id=AI
    )
    shortfall = (await ledger.entries())[0]
    assert (
        shortfall.entry_kind,
        shortfall.amount_micros,
        shortfall.shortfall_micros,
        shortfall.grant_id,
    ) == (
        admin.ENTRY_KIND_SHORTFALL,
        0,
        10 * CREDIT,
        "",
    )
    pool = await ledger.pool()
    assert (pool.available_micros, pool.held_micros, pool.shortfall_micros) == (0, 290 * CREDIT, 10 * CREDIT)
    await ledger.assert_adds_up()


async def test_units_are_priced_by_the_rate_the_hold_was_taken_at(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100)
    await ledger.tell_card(a_rate(price_micros=99 * CREDIT), version=2)

    captured = await ledger.gate.Capture(
        pb.CaptureRequest(
            request_id=ledger.request_id(), customer="acme", hold_id=hold.hold_id, quantity_micros=2_000_000
        )
    )

    assert captured.captured_micros == 24 * CREDIT


async def test_an_expired_hold_is_captured_late_like_a_debit(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100, user="ann", hold_ttl=Duration(seconds=60))
    ledger.clock.advance_to(JUNE + timedelta(seconds=60))
    await ledger.debit(350)

    captured = await ledger.capture(hold.hold_id)

    assert captured == pb.CaptureResponse(
        captured_micros=50 * CREDIT, shortfall_micros=50 * CREDIT, is_late=True, credit_type_id=AI
    )
    (one,) = await ledger.holds(hold_state=admin.HOLD_STATE_CAPTURED)
    assert (one.amount_micros, one.captured_micros) == (100 * CREDIT, 50 * CREDIT)
    await ledger.assert_adds_up()


async def test_a_microsecond_before_its_end_a_capture_is_not_late(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(400, hold_ttl=Duration(seconds=60))
    ledger.clock.advance_to(JUNE + timedelta(seconds=60) - TICK)

    assert not (await ledger.capture(hold.hold_id)).is_late


async def test_a_late_capture_happens_once(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100, hold_ttl=Duration(seconds=60))
    ledger.clock.advance_to(JUNE + timedelta(seconds=60))
    await ledger.capture(hold.hold_id)

    with fault(StatusCode.FAILED_PRECONDITION, "HOLD_ALREADY_RESOLVED", state="CAPTURED"):
        await ledger.capture(hold.hold_id)
    with fault(StatusCode.FAILED_PRECONDITION, "HOLD_ALREADY_RESOLVED", state="CAPTURED"):
        await ledger.release(hold.hold_id)


async def test_a_hold_taken_before_its_grant_ends_is_captured_from_it_after(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(JULY - timedelta(minutes=1))
    hold = await ledger.authorize(100)
    ledger.clock.advance_to(JULY)

    captured = await ledger.capture(hold.hold_id, 60)

    assert (captured.captured_micros, captured.is_late) == (60 * CREDIT, False)
    assert captured.available_micros == 400 * CREDIT
    june, july = await ledger.grants()
    assert (june.captured_micros, june.expired_micros, june.held_micros) == (60 * CREDIT, 340 * CREDIT, 0)
    assert july.available_micros == 400 * CREDIT
    await ledger.assert_adds_up()


async def test_what_was_used_is_captured_though_the_customer_was_suspended_and_the_contract_ended(
    ledger: RunningLedger,
) -> None:
    hold = await ledger.authorize(100)
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)
    await ledger.apply_contract(
        seats=4, credits_per_seat=100, start=JUNE, end=JUNE + timedelta(seconds=1), version=2
    )
    ledger.clock.advance(timedelta(seconds=1))

    assert (await ledger.capture(hold.hold_id, 150)).captured_micros == 150 * CREDIT


async def test_a_resolved_hold_is_not_captured_again(ledger: RunningLedger) -> None:
    captured, released = await ledger.authorize(10), await ledger.authorize(10)
    await ledger.capture(captured.hold_id)
    await ledger.release(released.hold_id)

    for hold, state in ((captured, "CAPTURED"), (released, "RELEASED")):
        with fault(
            StatusCode.FAILED_PRECONDITION, "HOLD_ALREADY_RESOLVED", hold_id=hold.hold_id, state=state
        ):
            await ledger.capture(hold.hold_id)


async def test_only_a_customers_own_holds_are_known(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(10)
    await ledger.tell_customer("cus_globex", "globex")

    with fault(StatusCode.NOT_FOUND, "HOLD_NOT_FOUND", hold_id=hold.hold_id):
        await ledger.capture(hold.hold_id, customer="globex")
    with fault(StatusCode.NOT_FOUND, "HOLD_NOT_FOUND", hold_id="hld_unknown"):
        await ledger.capture("hld_unknown")
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await ledger.capture(hold.hold_id, customer="nobody")


async def test_every_bad_field_is_named_at_once(ledger: RunningLedger) -> None:
    with bad_fields("request_id", "customer", "hold_id", "credits_micros"):
        await ledger.gate.Capture(pb.CaptureRequest(credits_micros=-1))
    hold = await ledger.authorize(1)
    with bad_fields("quantity_micros"):
        await ledger.gate.Capture(
            pb.CaptureRequest(
                request_id="r", customer="acme", hold_id=hold.hold_id, quantity_micros=10**15 // 12 + 1
            )
        )
