# SPDX-License-Identifier: Apache-2.0
"""Together: what is asked for while work runs is done in one go after it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from meshkit.together import Together


class Work:
    """Doubles numbers when it is let; it fails for a go with a negative one."""

    def __init__(self) -> None:
        self.gone: list[list[int]] = []
        self.may_go_on = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.gone.append(list(items))
        await self.may_go_on.wait()
        if min(items) < 0:
            raise ValueError("negative")
        return [2 * item for item in items]


async def _asked(together: Together[int, int], *items: int) -> list[asyncio.Task[int]]:
    async def ask(item: int) -> int:
        return await together(item)

    tasks = [asyncio.create_task(ask(item)) for item in items]
    await asyncio.sleep(0)  # they ask
    await asyncio.sleep(0)  # the work begins
    return tasks


async def test_an_item_that_is_alone_is_worked_on_at_once() -> None:
    work = Work()
    work.may_go_on.set()

    assert await Together(work, items_max=10)(4) == 8
    assert work.gone == [[4]]


async def test_what_is_asked_for_while_work_runs_is_done_in_one_go_after_it() -> None:
    work = Work()
    together = Together(work, items_max=10)
    first = await _asked(together, 1)
    others = await _asked(together, 2, 3, 4)

    work.may_go_on.set()

    assert await asyncio.gather(*first, *others) == [2, 4, 6, 8]
    assert work.gone == [[1], [2, 3, 4]]


async def test_a_go_has_at_most_items_max_items() -> None:
    work = Work()
    together = Together(work, items_max=2)
    tasks = await _asked(together, 1, 2, 3, 4, 5)

    work.may_go_on.set()

    assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10]
    assert work.gone == [[1, 2], [3, 4], [5]]


async def test_an_error_is_raised_to_all_of_its_go_and_to_no_other() -> None:
    work = Work()
    together = Together(work, items_max=2)
    tasks = await _asked(together, 1, -2, 3)

    work.may_go_on.set()

    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [ValueError, ValueError, int]


async def test_a_caller_that_is_cancelled_while_it_waits_takes_nothing_from_the_others() -> None:
    work = Work()
    together = Together(work, items_max=10)
    first = await _asked(together, 1)
    others = await _asked(together, 2, 3)
    others[0].cancel()
    with suppress(asyncio.CancelledError):
        await others[0]

    work.may_go_on.set()

    assert await asyncio.gather(*first, others[1]) == [2, 6]
    assert work.gone == [[1], [3]]


async def test_a_result_for_too_few_items_is_an_error() -> None:
    async def work(items: Sequence[int]) -> list[int]:
        return []

    with pytest.raises(ValueError, match="zip"):
        await Together(work, items_max=10)(1)
