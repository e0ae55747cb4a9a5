# SPDX-License-Identifier: Apache-2.0
"""However a block ends, it leaves no hold."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from purser_client import Gate, GateUnreachable
from tests.rpc.purser_client.asks import ASK, LONG, SHORT, credits_of
from tests.support.failing_front import FailingFront, hangs_after
from tests.support.ledger import RunningLedger


@pytest.fixture
async def gate(front: FailingFront) -> AsyncIterator[Gate]:
    async with Gate(front.address, deadline=LONG) as opened:
        yield opened


async def test_an_exception_releases_the_hold(gate: Gate, ledger: RunningLedger) -> None:
    async def call() -> None:
        async with gate.authorize(**ASK, credits=100):
            assert await credits_of(ledger) == (300, 100, 0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await call()

    assert await credits_of(ledger) == (400, 0, 0)


async def test_a_cancelled_call_has_released_its_hold_when_it_is_over(
    gate: Gate, ledger: RunningLedger
) -> None:
    is_in = asyncio.Event()

    async def call() -> None:
        async with gate.authorize(**ASK, credits=100):
            is_in.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await is_in.wait()
    assert await credits_of(ledger) == (300, 100, 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await credits_of(ledger) == (400, 0, 0)


async def test_a_call_that_times_out_has_released_its_hold(gate: Gate, ledger: RunningLedger) -> None:
    async def call() -> None:
        async with asyncio.timeout(None) as limit, gate.authorize(**ASK, credits=100):
            limit.reschedule(asyncio.get_running_loop().time())
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await call()

    assert await credits_of(ledger) == (400, 0, 0)


async def test_what_was_used_before_a_cancellation_is_captured(gate: Gate, ledger: RunningLedger) -> None:
    is_in = asyncio.Event()

    async def call() -> None:
        async with gate.authorize(**ASK, credits=100) as hold:
            hold.capture(30)
            is_in.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await is_in.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await credits_of(ledger) == (370, 0, 30)


async def test_a_hold_whose_caller_was_cancelled_before_the_response_is_released(
    gate: Gate, front: FailingFront, ledger: RunningLedger
) -> None:
    taken = asyncio.Event()
    front.will("Authorize", hangs_after(taken))

    async def call() -> None:
        async with gate.authorize(**ASK, credits=100):
            raise AssertionError("it was cancelled before")

    task = asyncio.create_task(call())
    await taken.wait()
    assert await credits_of(ledger) == (300, 100, 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gate.close()  # waits for calls in progress

    assert await credits_of(ledger) == (400, 0, 0)
    first, again = front.asked_of("Authorize")
    assert first == again


async def test_a_hold_whose_response_came_too_late_is_released(
    gate: Gate, front: FailingFront, ledger: RunningLedger
) -> None:
    taken = asyncio.Event()
    front.will("Authorize", hangs_after(taken))

    with pytest.raises(GateUnreachable):
        async with gate.authorize(**ASK, credits=100, deadline=SHORT):
            raise AssertionError("the block must not run")
    await front.until_asked("Release")
    await gate.close()

    assert await credits_of(ledger) == (400, 0, 0)


@pytest.mark.parametrize("coalesce", [False, True])
async def test_a_hundred_calls_cancelled_at_any_moment_leave_nothing_held(
    ledger: RunningLedger, coalesce: bool
) -> None:
    gate = Gate(ledger.address, deadline=LONG, coalesce=coalesce)
    await gate.open()

    async def call(number: int) -> None:
        async with gate.authorize(**ASK, credits=1) as hold:
            for _ in range(number % 5):
                await asyncio.sleep(0)
            if number % 2:
                hold.capture()

    calls = [asyncio.create_task(call(number)) for number in range(100)]
    for number, task in enumerate(calls):
        # Each is cancelled at a different moment, from before its request is sent to after its end.
        if number % 4 == 0:
            await gate.balance(customer="acme")
        task.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await gate.close()

    available, held, captured = await credits_of(ledger)
    assert held == 0
    assert available + captured == 400
