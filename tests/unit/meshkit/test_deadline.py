# SPDX-License-Identifier: Apache-2.0
import asyncio

from meshkit.rpc import deadline


async def test_without_a_caller_there_is_no_limit() -> None:
    assert deadline.time_left() is None


async def test_a_caller_without_a_deadline_sets_no_limit() -> None:
    deadline.begin(None)

    assert deadline.time_left() is None


async def test_the_time_left_shrinks_to_zero_and_not_below() -> None:
    deadline.begin(60.0)
    assert 59.0 < (deadline.time_left() or 0.0) <= 60.0

    deadline.begin(-1.0)

    assert deadline.time_left() == 0.0


async def test_a_task_inherits_its_callers_limit_and_may_drop_it() -> None:
    async def outlive() -> float | None:
        deadline.forget()
        return deadline.time_left()

    deadline.begin(60.0)

    assert await asyncio.create_task(outlive()) is None
    assert deadline.time_left() is not None
