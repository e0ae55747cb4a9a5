# SPDX-License-Identifier: Apache-2.0
"""Natural micro-batching: whatever arrives while a batch is in flight goes with the next. No timer.

Under load it is the event loop that is busy, and requests queue up in front of it, where we cannot see them. So before
a batch begins the loop gets to bring them in, for as long as it does. A lone request does not wait for company.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from meshkit.errors import ResourceExhausted, Unavailable
from services.ledger.operations.gate.meters import LaneMeter

# So many requests share well enough what a batch costs whatever its size; more would only wait for each other.
ENOUGH = 64
# So many turns of the loop may bring nothing, at 3 µs each, before a batch begins; one where the last had one request.
PATIENCE_TURNS = 32

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class LaneFull(ResourceExhausted):
    """As many requests as are allowed wait already; nothing was done."""

    reason = "LANE_FULL"

    def __init__(self, *, waiting: int) -> None:
        super().__init__(f"{waiting} requests wait already; wait a moment and retry", waiting=str(waiting))


class LaneClosed(Unavailable):
    """The service is stopping; nothing was done."""

    reason = "LANE_CLOSED"

    def __init__(self) -> None:
        super().__init__(
            "the service is stopping; retry with the same request_id, another replica will answer"
        )


class Waiting(Generic[Item, Answer]):
    """A request in the lane, and whoever waits for its answer.

    call: the number of the call it came with; requests of one call are carried out in the order given.
    arrived_seconds, expire_seconds (None: never): on time.monotonic(). write: makes of the answer what the caller is
    given; whoever carries a batch out may set it.
    """

    __slots__ = ("arrived_seconds", "call", "expire_seconds", "future", "item", "write")

    def __init__(
        self,
        item: Item,
        future: "asyncio.Future[Answer]",
        *,
        call: int,
        arrived_seconds: float,
        expire_seconds: float | None,
    ) -> None:
        self.item = item
        self.future = future
        self.call = call
        self.arrived_seconds = arrived_seconds
        self.expire_seconds = expire_seconds
        self.write: Callable[[Answer], Answer] | None = None

    def answer(self, answer: Answer) -> None:
        """Give the answer; a caller that has gone away does not mind."""
        if self.future.done():
            return
        try:
            self.future.set_result(answer if self.write is None else self.write(answer))
        except Exception as error:  # a bug of ours: it is this caller's only
            self.future.set_exception(error)

    def fail(self, error: BaseException) -> None:
        """Give the fault; likewise."""
        if not self.future.done():
            self.future.set_exception(error)


class Lane(Generic[Item, Answer]):
    """One queue and one batch at a time, in order of arrival.

    work: answers or fails every Waiting it is given. waiting_max: more are refused with LaneFull.
    A request whose caller has gone, or whose deadline has passed, before its batch begins is not carried out.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Waiting[Item, Answer]]], Awaitable[None]],
        *,
        waiting_max: int,
        batch_max: int,
        meter: LaneMeter,
    ) -> None:
        self._work = work
        self._waiting_max = waiting_max
        self._batch_max = batch_max
        self._meter = meter
        self._queue: deque[Waiting[Item, Answer]] = deque()
        self._arrived = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._is_closed = False
        self._last_size = 1
        self._calls = itertools.count(1)

    def start(self) -> None:
        """Begin to carry requests out."""
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Take no more requests, carry out those that wait, and end."""
        self._is_closed = True
        self._arrived.set()
        if self._loop is not None:
            await self._loop

    def put_all(self, items: Sequence[Item], *, left_seconds: float | None) -> list[asyncio.Future[Answer]]:
        """Queue requests, all or none; the futures are their answers. Raises LaneFull, LaneClosed."""
        if self._is_closed:
            raise LaneClosed
        if self._queue and len(self._queue) + len(items) > self._waiting_max:
            raise LaneFull(waiting=len(self._queue))
        loop = asyncio.get_running_loop()
        now = time.monotonic()
        expire_seconds = None if left_seconds is None else now + left_seconds
        call = next(self._calls)
        futures: list[asyncio.Future[Answer]] = []
        for item in items:
            future = loop.create_future()
            futures.append(future)
            self._queue.append(
                Waiting(item, future, call=call, arrived_seconds=now, expire_seconds=expire_seconds)
            )
        self._arrived.set()
        return futures

    async def _run(self) -> None:
        while self._queue or not self._is_closed:
            if not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            await self._gather()
            batch = self._take()
            if not batch:
                continue
            try:
                await self._work(batch)
            except Exception as error:  # a bug of ours: the lane outlives it, the callers are told
                for waiting in batch:
                    waiting.fail(error)

    async def _gather(self) -> None:
        """Let the loop bring in what has arrived, until it brings nothing more or there is enough."""
        patience = PATIENCE_TURNS if self._last_size > 1 else 1
        idle_turns = 0
        while idle_turns < patience and (before := len(self._queue)) < ENOUGH:
            await asyncio.sleep(0)
            idle_turns = idle_turns + 1 if len(self._queue) == before else 0

    def _take(self) -> list[Waiting[Item, Answer]]:
        now = time.monotonic()
        batch: list[Waiting[Item, Answer]] = []
        while self._queue and len(batch) < self._batch_max:
            waiting = self._queue.popleft()
            if waiting.future.done():
                continue
            if waiting.expire_seconds is not None and waiting.expire_seconds <= now:
                waiting.future.cancel()
                continue
            batch.append(waiting)
        if batch:
            self._last_size = len(batch)
            self._meter.began(len(batch), now - batch[0].arrived_seconds)
        return batch
