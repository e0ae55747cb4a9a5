# SPDX-License-Identifier: Apache-2.0
"""Natural batching: what waits while a batch is away goes with the next one. No timer; nobody alone waits.

To its callers a batch does not show: each gets the answer or the fault that its own call would have got, and
runs out of its own time. Two that are told the same thing at once are told it by two exceptions.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from grpc import StatusCode

from purser_client.faults import LedgerFault, gate_closed

ITEMS_MAX = 1_000  # the Ledger's bound
BYTES_MAX = 2 * 1024 * 1024  # half of what a gRPC server takes by default
WAITING_MAX = 50 * ITEMS_MAX


class Sized(Protocol):
    """A message that knows its length on the wire."""

    def ByteSize(self) -> int: ...


Q = TypeVar("Q", bound=Sized)
R = TypeVar("R")
# One call alone, or a batch of them whose results come in order, each an answer or a fault. Both raise LedgerFault.
SendOne = Callable[[Q, float], Awaitable[R]]
SendBatch = Callable[[Sequence[Q], float], Awaitable[Sequence[R | LedgerFault]]]


@dataclass(frozen=True, slots=True, eq=False)
class Waiting(Generic[Q, R]):
    """One caller: what it asks, until when (monotonic seconds), and where it hears the answer."""

    request: Q
    ends: float
    answer: "asyncio.Future[R]"


class Queue(Generic[Q, R]):
    """Callers in the order they came; `take` gives the next batch."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting[Q, R]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, one: Waiting[Q, R]) -> None:
        """Queue up. Raises LedgerFault (RESOURCE_EXHAUSTED) when 50 full batches wait already."""
        if len(self._waiting) >= WAITING_MAX:
            raise LedgerFault(
                StatusCode.RESOURCE_EXHAUSTED, f"{WAITING_MAX} calls wait already", reason="GATE_QUEUE_FULL"
            )
        self._waiting.append(one)

    def clear(self) -> list[Waiting[Q, R]]:
        """Send all home."""
        left = list(self._waiting)
        self._waiting.clear()
        return left

    def take(self, now: float) -> list[Waiting[Q, R]]:
        """Return at most 1,000 callers and 2 MiB of them, at least one if any; who no longer waits is left out."""
        batch: list[Waiting[Q, R]] = []
        length = 0
        while self._waiting and len(batch) < ITEMS_MAX:
            one = self._waiting[0]
            if not one.answer.done() and one.ends > now:
                length += one.request.ByteSize()
                if batch and length > BYTES_MAX:
                    break
                batch.append(one)
            self._waiting.popleft()
        return batch


class Coalescer(Generic[Q, R]):
    """Calls of one rpc, made together. In the order they came, one batch away at a time."""

    def __init__(
        self, one: SendOne[Q, R], batch: SendBatch[Q, R], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._send_one = one
        self._send_batch = batch
        self._now = now
        self._queue: Queue[Q, R] = Queue()
        self._sending: asyncio.Task[None] | None = None

    async def send(self, request: Q, seconds: float) -> R:
        """Return the answer. Raises LedgerFault; DEADLINE_EXCEEDED after `seconds`. A cancelled caller harms none."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._queue.join(Waiting(request, self._now() + seconds, answer))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            raise LedgerFault(StatusCode.DEADLINE_EXCEEDED, f"no answer after {seconds:.3f} s") from None

    async def close(self) -> None:
        """End the batch that is away; its callers and those that wait hear GATE_CLOSED."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait({self._sending})
        left = self._queue.clear()
        _tell(left, [gate_closed() for _ in left])

    async def _send_all(self) -> None:
        try:
            while len(self._queue) > 0:
                batch = self._queue.take(self._now())
                if batch:
                    await self._send_these(batch)
                # Whoever was just answered may have more to ask: one turn of the loop, and it goes along.
                await asyncio.sleep(0)
        finally:
            self._sending = None

    async def _send_these(self, batch: list[Waiting[Q, R]]) -> None:
        seconds = max(one.ends for one in batch) - self._now()
        outcomes: Sequence[R | LedgerFault]
        try:
            if len(batch) == 1:
                outcomes = [await self._send_one(batch[0].request, seconds)]
            else:
                outcomes = await self._send_batch([one.request for one in batch], seconds)
        except LedgerFault as fault:
            outcomes = [fault.again() for _ in batch]
        except asyncio.CancelledError:
            _tell(batch, [gate_closed() for _ in batch])
            raise
        _tell(batch, outcomes)


def _tell(batch: Sequence[Waiting[Q, R]], outcomes: Sequence[R | LedgerFault]) -> None:
    for one, outcome in zip(batch, outcomes, strict=True):
        if one.answer.done():
            continue  # it was cancelled, or ran out of time
        if isinstance(outcome, LedgerFault):
            one.answer.set_exception(outcome)
        else:
            one.answer.set_result(outcome)
