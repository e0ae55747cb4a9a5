# SPDX-License-Identifier: Apache-2.0
"""Calls that fail in transit are retried with the same request_id, and take effect once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from grpc import StatusCode

from purser_client import Gate, GateUnreachable, LedgerFault
from tests.rpc.purser_client.asks import ASK, LONG, SHORT, TINY, credits_of
from tests.support.cutting_proxy import CuttingProxy
from tests.support.failing_front import (
    Away,
    Busy,
    FailingFront,
    Mishap,
    Raced,
    hangs_after,
    refused,
    unheard,
)
from tests.support.ledger import RunningLedger

MISHAPS: dict[str, Callable[[], Mishap]] = {
    "refused": lambda: refused(Away("away for now")),
    "unheard": lambda: unheard(Away("away for now")),
    "raced": lambda: refused(Raced("somebody was faster")),
    "busy": lambda: refused(Busy(timedelta(milliseconds=30))),
}
every_mishap = pytest.mark.parametrize("mishap", MISHAPS.values(), ids=MISHAPS)


@pytest.fixture
async def gate(front: FailingFront) -> AsyncIterator[Gate]:
    async with Gate(front.address, deadline=LONG) as opened:
        yield opened


@every_mishap
async def test_every_step_is_retried_with_its_request_id_and_takes_effect_once(
    gate: Gate, front: FailingFront, ledger: RunningLedger, mishap: Callable[[], Mishap]
) -> None:
    for rpc in ("Authorize", "ExtendHold", "Capture", "Debit", "Release"):
        front.will(rpc, mishap(), mishap())

    async with gate.authorize(**ASK, quantity=5) as hold:
        await gate.extend(hold, quantity=5)
        hold.capture()
    await gate.debit(**ASK, quantity=1)
    async with gate.authorize(**ASK, quantity=1):
        pass

    for rpc in ("ExtendHold", "Capture", "Debit", "Release"):
        first, second, third = front.asked_of(rpc)
        assert first == second == third
    assert [
        len(front.asked_of("Authorize")),
        len({one.request_id for one in front.asked_of("Authorize")}),
    ] == [4, 2]
    assert await credits_of(ledger) == (400 - 132, 0, 132)


async def test_a_call_whose_response_was_lost_is_retried(proxy: CuttingProxy, ledger: RunningLedger) -> None:
    async with Gate(proxy.address, deadline=LONG) as gate:
        for _ in range(3):
            proxy.cut_next_answers()
            await gate.debit(**ASK, quantity=1)
        proxy.cut_next_answers()
        async with gate.authorize(**ASK, quantity=1) as hold:
            proxy.cut_next_answers()
            hold.capture()

    assert proxy.cuts == 5
    assert await credits_of(ledger) == (400 - 48, 0, 48)


async def test_an_overloaded_ledger_is_not_called_before_its_retry_delay(
    gate: Gate, front: FailingFront
) -> None:
    pause = timedelta(milliseconds=250)
    front.will("Debit", refused(Busy(pause)))
    loop = asyncio.get_running_loop()

    began = loop.time()
    await gate.debit(**ASK, quantity=1)

    assert loop.time() - began >= pause.total_seconds()


async def test_a_retry_delay_beyond_the_deadline_ends_the_call_at_once(
    gate: Gate, front: FailingFront
) -> None:
    front.will("Debit", refused(Busy(timedelta(hours=1))))

    with pytest.raises(GateUnreachable) as raised:
        await gate.debit(**ASK, quantity=1)

    assert (raised.value.attempts, raised.value.fault.reason) == (1, "QUEUE_FULL")


async def test_an_operation_ends_at_its_deadline(
    gate: Gate, front: FailingFront, ledger: RunningLedger
) -> None:
    done = asyncio.Event()
    front.will("Debit", hangs_after(done))

    with pytest.raises(GateUnreachable) as raised:
        await gate.debit(**ASK, quantity=1, request_id="job-1", deadline=SHORT)
    assert raised.value.fault.code is StatusCode.DEADLINE_EXCEEDED
    await done.wait()
    again = await gate.debit(**ASK, quantity=1, request_id="job-1")

    assert again.debited is not None
    assert await credits_of(ledger) == (388, 0, 12)


async def test_closing_a_gate_ends_its_calls_with_a_clear_error(front: FailingFront) -> None:
    front.will("Debit", hangs_after(asyncio.Event()))
    async with Gate(front.address, deadline=TINY) as gate:
        call = asyncio.create_task(gate.debit(**ASK, quantity=1, deadline=LONG))
        await front.until_asked("Debit")

    with pytest.raises(LedgerFault, match="GATE_CLOSED"):
        await call


async def test_an_unreachable_ledger_raises_at_the_deadline() -> None:
    async with Gate("127.0.0.1:1", deadline=SHORT) as gate:
        with pytest.raises(GateUnreachable) as raised:
            async with gate.authorize(**ASK, quantity=1):
                raise AssertionError("the block must not run")

    assert raised.value.fault.code is StatusCode.UNAVAILABLE
    assert raised.value.attempts > 1


async def test_a_ledger_that_is_back_in_time_causes_no_error(
    proxy: CuttingProxy, ledger: RunningLedger
) -> None:
    async with Gate(proxy.address, deadline=LONG) as gate:
        await gate.debit(**ASK, quantity=1)
        await proxy.go_away()
        asked = asyncio.create_task(gate.debit(**ASK, quantity=1))
        await asyncio.sleep(0)
        await proxy.come_back()
        await asked

    assert await credits_of(ledger) == (376, 0, 24)
