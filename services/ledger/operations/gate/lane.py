# SPDX-License-Identifier: Apache-2.0
"""Natural micro-batching: whatever arrives while a batch is in flight is carried out with the next. No timer.

A lane has several queues and one batch at a time, so that all batches decide on one cache: two lanes would make each
other's guesses stale. While several queues have requests, their batches take turns, so a flood in one queue delays a
request in another by one batch of the flood.

Under load the event loop is busy, and requests queue up in front of it, where the lane does not see them. So before a
batch begins, the loop may bring them in for as long as it finds any. A lone request does not wait for others.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from meshkit.errors import ResourceExhausted, Unavailable
from services.ledger.operations.gate.meters import LaneMeter

# With so many requests the fixed cost of a batch is spread well enough; more would only wait for each other.
ENOUGH = 64
# So many turns of the loop, at 3 µs each, may bring nothing before a batch begins; one after a batch of one request.
PATIENCE_TURNS = 32

Item = TypeVar("Item")
Response = TypeVar("Response")


class LaneFull(ResourceExhausted):
    """The queue is full; nothing was done."""

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


class QueuedRequest(Generic[Item, Response]):
    """A request in the lane, and the future that its caller waits for.

    call: the number of the call it came with; requests of one call are carried out in the order given.
    arrived_seconds, expire_seconds (None: never): on time.monotonic(). write: makes of the response what the caller
    gets (None: the response itself); whoever carries out the batch may set it.
    """

    __slots__ = ("arrived_seconds", "call", "expire_seconds", "future", "item", "write")

    def __init__(
        self,
        item: Item,
        future: "asyncio.Future[Any]",
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
        self.write: Callable[[Response], object] | None = None

    def respond(self, response: Response) -> None:
        """Give the caller its response; ignored if the caller has disconnected."""
        if self.future.done():
            return
        try:
            self.future.set_result(response if self.write is None else self.write(response))
        except Exception as error:  # our bug, which must reach this caller only
            self.future.set_exception(error)

    def fail(self, error: BaseException) -> None:
        """Give the caller an error; ignored if the caller has disconnected."""
        if not self.future.done():
            self.future.set_exception(error)


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """waiting_max: more requests are refused with LaneFull. batch_max: requests of one batch."""

    waiting_max: int
    batch_max: int


class Lane(Generic[Item, Response]):
    """One batch at a time; those of one queue in order of arrival.

    work: responds to every request it is given, or fails it. The first queue has the patience described above.
    A request whose caller has disconnected, or whose deadline has passed, before its batch begins is not carried out.
    """

    def __init__(
        self,
        work: Callable[[Sequence[QueuedRequest[Item, Response]]], Awaitable[None]],
        *,
        queues: Sequence[QueueLimits],
        meter: LaneMeter,
    ) -> None:
        self._work = work
        self._limits = tuple(queues)
        self._meter = meter
        self._queues: tuple[deque[QueuedRequest[Item, Response]], ...] = tuple(deque() for _ in queues)
        self._latest = 0
        self._arrived = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._is_closed = False
        self._last_size = 1
        self._calls = itertools.count(1)

    def start(self) -> None:
        """Start to carry out requests."""
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Refuse new requests, carry out the queued ones, and end."""
        self._is_closed = True
        self._arrived.set()
        if self._loop is not None:
            await self._loop

    def put_all(
        self, items: Sequence[Item], *, left_seconds: float | None, queue: int = 0
    ) -> list[asyncio.Future[Any]]:
        """Queue requests, all or none; returns a future for each response. Raises LaneFull, LaneClosed."""
        if self._is_closed:
            raise LaneClosed
        waiting = self._queues[queue]
        if waiting and len(waiting) + len(items) > self._limits[queue].waiting_max:
            raise LaneFull(waiting=len(waiting))
        loop = asyncio.get_running_loop()
        now = time.monotonic()
        expire_seconds = None if left_seconds is None else now + left_seconds
        call = next(self._calls)
        futures: list[asyncio.Future[Any]] = []
        for item in items:
            future = loop.create_future()
            futures.append(future)
            waiting.append(
                QueuedRequest(item, future, call=call, arrived_seconds=now, expire_seconds=expire_seconds)
            )
        self._arrived.set()
        return futures

    async def _run(self) -> None:
        while any(self._queues) or not self._is_closed:
            if not any(self._queues):
                self._arrived.clear()
                await self._arrived.wait()
                continue
            self._latest = self._next_queue()
            if self._latest == 0:
                await self._gather()
            batch = self._take(self._latest)
            if not batch:
                continue
            try:
                await self._work(batch)
            except Exception as error:  # our bug: the callers get it, and the lane goes on
                for request in batch:
                    request.fail(error)

    def _next_queue(self) -> int:
        """Return the first queue after the latest one that has requests."""
        turns = len(self._queues)
        return next(
            n % turns for n in range(self._latest + 1, self._latest + 1 + turns) if self._queues[n % turns]
        )

    async def _gather(self) -> None:
        """Let the loop bring in what has arrived, until it brings nothing more or there are enough."""
        patience = PATIENCE_TURNS if self._last_size > 1 else 1
        idle_turns = 0
        queue = self._queues[0]
        while idle_turns < patience and (before := len(queue)) < ENOUGH:
            await asyncio.sleep(0)
            idle_turns = idle_turns + 1 if len(queue) == before else 0

    def _take(self, number: int) -> list[QueuedRequest[Item, Response]]:
        now = time.monotonic()
        queue, batch_max = self._queues[number], self._limits[number].batch_max
        batch: list[QueuedRequest[Item, Response]] = []
        while queue and len(batch) < batch_max:
            request = queue.popleft()
            if request.future.done():
                continue
            if request.expire_seconds is not None and request.expire_seconds <= now:
                request.future.cancel()
                continue
            batch.append(request)
        if batch:
            if number == 0:
                self._last_size = len(batch)
            self._meter.began(len(batch), now - batch[0].arrived_seconds)
        return batch
