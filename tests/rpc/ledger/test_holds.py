# SPDX-License-Identifier: Apache-2.0
"""Release and ExtendHold: a hold is given back, lengthened or raised."""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from meshkit.rpc.fields import span, timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, a_rate

MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)


async def test_a_released_hold_is_given_back_whole(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100, user="ann")

    released = await ledger.release(hold.hold_id)

    assert released == pb.ReleaseResponse(
        released_micros=100 * CREDIT, credit_type_id=AI, available_micros=400 * CREDIT
    )
    assert [one.hold_state for one in await ledger.holds()] == [admin.HOLD_STATE_RELEASED]
    await ledger.assert_adds_up()


async def test_an_expired_hold_has_nothing_left_to_give(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100, hold_ttl=span(MINUTE))
    ledger.clock.advance(MINUTE)

    released = await ledger.release(hold.hold_id)
    again = await ledger.release(hold.hold_id)

    assert released == again == pb.ReleaseResponse(credit_type_id=AI, available_micros=400 * CREDIT)
    assert [one.hold_state for one in await ledger.holds()] == [admin.HOLD_STATE_EXPIRED]
    assert (await ledger.capture(hold.hold_id, 5)).is_late
    await ledger.assert_adds_up()


async def test_what_comes_back_to_a_dead_grant_is_lost_with_it(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(JULY - MINUTE)
    hold = await ledger.authorize(100)
    ledger.clock.advance_to(JULY + MINUTE)

    released = await ledger.release(hold.hold_id)

    assert (released.released_micros, released.available_micros) == (100 * CREDIT, 400 * CREDIT)
    june = (await ledger.grants())[0]
    assert (june.expired_micros, june.held_micros, june.available_micros) == (400 * CREDIT, 0, 0)
    await ledger.assert_adds_up()


async def test_a_resolved_hold_is_neither_released_nor_extended(ledger: RunningLedger) -> None:
    captured, released = await ledger.authorize(10), await ledger.authorize(10)
    await ledger.capture(captured.hold_id)
    await ledger.release(released.hold_id)

    for hold, state in ((captured, "CAPTURED"), (released, "RELEASED")):
        told = {"hold_id": hold.hold_id, "state": state}
        with fault(StatusCode.FAILED_PRECONDITION, "HOLD_ALREADY_RESOLVED", **told):
            await ledger.release(hold.hold_id)
        with fault(StatusCode.FAILED_PRECONDITION, "HOLD_ALREADY_RESOLVED", **told):
            await ledger.extend(hold.hold_id, 1)
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)
    with fault(StatusCode.FAILED_PRECONDITION, "HOLD_ALREADY_RESOLVED"):
        await ledger.extend(captured.hold_id, 1)


