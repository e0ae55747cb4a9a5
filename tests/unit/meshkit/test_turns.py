# SPDX-License-Identifier: Apache-2.0
"""Turns: callers with one key go one after another, and nobody waits for another key."""

import asyncio
import gc

import pytest

from meshkit.faults import DatabaseBusy
from meshkit.turns import Turns


async def test_callers_of_one_key_go_one_at_a_time_in_the_order_they_came() -> None:
    turns = Turns(seconds_max=10)
    steps: list[str] = []

    async def call(number: int) -> None:
        async with turns.take("acme"):
            steps.append(f"begin {number}")
            await asyncio.sleep(0)
            steps.append(f"end {number}")

    await asyncio.gather(*map(call, range(3)))

    assert steps == ["begin 0", "end 0", "begin 1", "end 1", "begin 2", "end 2"]


async def test_a_caller_does_not_wait_for_another_key() -> None:
    turns = Turns(seconds_max=0)

    async with turns.take("acme"), turns.take("globex"):
        pass


async def test_a_caller_that_waits_too_long_is_refused_and_leaves_the_queue() -> None:
    turns = Turns(seconds_max=0)

    async with turns.take("acme"):
        with pytest.raises(DatabaseBusy):
            async with turns.take("acme"):
                raise AssertionError("it is not its turn")

    async with turns.take("acme"):
        pass


async def test_a_caller_that_fails_or_is_cancelled_lets_the_next_one_go() -> None:
    turns = Turns(seconds_max=10)
    with pytest.raises(KeyError):
        async with turns.take("acme"):
            raise KeyError
    async with turns.take("acme"):
        waiting = asyncio.create_task(turns.take("acme").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()

    async with turns.take("acme"):
        assert waiting.cancelled() or waiting.cancelling()


async def test_nothing_is_kept_of_a_key_that_nobody_waits_for() -> None:
    turns = Turns(seconds_max=10)

    async with turns.take("acme"):
        pass

    gc.collect()
    assert not turns._locks
