# SPDX-License-Identifier: Apache-2.0
"""The sweeper outlives its failures."""

import asyncio

from services.contract.sweeper import Sweeper


async def test_work_is_done_again_after_it_failed() -> None:
    third = asyncio.Event()
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ConnectionError("the database is away")
        if runs == 3:
            third.set()

    sweeper = Sweeper("due", work, interval_seconds=0.001)
    sweeper.start()
    async with asyncio.timeout(10):
        await third.wait()
    await sweeper.stop()

    stopped_at = runs
    await asyncio.sleep(0)
    assert runs == stopped_at


async def test_a_sweeper_that_never_began_stops_too() -> None:
    async def work() -> None:
        raise AssertionError("nobody asked for it")

    await Sweeper("due", work, interval_seconds=1).stop()
