# SPDX-License-Identifier: Apache-2.0
"""Work for many at once: what is asked for while the last piece of work runs is done in one go after it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Together(Generic[T, R]):
    """Does `work` for the items of all callers who wait, for instance in one transaction instead of one each.

    Nobody waits for others to come: an item that is alone is worked on alone. work: returns one result for each item,
    in their order; what it raises is raised to the callers of all its items. items_max: of one go.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, items_max: int) -> None:
        self._work = work
        self._items_max = items_max
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        """Return the result for an item."""
        result: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, result))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await result

    async def _run(self) -> None:
        try:
            while self._waiting:
                now, self._waiting = self._waiting[: self._items_max], self._waiting[self._items_max :]
                await self._do([one for one in now if not one[1].done()])  # a cancelled caller wants nothing
        finally:
            self._running = None

    async def _do(self, asked: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._work([item for item, _ in asked]) if asked else ()
            for (_, future), result in zip(asked, results, strict=True):
                if not future.done():
                    future.set_result(result)
        except Exception as error:
            for _, future in asked:
                if not future.done():
                    future.set_exception(error)
        finally:
            for _, future in asked:  # only if this task is cancelled
                future.cancel()
