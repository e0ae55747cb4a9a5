# SPDX-License-Identifier: Apache-2.0
"""Calls that the gate decides in process, from leases of a real Ledger."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from meshkit.quantity import MICROS
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser_client import Credits, Denial, DenialReason, Denied, Gate, Hold, Quantity, line
from tests.rpc.purser_client.asks import ASK, LONG, credits_of
from tests.support.cutting_proxy import CuttingProxy
from tests.support.ledger import AI, RunningLedger, a_rate

CALLS_MAX = 500  # before so many calls there is a lease
CALL: dict[str, Any] = {**ASK, "credits": "0.1"}


@pytest.fixture
async def gate(ledger: RunningLedger) -> AsyncIterator[Gate]:
    async with Gate(ledger.address, deadline=LONG, lease=True) as opened:
        yield opened


async def until_leased(gate: Gate, **more: Any) -> int:
    """Debit until a call is decided in process; return the number of debits."""
    for number in range(1, CALLS_MAX):
        if (await gate.debit(**(CALL | more))).is_leased:
            return number
    raise AssertionError(f"{CALLS_MAX} calls, and no lease")


async def leases_of(ledger: RunningLedger) -> list[apb.Hold]:
    held = await ledger.holds(hold_state=apb.HOLD_STATE_HELD)
    return [hold for hold in held if hold.hold_id.startswith("lse_")]


async def captured_tenths(ledger: RunningLedger) -> float:
    return sum(grant.captured_micros for grant in await ledger.grants()) * 10 / MICROS


async def test_frequent_calls_are_decided_in_process_and_charged_to_the_micro(
    gate: Gate, ledger: RunningLedger
) -> None:
    debits = await until_leased(gate)
    async with gate.authorize(**ASK, quantity="0.05", user_id="ann") as hold:
        assert hold.is_leased
        assert not hold.is_failed_open
        assert hold.ledger_hold is not None
        assert hold.ledger_hold.hold_id.startswith("lse_")
        assert (hold.ledger_hold.credits, hold.ledger_hold.credit_type_id) == (Credits.of("0.6"), AI)
        hold.capture("0.025")
    await gate.flush()

    assert hold.capture_result is not None
    assert hold.capture_result.captured == hold.capture_result.released == Credits.of("0.3")
    assert await captured_tenths(ledger) == debits + 3


async def test_a_block_that_uses_nothing_or_fails_costs_nothing(gate: Gate, ledger: RunningLedger) -> None:
    debits = await until_leased(gate)
    async with gate.authorize(**CALL) as unused:
        assert unused.is_leased
    async with gate.authorize(**CALL) as nothing:
        assert nothing.is_leased
        nothing.capture(0)
    with pytest.raises(ZeroDivisionError):
        async with gate.authorize(**CALL):
            raise ZeroDivisionError
    await gate.flush()

    assert unused.capture_result is None
    assert nothing.capture_result is not None
    assert (nothing.capture_result.captured, nothing.capture_result.released) == (
        Credits(0),
        Credits.of("0.1"),
    )
    assert await captured_tenths(ledger) == debits


async def test_every_credit_can_be_used_and_none_twice(gate: Gate, ledger: RunningLedger) -> None:
    allowed = leased = 0
    while not isinstance(answer := await gate.try_debit(**ASK, credits=1), Denial):
        allowed += 1
        leased += answer.is_leased
    await gate.flush()

    assert (allowed, leased >= 20) == (400, True)  # the first lease alone pays for 20 calls
    assert answer.reason is DenialReason.INSUFFICIENT_CREDITS
    assert await credits_of(ledger) == (0, 0, 400)


async def test_near_zero_every_call_is_decided_by_the_ledger(gate: Gate) -> None:
    told = [await gate.debit(**ASK, credits=20) for _ in range(20)]  # a tenth of 400 pays for two calls

    assert not any(answer.is_leased for answer in told)


async def test_a_denied_call_gets_what_the_lease_of_its_gate_has_left(
    gate: Gate, ledger: RunningLedger
) -> None:
    debits = await until_leased(gate)

    async with gate.authorize(**ASK, credits=Credits(400 * MICROS - debits * MICROS // 10)) as hold:
        assert not hold.is_leased
        assert await leases_of(ledger) == []
        hold.capture()


async def test_what_a_lease_cannot_decide_goes_to_the_ledger(gate: Gate, ledger: RunningLedger) -> None:
    await until_leased(gate)

    assert not (await gate.debit(**CALL, request_id="can-be-repeated")).is_leased
    assert not (await gate.debit(customer="acme", lines=[line("prd_assistant", "0.01")])).is_leased
    for more in ({"allow_partial": True}, {"ttl": timedelta(seconds=31)}):
        async with gate.authorize(**CALL, **more) as hold:
            assert not hold.is_leased
    async with gate.authorize(**CALL, ttl=timedelta(seconds=30)) as hold:
        assert hold.is_leased


async def test_calls_of_a_capped_user_have_a_lease_with_this_cap(gate: Gate, ledger: RunningLedger) -> None:
    await ledger.set_cap(5, user="ann")
    await until_leased(gate)
    allowed = 0
    while not isinstance(answer := await gate.try_debit(**CALL, user_id="ann"), Denial):
        allowed += 1

    assert (allowed, answer.reason) == (50, DenialReason.SPEND_CAP_REACHED)
    assert await gate.debit(**CALL, user_id="bob")


async def test_an_open_block_is_extended_from_the_lease_or_by_the_ledger(
    gate: Gate, ledger: RunningLedger
) -> None:
    await until_leased(gate)
    async with gate.authorize(**CALL) as hold:
        assert hold.is_leased
        await gate.extend(hold, credits="0.1", ttl=timedelta(minutes=5))
        await gate.extend(hold, credits=100)
        with pytest.raises(Denied, match="INSUFFICIENT_CREDITS"):
            await gate.extend(hold, credits=400)
        assert hold.ledger_hold is not None
        assert hold.ledger_hold.credits == Credits.of("100.2")
        hold.capture()

    assert hold.capture_result is not None
    assert hold.capture_result.captured == Credits.of("100.2")


async def test_a_block_that_was_extended_in_the_other_measure_captures_both(
    gate: Gate, ledger: RunningLedger
) -> None:
    debits = await until_leased(gate)
    async with gate.authorize(**ASK, quantity="0.005") as hold:
        assert hold.is_leased
        await gate.extend(hold, quantity="0.005")
        hold.capture()
    assert hold.capture_result is not None
    assert hold.capture_result.captured == Credits.of("0.12")
    async with gate.authorize(**ASK, quantity="0.005") as hold:
        assert hold.is_leased
        await gate.extend(hold, credits="0.1")
        hold.capture()
    assert hold.capture_result is not None
    assert hold.capture_result.captured == Credits.of("0.16")
    await gate.flush()

    assert await captured_tenths(ledger) == pytest.approx(debits + 1.2 + 1.6)


async def test_more_may_be_used_than_a_lease_has(gate: Gate, ledger: RunningLedger) -> None:
    debits = await until_leased(gate)
    async with gate.authorize(**CALL) as hold:
        assert hold.is_leased
        hold.capture(Credits.of(300))
    await gate.flush()

    assert await captured_tenths(ledger) == debits + 3_000


async def test_a_suspended_customer_is_denied_after_the_next_report(
    gate: Gate, ledger: RunningLedger
) -> None:
    await until_leased(gate)
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)
    await gate.flush()

    with pytest.raises(Denied, match="CUSTOMER_SUSPENDED"):
        await gate.debit(**CALL)


async def test_a_new_price_reaches_a_lease_with_the_next_report(gate: Gate, ledger: RunningLedger) -> None:
    await until_leased(gate)
    await ledger.tell_card(a_rate(price_micros=24 * MICROS), version=2)
    await gate.flush()

    async with gate.authorize(**ASK, quantity="0.01") as hold:
        assert hold.is_leased
        assert hold.ledger_hold is not None
        assert hold.ledger_hold.credits == Credits.of("0.24")


async def test_calls_go_on_while_the_ledger_is_away_and_each_is_recorded_once(
    proxy: CuttingProxy, ledger: RunningLedger
) -> None:
    async with Gate(proxy.address, deadline=LONG, lease=True) as gate:
        debits = await until_leased(gate)
        proxy.cut_next_answers(1)
        await gate.flush()  # the answer is lost, and the report repeated
        assert proxy.cuts == 1
        await proxy.go_away()
        for _ in range(5):
            assert (await gate.debit(**CALL)).is_leased
        await proxy.come_back()
        await gate.flush()

        assert await captured_tenths(ledger) == debits + 5


async def test_closing_the_gate_reports_everything_and_returns_the_rest(ledger: RunningLedger) -> None:
    async with Gate(ledger.address, deadline=LONG, lease=True) as gate:
        debits = await until_leased(gate)
        tasks = [asyncio.create_task(gate.debit(**CALL)) for _ in range(30)]
        await asyncio.gather(*tasks)

    assert await leases_of(ledger) == []
    assert await captured_tenths(ledger) == debits + 30
    assert (await credits_of(ledger))[1] == 0


async def test_wrong_arguments_are_refused_as_without_a_lease(gate: Gate) -> None:
    await until_leased(gate)

    with pytest.raises(TypeError, match="exact"):
        gate.authorize(**ASK, quantity=0.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must be > 0"):
        gate.authorize(**ASK, quantity=0)
    with pytest.raises(TypeError, match="not both"):
        await gate.debit(**ASK, quantity=1, credits=1)
    with pytest.raises(ValueError, match="user_id is 'ann'"):
        gate.authorize(**CALL, user_id="ann", group_values={"user_id": "bob"})
    async with gate.authorize(**CALL) as hold:
        assert isinstance(hold, Hold)
        with pytest.raises(TypeError):
            hold.capture(0.5)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="block has ended"):
        hold.capture(Quantity.of(1))
