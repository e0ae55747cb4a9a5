# SPDX-License-Identifier: Apache-2.0
"""Natural batching: calls that arrive while a batch is in flight go into the next one. A lone call never waits.

There is no timer. Callers do not see the batch: each gets the answer or the fault that its own call would have got,
within its own deadline. When one fault ends several calls, each caller gets its own exception object.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from grpc import StatusCode

from purser_client.faults import LedgerFault, gate_closed_fault

ITEMS_MAX = 1_000  # the Ledger's bound
BYTES_MAX = 2 * 1024 * 1024  # half of a gRPC server's default message limit
QUEUED_MAX = 50 * ITEMS_MAX


class WireMessage(Protocol):
    """A message with a length on the wire."""

    def ByteSize(self) -> int: ...


Q = TypeVar("Q", bound=WireMessage)
R = TypeVar("R")
# SendOne sends one call. SendBatch sends several; its results keep their order, each an answer or a fault.
# Both raise LedgerFault.
SendOne = Callable[[Q, float], Awaitable[R]]
SendBatch = Callable[[Sequence[Q], float], Awaitable[Sequence[R | LedgerFault]]]


@dataclass(frozen=True, slots=True, eq=False)
class QueuedCall(Generic[Q, R]):
    """One call: its request, its deadline (monotonic seconds), and the future that gets its answer."""

    request: Q
    deadline: float
    answer: "asyncio.Future[R]"


class CallQueue(Generic[Q, R]):
    """Calls in order of arrival; `take` returns the next batch."""

    def __init__(self) -> None:
        self._queued: deque[QueuedCall[Q, R]] = deque()

    def __len__(self) -> int:
        return len(self._queued)

    def add(self, call: QueuedCall[Q, R]) -> None:
        """Append a call. Raises LedgerFault (RESOURCE_EXHAUSTED) when 50 full batches are queued."""
        if len(self._queued) >= QUEUED_MAX:
            raise LedgerFault(
                StatusCode.RESOURCE_EXHAUSTED, f"{QUEUED_MAX} calls wait already", reason="GATE_QUEUE_FULL"
            )
        self._queued.append(call)

    def clear(self) -> list[QueuedCall[Q, R]]:
        """Remove and return all calls."""
        removed = list(self._queued)
        self._queued.clear()
        return removed

    def take(self, now: float) -> list[QueuedCall[Q, R]]:
        """Remove and return at most 1,000 calls and 2 MiB, but at least one call if there is any.

        Calls that were cancelled or whose deadline has passed are dropped.
        """
        batch: list[QueuedCall[Q, R]] = []
        length = 0
        while self._queued and len(batch) < ITEMS_MAX:
            call = self._queued[0]
            if not call.answer.done() and call.deadline > now:
                length += call.request.ByteSize()
                if batch and length > BYTES_MAX:
                    break
                batch.append(call)
            self._queued.popleft()
        return batch


class Coalescer(Generic[Q, R]):
    """Batches the calls of one rpc, in order of arrival, with one batch in flight at a time."""

    def __init__(
        self, one: SendOne[Q, R], batch: SendBatch[Q, R], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._send_one = one
        self._send_batch = batch
        self._now = now
        self._queue: CallQueue[Q, R] = CallQueue()
        self._sending: asyncio.Task[None] | None = None

    async def send(self, request: Q, seconds: float) -> R:
        """Return the answer. Raises LedgerFault, DEADLINE_EXCEEDED after `seconds`.

        A cancelled caller does not affect the other calls of its batch.
        """
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._queue.add(QueuedCall(request, self._now() + seconds, answer))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send_all())
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            raise LedgerFault(StatusCode.DEADLINE_EXCEEDED, f"no answer after {seconds:.3f} s") from None

    async def close(self) -> None:
        """Cancel the batch in flight. Its callers and the queued ones get the fault GATE_CLOSED."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait({self._sending})
        queued = self._queue.clear()
        _answer(queued, [gate_closed_fault() for _ in queued])

    async def _send_all(self) -> None:
        try:
            while len(self._queue) > 0:
                batch = self._queue.take(self._now())
                if batch:
                    await self._send_and_answer(batch)
                # A caller that was just answered may call again. One turn of the loop lets it join the next batch.
                await asyncio.sleep(0)
        finally:
            self._sending = None

    async def _send_and_answer(self, batch: list[QueuedCall[Q, R]]) -> None:
        seconds = max(call.deadline for call in batch) - self._now()
        outcomes: Sequence[R | LedgerFault]
        try:
            if len(batch) == 1:
                outcomes = [await self._send_one(batch[0].request, seconds)]
            else:
                outcomes = await self._send_batch([call.request for call in batch], seconds)
        except LedgerFault as fault:
            outcomes = [fault.copy() for _ in batch]
        except asyncio.CancelledError:
            _answer(batch, [gate_closed_fault() for _ in batch])
            raise
        _answer(batch, outcomes)


def _answer(batch: Sequence[QueuedCall[Q, R]], outcomes: Sequence[R | LedgerFault]) -> None:
    for call, outcome in zip(batch, outcomes, strict=True):
        if call.answer.done():
            continue  # the caller was cancelled, or its deadline passed
        if isinstance(outcome, LedgerFault):
            call.answer.set_exception(outcome)
        else:
            call.answer.set_result(outcome)
