# SPDX-License-Identifier: Apache-2.0
"""The relay: delivers the notices of an outbox, in order per key, until the peer has heard each of them.

At least once: the peer is called with notice_id as request_id and answers a repetition with its first answer.
Any number of replicas may run a relay over one table.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from enum import Enum, auto
from typing import Any, assert_never
from weakref import WeakValueDictionary

import structlog
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.metrics import OUTBOX_DELIVERIES
from meshkit.outbox.leases import Lease, Leases, NoLease
from meshkit.outbox.notice import Notice
from meshkit.rpc import deadline

POLL_SECONDS = 0.25
LEASE = timedelta(seconds=30)
DELIVERY_SECONDS_MAX = 10.0  # well inside the lease: a live relay never delivers after its lease has run out
AT_ONCE_SECONDS_MAX = 5.0
OTHER_HANDS_SECONDS = 0.02
BACKOFF_FIRST = timedelta(milliseconds=100)
BACKOFF_MAX = timedelta(seconds=30)
KEYS_AT_ONCE_MAX = 16
KEYS_PER_PASS_MAX = 200
NOTICES_PER_DRAIN_MAX = 1_000
DOUBLINGS_MAX = 16

log = structlog.get_logger(__name__)


class _Drained(Enum):
    """How far the notices of a key went."""

    ALL = auto()
    SOME = auto()  # stopped at a failure, at one that is not due, or at a bound
    IN_OTHER_HANDS = auto()


class Relay:
    """Delivers what is in `table` by `deliver`, which raises when the peer did not take the notice.

    A failure keeps its notice, and those of the same key behind it, for later: after 0.1 s, doubling to 30 s,
    less a jitter of up to a half. `wall` gives due and lease times.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        table: Table,
        deliver: Callable[[Notice], Awaitable[None]],
        wall: Clock,
        *,
        poll_seconds: float = POLL_SECONDS,
        lease: timedelta = LEASE,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._leases = Leases(engine, table)
        self._deliver = deliver
        self._wall = wall
        self._poll_seconds = poll_seconds
        self._lease = lease
        self._jitter = jitter
        self._outbox = table.fullname
        self._woken = asyncio.Event()
        self._stopping = False
        self._readable = True
        self._loop: asyncio.Task[None] | None = None
        self._drains: set[asyncio.Task[_Drained]] = set()
        self._places = asyncio.Semaphore(KEYS_AT_ONCE_MAX)
        # One drain per key at a time in this process; a lock lives as long as someone holds or awaits it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def start(self) -> None:
        """Begin delivering in the background."""
        assert self._loop is None
        self._stopping = False
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop after the deliveries in hand (≤ 10 s); what is pending stays in the table."""
        self._stopping = True
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])
            self._loop = None
        if self._drains:
            _, late = await asyncio.wait(self._drains, timeout=DELIVERY_SECONDS_MAX)
            for drain in late:
                drain.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def wake(self) -> None:
        """Let the background look now: for whoever has enqueued and does not wait for the peer."""
        self._woken.set()

    async def deliver_now(self, key: str) -> None:
        """Try the pending notices of a key at once, in order, due or not; call it after the commit.

        Returns when all are heard, one has failed, or half of the incoming call's time (at most 5 s) is used
        up: the caller's write is done and still has to be answered. What is left goes on in the background.
        Raises nothing but CancelledError, and a cancelled caller cancels no delivery.
        """
        left = deadline.time_left()
        patience = AT_ONCE_SECONDS_MAX if left is None else min(AT_ONCE_SECONDS_MAX, left / 2)
        await asyncio.wait([self._spawn(self._drain_patiently(key, patience))], timeout=patience)

    async def deliver_all_now(self) -> int:
        """Try everything pending at once, due or not; returns how many notices are pending after that."""

        async def in_turn(key: str) -> None:
            async with places:
                await self.deliver_now(key)

        places = asyncio.Semaphore(KEYS_AT_ONCE_MAX)
        await asyncio.gather(*(in_turn(key) for key in await self._leases.pending_keys()))
        return await self._leases.pending_count()

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            if await self._start_due_drains() < KEYS_PER_PASS_MAX:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_seconds):
                        await self._woken.wait()

    async def _start_due_drains(self) -> int:
        """Start a drain for each due key, waiting only for a place; returns how many keys were due."""
        try:
            keys = await self._leases.due_keys(at=self._wall.now(), keys_max=KEYS_PER_PASS_MAX)
        except Exception as error:
            # The database may be away for a while; the loop outlives everything but its own cancellation.
            if self._readable:
                log.warning("outbox_unreadable", outbox=self._outbox, error=_words(error))
            self._readable = False
            return 0
        if not self._readable:
            log.info("outbox_readable_again", outbox=self._outbox)
        self._readable = True
        for key in keys:
            await self._places.acquire()
            self._spawn(self._drain(key, early=False)).add_done_callback(lambda _: self._places.release())
        return len(keys)

    def _spawn(self, drain: Coroutine[Any, Any, _Drained]) -> asyncio.Task[_Drained]:
        task = asyncio.create_task(drain)
        self._drains.add(task)
        task.add_done_callback(self._drains.discard)
        return task

    async def _drain_patiently(self, key: str, patience_seconds: float) -> _Drained:
        """Drain a key; while another relay has it in hand, look again until patience is over."""
        loop = asyncio.get_running_loop()
        end = loop.time() + patience_seconds
        while True:
            drained = await self._drain(key, early=True)
            if drained is not _Drained.IN_OTHER_HANDS or loop.time() >= end:
                return drained
            await asyncio.sleep(OTHER_HANDS_SECONDS)

    async def _drain(self, key: str, *, early: bool) -> _Drained:
        # A delivery has its own time limit: the call that caused it may be over before it is.
        deadline.forget()
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            try:
                return await self._deliver_in_order(key, early=early)
            except Exception as error:
                log.warning("outbox_unwritable", outbox=self._outbox, key=key, error=_words(error))
                return _Drained.SOME

    async def _deliver_in_order(self, key: str, *, early: bool) -> _Drained:
        for _ in range(NOTICES_PER_DRAIN_MAX):
            if self._stopping:
                break
            at = self._wall.now()
            match await self._leases.take(key, at=at, until=at + self._lease, early=early):
                case Lease() as lease:
                    if not await self._attempt(lease):
                        break
                case NoLease.NOTHING_PENDING:
                    return _Drained.ALL
                case NoLease.IN_OTHER_HANDS:
                    return _Drained.IN_OTHER_HANDS
                case NoLease.NOT_DUE:
                    break
                case never:
                    assert_never(never)
        return _Drained.SOME

    async def _attempt(self, lease: Lease) -> bool:
        """Deliver one notice; returns whether the peer took it."""
        notice = lease.notice
        try:
            async with asyncio.timeout(DELIVERY_SECONDS_MAX):
                await self._deliver(notice)
        except Exception as error:
            OUTBOX_DELIVERIES.labels(self._outbox, notice.kind, "failed").inc()
            log.warning(
                "notice_failed",
                outbox=self._outbox,
                key=notice.key,
                notice_id=notice.notice_id,
                kind=notice.kind,
                attempts=lease.attempts,
                error=_words(error),
            )
            due = self._wall.now() + backoff(lease.attempts, jitter=self._jitter())
            await self._leases.failed(lease, error=_words(error), due=due)
            return False
        OUTBOX_DELIVERIES.labels(self._outbox, notice.kind, "sent").inc()
        await self._leases.sent(lease, at=self._wall.now())
        return True


def backoff(attempts: int, *, jitter: float) -> timedelta:
    """Return the wait after the n-th failed attempt: 0.1 s doubling to 30 s, less up to half of it.

    attempts: ≥ 1; jitter: 0 ≤ jitter ≤ 1, the share of that half that is taken off.
    """
    doubled: timedelta = BACKOFF_FIRST * 2 ** min(attempts - 1, DOUBLINGS_MAX)
    return min(doubled, BACKOFF_MAX) * (1 - jitter / 2)


def _words(error: Exception) -> str:
    if isinstance(error, MeshError):
        return f"{error.reason}: {error.message}"
    return f"{type(error).__name__}: {error}"
