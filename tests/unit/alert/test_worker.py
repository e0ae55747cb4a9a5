# SPDX-License-Identifier: Apache-2.0
"""The worker: who is posted to when, and that nobody waits for a stranger."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from services.alert.domain.delivery import DeliveryId, Due
from services.alert.domain.endpoint import WebhookEndpointId
from services.alert.webhooks.worker import MAILS_MAX, POSTS_PER_ENDPOINT_MAX, Worker


class Queue:
    """What is due, in memory. A try of an endpoint in `hanging` ends when it is let go; `failing`: what has failed."""

    def __init__(
        self, *due: str, hanging: Sequence[str] = (), failing: Sequence[str] = (), broken: int = 0
    ) -> None:
        self.failing = set(failing)
        self.mails: set[str] = set()
        self._due: list[Due] = []
        self._hanging = {endpoint: asyncio.Event() for endpoint in hanging}
        self._broken = broken
        self.looks = asyncio.Semaphore(0)
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.running: list[str] = []
        self.add(*due)

    def add(self, *due: str) -> None:
        """Each as "endpoint/delivery"."""
        for name in due:
            endpoint, _, delivery = name.partition("/")
            self._due.append(
                Due(
                    webhook_endpoint_id=WebhookEndpointId(endpoint),
                    delivery_id=DeliveryId(delivery),
                    is_failing=endpoint in self.failing,
                )
            )

    def let_go(self, endpoint: str) -> None:
        self._hanging[endpoint].set()

    async def due(self, *, per_endpoint_max: int) -> Sequence[Due]:
        self.looks.release()
        if self._broken:
            self._broken -= 1
            raise ConnectionError("the database is away")
        return [replace(due, is_mail=due.webhook_endpoint_id in self.mails) for due in self._due]

    async def attempt(self, delivery_id: DeliveryId) -> bool:
        (leased,) = [due for due in self._due if due.delivery_id == delivery_id]
        self._due.remove(leased)
        self.running.append(delivery_id)
        self.begun.put_nowait(delivery_id)
        if leased.webhook_endpoint_id in self._hanging:
            await self._hanging[leased.webhook_endpoint_id].wait()
        self.running.remove(delivery_id)
        if delivery_id == "bad":
            raise RuntimeError("cannot record")
        return True


@asynccontextmanager
async def working(queue: Queue, *, poll_seconds: float = 60) -> AsyncIterator[Worker]:
    worker = Worker(queue, poll_seconds=poll_seconds)
    async with asyncio.timeout(10):
        await worker.start()
        try:
            yield worker
        finally:
            for gate in queue._hanging.values():
                gate.set()
            await worker.stop()


async def test_what_is_due_is_posted_at_once_when_woken() -> None:
    queue = Queue()

    async with working(queue) as worker:
        await queue.looks.acquire()
        queue.add("a/1")
        worker.wake()

        assert await queue.begun.get() == "1"


async def test_a_wake_before_the_start_is_not_lost() -> None:
    queue = Queue("a/1")

    async with working(queue):
        assert await queue.begun.get() == "1"


async def test_an_endpoint_that_hangs_does_not_hold_up_the_others() -> None:
    queue = Queue(*(f"slow/s{n}" for n in range(20)), "quick/q1", hanging=["slow"])

    async with working(queue) as worker:
        begun = [await queue.begun.get() for _ in range(POSTS_PER_ENDPOINT_MAX + 1)]
        assert "q1" in begun
        assert queue.running == [f"s{n}" for n in range(POSTS_PER_ENDPOINT_MAX)]

        queue.add("quick/q2")
        worker.wake()
        assert await queue.begun.get() == "q2"


async def test_a_mail_server_that_hangs_does_not_occupy_the_places_of_webhooks() -> None:
    mails = [f"mail{n}/m{n}" for n in range(MAILS_MAX + 5)]
    queue = Queue(*mails, "quick/q1", hanging=[f"mail{n}" for n in range(MAILS_MAX + 5)])
    queue.mails.update(f"mail{n}" for n in range(MAILS_MAX + 5))

    async with working(queue):
        begun = [await queue.begun.get() for _ in range(MAILS_MAX + 1)]
        assert begun == [*(f"m{n}" for n in range(MAILS_MAX)), "q1"]

        queue.let_go("mail0")
        assert await queue.begun.get() == f"m{MAILS_MAX}"


async def test_the_next_of_an_endpoint_begins_when_one_has_ended() -> None:
    queue = Queue(*(f"slow/s{n}" for n in range(POSTS_PER_ENDPOINT_MAX + 3)), hanging=["slow"])

    async with working(queue):
        first = [await queue.begun.get() for _ in range(POSTS_PER_ENDPOINT_MAX)]
        queue.let_go("slow")
        rest = [await queue.begun.get() for _ in range(3)]

    assert [*first, *rest] == [f"s{n}" for n in range(POSTS_PER_ENDPOINT_MAX + 3)]


async def test_a_try_that_breaks_ends_neither_the_worker_nor_its_neighbours() -> None:
    queue = Queue("a/bad", "a/1", "b/2")

    async with working(queue) as worker:
        assert {await queue.begun.get() for _ in range(3)} == {"bad", "1", "2"}
        queue.add("a/3")
        worker.wake()
        assert await queue.begun.get() == "3"


async def test_a_queue_that_cannot_be_read_is_looked_at_again() -> None:
    queue = Queue("a/1", broken=3)

    async with working(queue, poll_seconds=0.001):
        assert await queue.begun.get() == "1"


async def test_stopping_lets_the_tries_in_hand_end_and_begins_no_more() -> None:
    queue = Queue("slow/1", hanging=["slow"])

    async with working(queue) as worker:
        await queue.begun.get()
        queue.add("slow/2")
        stopping = asyncio.create_task(worker.stop())
        worker.wake()
        queue.let_go("slow")
        await stopping

    assert queue.running == []
    assert queue.begun.empty()


async def test_an_endpoint_that_fails_has_one_place_until_it_succeeds() -> None:
    hanging = [f"bad{number}" for number in range(30)]
    due = [f"{endpoint}/{endpoint}-{number}" for endpoint in hanging for number in range(8)]
    queue = Queue(*due, "good/good", hanging=hanging, failing=hanging)

    async with working(queue):
        begun = {await queue.begun.get() for _ in range(31)}

        assert begun == {"good"} | {f"{endpoint}-0" for endpoint in hanging}
        queue.let_go("bad7")
        assert {await queue.begun.get() for _ in range(7)} == {f"bad7-{number}" for number in range(1, 8)}
        assert queue.begun.empty()
