# SPDX-License-Identifier: Apache-2.0
"""Background work continues after failures, and ends when it is stopped."""

import asyncio

import pytest
from structlog.testing import capture_logs

from meshkit.periodic import PeriodicTask, WokenTask

SECONDS_MAX = 60


async def test_work_is_done_again_after_it_failed() -> None:
    third = asyncio.Event()
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ConnectionError("the database is unavailable")
        if runs == 3:
            third.set()

    sweeper = PeriodicTask("due", work, 0.001)
    sweeper.start()
    async with asyncio.timeout(SECONDS_MAX):
        await third.wait()
    await sweeper.stop()

    stopped_at = runs
    await asyncio.sleep(0)
    assert runs == stopped_at


async def test_work_that_never_began_stops_too() -> None:
    async def work() -> None:
        raise AssertionError("it must not run")

    await PeriodicTask("due", work, 1).stop()


async def test_a_failure_is_logged_with_the_name_of_the_work_and_its_notes() -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()
        error = ConnectionError("the database is unavailable")
        error.add_note("in the pantry")
        raise error

    with capture_logs() as said:
        sweeper = PeriodicTask("due", work, 3_600)
        sweeper.start()
        async with asyncio.timeout(SECONDS_MAX):
            await done.wait()
        await asyncio.sleep(0)
        await sweeper.stop()

    assert said == [
        {
            "event": "sweep_failed",
            "log_level": "warning",
            "sweep": "due",
            "error": "ConnectionError: the database is unavailable in the pantry",
        }
    ]


async def test_it_stops_even_when_the_cancellation_ends_as_another_failure() -> None:
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ConnectionError("the rollback failed")

    sweeper = PeriodicTask("due", work, 3_600)
    sweeper.start()
    async with asyncio.timeout(SECONDS_MAX):
        await began.wait()
        await sweeper.stop()


async def test_a_task_that_waits_for_the_stop_may_be_cancelled() -> None:
    began, let_go = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await let_go.wait()

    sweeper = PeriodicTask("due", work, 3_600)
    sweeper.start()
    await began.wait()
    stopping = asyncio.create_task(sweeper.stop())
    await asyncio.sleep(0)
    stopping.cancel()

    with pytest.raises(asyncio.CancelledError):
        await stopping
    let_go.set()
    async with asyncio.timeout(SECONDS_MAX):
        await sweeper.stop()


async def test_woken_work_is_done_at_the_start_and_at_each_wake_also_after_it_failed() -> None:
    done = asyncio.Event()
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        done.set()
        if runs == 1:
            raise ConnectionError("the database is unavailable")

    task = WokenTask(work, poll_seconds=3_600, failed="work_failed")
    with capture_logs() as said:
        await task.start()
        for _ in range(3):
            async with asyncio.timeout(SECONDS_MAX):
                await done.wait()
            done.clear()
            task.wake()
        async with asyncio.timeout(SECONDS_MAX):
            await done.wait()
        await task.stop()

    assert runs == 4
    assert [one["event"] for one in said] == ["work_failed"]


async def test_a_wake_during_the_work_makes_it_run_once_more() -> None:
    again = asyncio.Event()
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            task.wake()
            task.wake()
        else:
            again.set()

    task = WokenTask(work, poll_seconds=3_600, failed="work_failed")
    await task.start()
    async with asyncio.timeout(SECONDS_MAX):
        await again.wait()
    await asyncio.sleep(0)
    await task.stop()

    assert runs == 2
