# SPDX-License-Identifier: Apache-2.0
"""Queues beside the lane, one for each customer whose pools another transaction has locked.

The lane waits for no such lock: while it did, all customers would. It hands the customer's requests over to a queue
here. One task for each queue decides them under locks, in order and together, on a connection that the lane does not
use; what arrives while it waits for the locks is decided with them. Until the queue is empty, all later requests of the
customer follow, and nothing is guessed about it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

from meshkit import tracing
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.operations.gate.lane import take_waiting
from services.ledger.operations.gate.locked import LaneRequest

BATCH_MAX = 512
# All queues together; from here on, requests of these customers are refused, and those of others are not.
WAITING_MAX = 16_384


class SideQueues:
    """decide: takes requests of one customer from the queue and decides them; responds to each, or fails it.

    `in` tells whether a customer has a queue.
    """

    def __init__(
        self,
        decide: Callable[[CustomerId, Callable[[], Sequence[LaneRequest]]], Awaitable[None]],
        *,
        now_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._decide = decide
        self._now_seconds = now_seconds
        self._queues: dict[CustomerId, deque[LaneRequest]] = {}
        self._names: dict[str, CustomerId] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __contains__(self, customer_id: object) -> bool:
        return customer_id in self._queues

    def customers(self) -> frozenset[CustomerId]:
        """Return the customers that have a queue now."""
        return frozenset(self._queues)

    def add(self, customer_id: CustomerId, request: LaneRequest) -> None:
        """Queue a request of this customer; from now on `follow` knows the name by which it asks."""
        queue = self._queues.get(customer_id)
        if queue is None:
            queue = self._queues[customer_id] = deque()
            task = asyncio.create_task(self._work_off(customer_id, queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._names[request.item.customer] = customer_id
        queue.append(request)

    def follow(self, request: LaneRequest) -> bool:
        """Queue a request behind others of its customer; returns False if the name has no queue."""
        customer_id = self._names.get(request.item.customer)
        if customer_id is None:
            return False
        self._queues[customer_id].append(request)
        return True

    def waiting_for(self, names: Iterable[str]) -> int:
        """Return how many requests wait in the longest queue of customers of these names, 0 if they have none."""
        if not self._names:
            return 0
        lengths = [len(self._queues[self._names[name]]) for name in names if name in self._names]
        total = sum(map(len, self._queues.values()))
        return total if lengths and total >= WAITING_MAX else max(lengths, default=0)

    async def finish(self) -> None:
        """Return once all queues are empty."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _work_off(self, customer_id: CustomerId, queue: deque[LaneRequest]) -> None:
        tracing.forget()
        taken: list[LaneRequest] = []

        def take() -> list[LaneRequest]:
            taken[:] = take_waiting(queue, BATCH_MAX, now_seconds=self._now_seconds())
            return list(taken)

        while queue:
            taken.clear()
            try:
                await self._decide(customer_id, take)
            except Exception as error:  # our bug: the callers get it, and the queue goes on
                for request in taken or take():
                    request.fail(error)
        del self._queues[customer_id]
        self._names = {name: owner for name, owner in self._names.items() if owner != customer_id}