async def test_only_a_customers_own_holds_are_known(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(10)
    await ledger.tell_customer("cus_globex", "globex")

    for call in (ledger.release, ledger.extend):
        more = {"credits_micros": 1} if call == ledger.extend else {}
        with fault(StatusCode.NOT_FOUND, "HOLD_NOT_FOUND", hold_id=hold.hold_id):
            await call(hold.hold_id, customer="globex", **more)
        with fault(StatusCode.NOT_FOUND, "HOLD_NOT_FOUND", hold_id="hld_unknown"):
            await call("hld_unknown", **more)
        with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
            await call(hold.hold_id, customer="nobody", **more)


async def test_a_hold_is_lengthened_from_now_and_never_shortened(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100, hold_ttl=span(MINUTE))
    ledger.clock.advance(MINUTE / 2)

    longer = await ledger.extend(hold.hold_id, hold_ttl=span(MINUTE))
    not_shorter = await ledger.extend(hold.hold_id, hold_ttl=span(MINUTE / 6))

    assert longer == pb.ExtendHoldResponse(
        decision=pb.DECISION_ALLOWED,
        held_micros=100 * CREDIT,
        credit_type_id=AI,
        available_micros=300 * CREDIT,
        affordable_credits_micros=300 * CREDIT,
        expire_time=timestamp(JUNE + MINUTE * 3 / 2),
    )
    assert not_shorter == longer
    ledger.clock.advance_to(JUNE + MINUTE)
    assert (await ledger.pool()).held_micros == 100 * CREDIT
    ledger.clock.advance_to(JUNE + MINUTE * 3 / 2)
    assert (await ledger.pool()).held_micros == 0
    await ledger.assert_adds_up()


async def test_a_hold_is_raised_and_keeps_its_end(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100, user="ann")

    raised = await ledger.extend(hold.hold_id, 50)

    assert (raised.held_micros, raised.available_micros) == (150 * CREDIT, 250 * CREDIT)
    assert raised.expire_time == hold.expire_time
    assert (await ledger.capture(hold.hold_id)).captured_micros == 150 * CREDIT
    await ledger.assert_adds_up()


async def test_units_on_top_are_priced_by_the_rate_the_hold_was_taken_at(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100)
    await ledger.tell_card(a_rate(price_micros=99 * CREDIT), version=2)

    raised = await ledger.gate.ExtendHold(
        pb.ExtendHoldRequest(
            request_id="r",
            customer="acme",
            hold_id=hold.hold_id,
            quantity_micros=2_000_000,
            hold_ttl=Duration(seconds=3_600),
        )
    )

    assert raised.held_micros == 124 * CREDIT
    assert raised.expire_time == timestamp(JUNE + timedelta(hours=1))


async def test_an_extension_is_all_or_nothing(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100)

    denied = await ledger.extend(hold.hold_id, 301, hold_ttl=span(timedelta(hours=1)))

    assert denied == pb.ExtendHoldResponse(
        decision=pb.DECISION_DENIED,
        denial_reason=pb.DENIAL_REASON_INSUFFICIENT_CREDITS,
        held_micros=100 * CREDIT,
        credit_type_id=AI,
        available_micros=300 * CREDIT,
        affordable_credits_micros=300 * CREDIT,
        expire_time=hold.expire_time,
    )
    assert (await ledger.extend(hold.hold_id, 300)).affordable_credits_micros == 0


async def test_a_spend_cap_holds_for_extensions_too(ledger: RunningLedger) -> None:
    await ledger.set_cap(120, user="ann")
    hold = await ledger.authorize(100, user="ann")

    denied = await ledger.extend(hold.hold_id, 21)
    allowed = await ledger.extend(hold.hold_id, 20)

    assert (denied.denial_reason, denied.affordable_credits_micros) == (
        pb.DENIAL_REASON_SPEND_CAP_REACHED,
        20 * CREDIT,
    )
    assert (allowed.decision, allowed.affordable_credits_micros) == (pb.DECISION_ALLOWED, 0)
    await ledger.capture(hold.hold_id)
    await ledger.assert_adds_up()


async def test_a_suspended_or_no_longer_entitled_customer_gets_no_more_on_top(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100)
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)
    suspended = await ledger.extend(hold.hold_id, 1)
    lengthened = await ledger.extend(hold.hold_id, hold_ttl=Duration(seconds=3_600))
    await ledger.tell_customer("cus_acme", "acme", version=3)
    await ledger.tell_card(version=2)
    not_entitled = await ledger.extend(hold.hold_id, 1)

    assert suspended.denial_reason == pb.DENIAL_REASON_CUSTOMER_SUSPENDED
    assert lengthened.decision == pb.DECISION_ALLOWED
    assert not_entitled.denial_reason == pb.DENIAL_REASON_NOT_ENTITLED
    assert not_entitled.held_micros == suspended.held_micros == 100 * CREDIT


async def test_a_hold_is_extended_until_a_microsecond_before_its_end(ledger: RunningLedger) -> None:
    hold = await ledger.authorize(100, hold_ttl=span(MINUTE))
    ledger.clock.advance(MINUTE - TICK)
    assert (await ledger.extend(hold.hold_id, hold_ttl=span(MINUTE))).decision == pb.DECISION_ALLOWED
    ledger.clock.advance(MINUTE)

    with fault(StatusCode.FAILED_PRECONDITION, "HOLD_EXPIRED", hold_id=hold.hold_id):
        await ledger.extend(hold.hold_id, 1, hold_ttl=span(MINUTE))


async def test_every_bad_field_is_named_at_once(ledger: RunningLedger) -> None:
    with bad_fields("request_id", "customer", "hold_id"):
        await ledger.gate.Release(pb.ReleaseRequest())
    with bad_fields("request_id", "customer", "hold_id", "hold_ttl"):
        await ledger.gate.ExtendHold(pb.ExtendHoldRequest())
    with bad_fields("credits_micros", "hold_ttl"):
        await ledger.extend("hld_1", 0, hold_ttl=span(timedelta(hours=24) + TICK))
