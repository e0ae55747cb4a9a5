# SPDX-License-Identifier: Apache-2.0
"""Natural micro-batching: whatever arrives while a batch is in flight is carried out with the next. No timer.

A lane has several queues and one batch at a time, so that all batches decide on one cache: two lanes would make each
other's guesses stale. The first queue is the foreground. While it is in use, another queue's batches are small, and it
rests after each of them, so that a flood in it takes only a share of the lane's time.

Under load the event loop is busy, and requests queue up in front of it, where the lane does not see them. So before a
batch begins, the loop may bring them in for as long as it finds any. A lone request does not wait for others.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from access import CLOCK, Caller, current_caller
from meshkit import tracing
from meshkit.errors import ResourceExhausted, Unavailable
from services.ledger.operations.gate.meters import LaneMeter

# With so many requests the fixed cost of a batch is spread well enough; more would only wait for each other.
ENOUGH = 64
# So long after its last batch the foreground counts as in use.
IN_USE_SECONDS = 0.05
# So many turns of the loop, at 3 µs each, may bring nothing before a batch begins; one after a batch of one request.
PATIENCE_TURNS = 32

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
Response = TypeVar("Response")


class Beside(Protocol[Item_contra]):
    """Where requests go that the lane does not wait for."""

    def waiting_for(self, items: Sequence[Item_contra]) -> int:
        """Return how many requests wait there for the customers of these, and count against the lane's bound."""
        ...

    async def finish(self) -> None:
        """Return once none waits there."""
        ...


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

    call: the number of the call it came with; requests of one call are carried out in the order given. caller: who sent
    it; operations of the lane run in no call.
    arrived_seconds, expire_seconds (None: never): on time.monotonic(). write: makes of the response what the caller
    gets (None: the response itself); whoever carries out the batch may set it. trace: the span of the call, if it is
    recorded.
    """

    __slots__ = ("arrived_seconds", "call", "caller", "expire_seconds", "future", "item", "trace", "write")

    def __init__(
        self,
        item: Item,
        future: "asyncio.Future[Any]",
        *,
        call: int,
        caller: Caller = CLOCK,
        arrived_seconds: float,
        expire_seconds: float | None,
        trace: object | None = None,
    ) -> None:
        self.item = item
        self.future = future
        self.call = call
        self.caller = caller
        self.arrived_seconds = arrived_seconds
        self.expire_seconds = expire_seconds
        self.trace = trace
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
    """waiting_max: more requests are refused with LaneFull. batch_max: requests of one batch.

    shared_max, rests: of a queue beside the foreground, while that is in use: requests of one batch, and how long the
    queue rests after a batch, as a multiple of the time that the batch took.
    """

    waiting_max: int
    batch_max: int
    shared_max: int = 1
    rests: int = 0


class Lane(Generic[Item, Response]):
    """One batch at a time; those of one queue in order of arrival.

    work: responds to every request it is given, fails it, or puts it `beside`. The first queue has the patience
    described above. A request whose caller has disconnected, or whose deadline has passed, before its batch begins is
    not carried out.
    """

    def __init__(
        self,
        work: Callable[[Sequence[QueuedRequest[Item, Response]]], Awaitable[None]],
        *,
        queues: Sequence[QueueLimits],
        meter: LaneMeter,
        beside: Beside[Item] | None = None,
        now_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work = work
        self._now_seconds = now_seconds
        self._limits = tuple(queues)
        self._meter = meter
        self._beside = beside
        self._queues: tuple[deque[QueuedRequest[Item, Response]], ...] = tuple(deque() for _ in queues)
        self._latest = 0
        self._foreground_seconds = -IN_USE_SECONDS
        self._rested_seconds = [0.0 for _ in queues]
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
        if self._beside is not None:
            await self._beside.finish()

    def put_all(
        self, items: Sequence[Item], *, left_seconds: float | None, queue: int = 0
    ) -> list[asyncio.Future[Any]]:
        """Queue requests, all or none; returns a future for each response. Raises LaneFull, LaneClosed."""
        if self._is_closed:
            raise LaneClosed
        waiting = self._queues[queue]
        ahead = len(waiting) + (0 if self._beside is None else self._beside.waiting_for(items))
        if ahead and ahead + len(items) > self._limits[queue].waiting_max:
            raise LaneFull(waiting=ahead)
        loop = asyncio.get_running_loop()
        now = self._now_seconds()
        expire_seconds = None if left_seconds is None else now + left_seconds
        call = next(self._calls)
        caller = current_caller()
        trace = tracing.current()
        futures: list[asyncio.Future[Any]] = []
        for item in items:
            future = loop.create_future()
            futures.append(future)
            waiting.append(
                QueuedRequest(
                    item,
                    future,
                    call=call,
                    caller=caller,
                    arrived_seconds=now,
                    expire_seconds=expire_seconds,
                    trace=trace,
                )
            )
        self._arrived.set()
        return futures

    async def _run(self) -> None:
        while any(self._queues) or not self._is_closed:
            if not any(self._queues):
                self._arrived.clear()
                await self._arrived.wait()
                continue
            number = await self._next_queue()
            if number is None:
                continue
            began = self._now_seconds()
            if number == 0:
                await self._gather()
            limits = self._limits[number]
            batch = self._take(
                number, limits.shared_max if number and self._is_shared() else limits.batch_max
            )
            self._latest = number
            if not batch:
                continue
            try:
                await self._carry_out(batch)
            except Exception as error:  # our bug: the callers get it, and the lane goes on
                for request in batch:
                    request.fail(error)
            now = self._now_seconds()
            self._rested_seconds[number] = now + limits.rests * (now - began)
            if number == 0:
                self._foreground_seconds = now

    async def _carry_out(self, batch: Sequence[QueuedRequest[Item, Response]]) -> None:
        traces = [request.trace for request in batch if request.trace is not None]
        if traces:
            with tracing.joint_span("gate batch", traces, requests=len(batch)):
                await self._work(batch)
        else:
            await self._work(batch)

    async def _next_queue(self) -> int | None:
        """Return the first queue after the latest one that has requests and has rested; None after a wait for one."""
        turns, now = len(self._queues), self._now_seconds()
        following = [n % turns for n in range(self._latest + 1, self._latest + 1 + turns)]
        waiting = [number for number in following if self._queues[number]]
        for number in waiting:
            if number == 0 or now >= self._rested_seconds[number] or not self._is_shared():
                return number
        self._arrived.clear()
        with suppress(TimeoutError):
            rested = min(self._rested_seconds[number] for number in waiting)
            unshared = self._foreground_seconds + IN_USE_SECONDS
            await asyncio.wait_for(self._arrived.wait(), min(rested, unshared) - now)
        return None

    def _is_shared(self) -> bool:
        """Whether the foreground queue is in use."""
        return bool(self._queues[0]) or self._now_seconds() < self._foreground_seconds + IN_USE_SECONDS

    async def _gather(self) -> None:
        """Let the loop bring in what has arrived, until it brings nothing more or there are enough."""
        patience = PATIENCE_TURNS if self._last_size > 1 else 1
        idle_turns = 0
        queue = self._queues[0]
        while idle_turns < patience and (before := len(queue)) < ENOUGH:
            await asyncio.sleep(0)
            idle_turns = idle_turns + 1 if len(queue) == before else 0

    def _take(self, number: int, batch_max: int) -> list[QueuedRequest[Item, Response]]:
        now = self._now_seconds()
        batch = take_waiting(self._queues[number], batch_max, now_seconds=now)
        if batch:
            if number == 0:
                self._last_size = len(batch)
            self._meter.began(len(batch), now - batch[0].arrived_seconds)
        return batch


def take_waiting(
    queue: deque[QueuedRequest[Item, Response]], batch_max: int, *, now_seconds: float
) -> list[QueuedRequest[Item, Response]]:
    """Take requests from a queue; whose caller has gone is dropped, and whose deadline has passed is cancelled."""
    batch: list[QueuedRequest[Item, Response]] = []
    while queue and len(batch) < batch_max:
        request = queue.popleft()
        if request.future.done():
            continue
        if request.expire_seconds is not None and request.expire_seconds <= now_seconds:
            request.future.cancel()
            continue
        batch.append(request)
    return batch
