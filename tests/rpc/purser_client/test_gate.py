# SPDX-License-Identifier: Apache-2.0
"""The gate against a real Ledger: its answers as the caller sees them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from grpc import StatusCode

from purser_client import (
    Credits,
    Denial,
    DenialReason,
    Denied,
    FullCap,
    Gate,
    Hold,
    LedgerFault,
    Quantity,
    ShadowDenial,
)
from tests.rpc.purser_client.asks import ASK, LONG, credits_of
from tests.support.ledger import AI, JULY, JUNE, RunningLedger


@pytest.fixture
async def gate(ledger: RunningLedger) -> AsyncIterator[Gate]:
    async with Gate(ledger.address, deadline=LONG) as opened:
        yield opened


async def test_the_used_part_of_a_hold_is_captured(gate: Gate, ledger: RunningLedger) -> None:
    async with gate.authorize(**ASK, quantity=5, user_id="ann", ttl=timedelta(minutes=1)) as hold:
        assert hold.ledger_hold is not None
        assert (hold.ledger_hold.credits, hold.ledger_hold.quantity) == (Credits.of(60), Quantity.of(5))
        assert (hold.ledger_hold.credit_type_id, hold.ledger_hold.available) == (AI, Credits.of(340))
        assert hold.ledger_hold.expire_time == JUNE + timedelta(minutes=1)
        hold.capture("2.5")

    assert hold.capture_result is not None
    assert (hold.capture_result.captured, hold.capture_result.released) == (Credits.of(30), Credits.of(30))
    assert (hold.capture_result.available, hold.capture_result.credit_type_id) == (Credits.of(370), AI)
    assert (hold.capture_result.shortfall, hold.capture_result.is_late) == (Credits.zero(), False)
    assert await credits_of(ledger) == (370, 0, 30)


async def test_a_request_in_credits_may_be_captured_in_units(gate: Gate, ledger: RunningLedger) -> None:
    async with gate.authorize(**ASK, credits=100) as hold:
        hold.capture(Quantity.of(1))

    assert await credits_of(ledger) == (388, 0, 12)


async def test_more_may_be_used_than_was_held_and_the_shortfall_is_returned(
    gate: Gate, ledger: RunningLedger
) -> None:
    async with gate.authorize(**ASK, credits=100) as hold:
        hold.capture(450)

    assert hold.capture_result is not None
    assert (hold.capture_result.captured, hold.capture_result.shortfall) == (Credits.of(400), Credits.of(50))


async def test_a_hold_that_expires_during_the_call_is_captured_late(
    gate: Gate, ledger: RunningLedger
) -> None:
    async with gate.authorize(**ASK, credits=100, ttl=timedelta(seconds=1)) as hold:
        ledger.clock.advance(timedelta(seconds=1))
        hold.capture()

    assert hold.capture_result is not None
    assert hold.capture_result.is_late
    assert await credits_of(ledger) == (300, 0, 100)


async def test_releasing_an_expired_hold_raises_nothing(gate: Gate, ledger: RunningLedger) -> None:
    async with gate.authorize(**ASK, credits=100, ttl=timedelta(seconds=1)):
        ledger.clock.advance(timedelta(seconds=1))

    assert await credits_of(ledger) == (400, 0, 0)


async def test_group_values_identify_who_spends(gate: Gate, ledger: RunningLedger) -> None:
    await ledger.set_cap(20, user="ann")

    await gate.debit(**ASK, credits=20, user_id="ann", group_values={"team": "red"})

    with pytest.raises(Denied) as raised:
        await gate.debit(**ASK, credits=1, group_values={"user_id": "ann"})
    assert raised.value.reason is DenialReason.SPEND_CAP_REACHED
    await gate.debit(**ASK, credits=1, user_id="bob")


async def test_a_denial_names_the_cap_on_open_holds_and_when_one_more_is_allowed(
    gate: Gate, ledger: RunningLedger
) -> None:
    cap = await ledger.set_concurrency_cap(1, group_key="user_id")
    async with gate.authorize(**ASK, credits=1, user_id="ann", ttl=timedelta(minutes=1)):
        with pytest.raises(Denied) as raised:
            async with gate.authorize(**ASK, credits=1, user_id="ann"):
                raise AssertionError("it was denied")

    assert raised.value.reason is DenialReason.TOO_MANY_IN_FLIGHT
    assert raised.value.denial.full_cap == FullCap(
        concurrency_cap_id=cap.concurrency_cap_id,
        group_key="user_id",
        group_value="ann",
        product="",
        holds_max=1,
        open_holds=1,
        free_time=JUNE + timedelta(minutes=1),
    )


async def test_what_only_shadow_mode_has_allowed_says_so(gate: Gate, ledger: RunningLedger) -> None:
    await ledger.set_shadow()

    async with gate.authorize(**ASK, credits=410) as hold:
        assert hold.ledger_hold is not None
        assert hold.ledger_hold.credits == Credits.of(400)
        assert hold.ledger_hold.shadow_denial == ShadowDenial(
            reason=DenialReason.INSUFFICIENT_CREDITS,
            spend_cap_id="",
            concurrency_cap_id="",
            missing=Credits.of(10),
        )
        hold.capture(410)
    debited = await gate.debit(**ASK, credits=5)

    assert hold.capture_result is not None
    assert hold.capture_result.shortfall == Credits.of(10)
    assert debited.debited == Credits.zero()
    assert debited.shadow_denial is not None
    assert debited.shadow_denial.missing == Credits.of(5)


async def test_a_denial_says_what_would_be_allowed(gate: Gate, ledger: RunningLedger) -> None:
    with pytest.raises(Denied) as raised:
        async with gate.authorize(**ASK, quantity=34):
            raise AssertionError("it was denied")

    denied = raised.value
    assert (denied.reason, denied.available) == (DenialReason.INSUFFICIENT_CREDITS, Credits.of(400))
    assert (denied.affordable, denied.affordable_credits) == (Quantity.of("33.333333"), Credits.of(400))
    async with gate.try_authorize(**ASK, quantity=denied.affordable) as answer:
        assert isinstance(answer, Hold)


async def test_try_authorize_returns_a_denial_as_a_value(gate: Gate, ledger: RunningLedger) -> None:
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)

    async with gate.try_authorize(**ASK, quantity=1) as answer:
        assert isinstance(answer, Denial)
        assert answer.reason is DenialReason.CUSTOMER_SUSPENDED
    denial = await gate.try_debit(**ASK, quantity=1)

    assert isinstance(denial, Denial)
    assert denial.reason is DenialReason.CUSTOMER_SUSPENDED


async def test_a_hold_of_a_part_is_possible_on_request(gate: Gate, ledger: RunningLedger) -> None:
    async with gate.authorize(**ASK, credits=500, allow_partial=True) as hold:
        assert hold.ledger_hold is not None
        assert hold.ledger_hold.credits == Credits.of(400)


async def test_a_hold_can_be_raised_and_prolonged(gate: Gate, ledger: RunningLedger) -> None:
    async with gate.authorize(**ASK, quantity=1, ttl=timedelta(seconds=10)) as hold:
        await gate.extend(hold, quantity=2)
        await gate.extend(hold, ttl=timedelta(hours=1))
        assert hold.ledger_hold is not None
        assert (hold.ledger_hold.credits, hold.ledger_hold.quantity) == (Credits.of(36), Quantity.of(3))
        assert hold.ledger_hold.expire_time == JUNE + timedelta(hours=1)

        with pytest.raises(Denied) as raised:
            await gate.extend(hold, credits=365)
        assert raised.value.affordable_credits == Credits.of(364)
        hold.capture()

    assert await credits_of(ledger) == (364, 0, 36)


async def test_a_debit_spends_immediately_and_once_per_request_id(gate: Gate, ledger: RunningLedger) -> None:
    first = await gate.debit(**ASK, quantity="0.5", request_id="job-7")
    again = await gate.debit(**ASK, quantity="0.5", request_id="job-7")

    assert first == again
    assert (first.debited, first.available, first.credit_type_id) == (Credits.of(6), Credits.of(394), AI)
    assert (first.request_id, first.is_failed_open) == ("job-7", False)
    assert await credits_of(ledger) == (394, 0, 6)


async def test_a_balance_lists_pools_and_their_grants(gate: Gate, ledger: RunningLedger) -> None:
    await ledger.top_up(1_000)
    await gate.debit(**ASK, credits=100)

    async with gate.authorize(**ASK, credits=50):
        balance = await gate.balance(customer="cus_acme")

    (pool,) = balance.pools
    included, top_up = pool.grants
    assert (pool.credit_type_id, pool.available, pool.held) == (AI, Credits.of(1_250), Credits.of(50))
    assert (included.kind, included.captured, included.held) == ("INCLUDED", Credits.of(100), Credits.of(50))
    assert (included.expire_time, top_up.expire_time) == (JULY, None)
    assert (top_up.kind, top_up.available, top_up.priority) == ("TOP_UP", Credits.of(1_000), 100)
    assert (pool.next_expire_time, pool.next_expiring) == (JULY, Credits.of(300))
    assert balance.as_of_time == datetime(2025, 6, 1, tzinfo=UTC)
    assert balance.available(AI) == Credits.of(1_250)
    assert (await gate.balance(customer="acme", credit_type_id="crt_none")).available(AI) == Credits.zero()


@pytest.mark.parametrize(
    ("more", "code", "reason"),
    [
        ({"customer": "nobody"}, StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"),
        ({"product": "prd_none"}, StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND"),
        ({"customer": ""}, StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS"),
    ],
)
async def test_an_error_has_its_reason(
    gate: Gate, more: dict[str, str], code: StatusCode, reason: str
) -> None:
    with pytest.raises(LedgerFault) as raised:
        await gate.debit(**(ASK | more), quantity=1)

    assert (raised.value.code, raised.value.reason) == (code, reason)


async def test_every_bad_field_is_named(gate: Gate) -> None:
    with pytest.raises(LedgerFault) as raised:
        async with gate.authorize(customer=" ", product="", quantity=1, ttl=timedelta(days=2)):
            raise AssertionError("it was refused")

    assert {violation.field for violation in raised.value.violations} == {
        "customer",
        "product_id",
        "hold_ttl",
    }


async def test_capturing_a_hold_that_another_caller_resolved_raises(
    gate: Gate, ledger: RunningLedger
) -> None:
    async def call() -> None:
        async with gate.authorize(**ASK, quantity=1) as hold:
            assert hold.ledger_hold is not None
            await ledger.release(hold.ledger_hold.hold_id)
            hold.capture()

    with pytest.raises(LedgerFault) as raised:
        await call()
    assert raised.value.reason == "HOLD_ALREADY_RESOLVED"
