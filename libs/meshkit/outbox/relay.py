# SPDX-License-Identifier: Apache-2.0
"""The relay: delivers the notices of an outbox, in order per key, until the peer has accepted each of them.

Delivery is at least once. The peer is called with notice_id as its request_id, and answers a repeated call with its
stored response. Any number of replicas may run a relay over one table.
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
from meshkit.errors import error_text
from meshkit.metrics import OUTBOX_DELIVERIES
from meshkit.outbox.leases import Lease, Leases, NoLease
from meshkit.outbox.notice import Notice
from meshkit.rpc import deadline

POLL_SECONDS = 0.25
LEASE = timedelta(seconds=30)
DELIVERY_SECONDS_MAX = (
    10.0  # much shorter than the lease: a running relay never delivers after its lease expired
)
DELIVER_NOW_SECONDS_MAX = 5.0
LEASED_ELSEWHERE_PAUSE_SECONDS = 0.02
BACKOFF_FIRST = timedelta(milliseconds=100)
BACKOFF_MAX = timedelta(seconds=30)
CONCURRENT_KEYS_MAX = 16
KEYS_PER_PASS_MAX = 200
NOTICES_PER_DRAIN_MAX = 1_000
DOUBLINGS_MAX = 16

log = structlog.get_logger(__name__)


class _DrainResult(Enum):
    """How many of a key's pending notices were delivered."""

    ALL = auto()
    SOME = auto()  # stopped at a failure, at a notice that is not due, or at a bound
    LEASED_ELSEWHERE = auto()


class Relay:
    """Delivers the notices in `table` with `deliver`, which raises when the peer did not accept the notice.

    After a failure, the notice and later ones of the same key wait 0.1 s, doubling to 30 s, minus a jitter of up to one
    half. wall: the clock for due and lease times.
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
        self._drains: set[asyncio.Task[_DrainResult]] = set()
        self._drain_slots = asyncio.Semaphore(CONCURRENT_KEYS_MAX)
        # One drain per key at a time in this process. A lock exists as long as a task holds or awaits it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def start(self) -> None:
        """Start delivering in the background."""
        assert self._loop is None
        self._stopping = False
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop after running deliveries have ended (≤ 10 s); pending notices stay in the table."""
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
        """Make the background task look for due notices now. For callers that enqueued and do not wait for the peer."""
        self._woken.set()

    async def deliver_now(self, key: str) -> None:
        """Try to deliver the pending notices of a key now, in order, due or not. Call it after the commit.

        Returns when all are delivered, when one has failed, or after half of the incoming call's remaining time (at
        most 5 s): the caller's write is committed and must still be answered. The rest is delivered in the background.
        Raises only CancelledError; cancelling the caller cancels no delivery.
        """
        left = deadline.time_left()
        seconds = DELIVER_NOW_SECONDS_MAX if left is None else min(DELIVER_NOW_SECONDS_MAX, left / 2)
        await asyncio.wait([self._spawn(self._drain_when_free(key, seconds))], timeout=seconds)

    async def deliver_all_now(self) -> int:
        """Try to deliver all pending notices now, due or not. Returns how many are still pending afterwards."""

        async def deliver_when_slot_free(key: str) -> None:
            async with slots:
                await self.deliver_now(key)

        slots = asyncio.Semaphore(CONCURRENT_KEYS_MAX)
        await asyncio.gather(*(deliver_when_slot_free(key) for key in await self._leases.pending_keys()))
        return await self._leases.pending_count()

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            if await self._start_due_drains() < KEYS_PER_PASS_MAX:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_seconds):
                        await self._woken.wait()

    async def _start_due_drains(self) -> int:
        """Start a drain for each due key, waiting only for a free slot. Returns how many keys were due."""
        try:
            keys = await self._leases.due_keys(at=self._wall.now(), keys_max=KEYS_PER_PASS_MAX)
        except Exception as error:
            # The database may be unavailable for a while. The loop survives everything except its own cancellation.
            if self._readable:
                log.warning("outbox_unreadable", outbox=self._outbox, error=error_text(error))
            self._readable = False
            return 0
        if not self._readable:
            log.info("outbox_readable_again", outbox=self._outbox)
        self._readable = True
        for key in keys:
            await self._drain_slots.acquire()
            drain = self._spawn(self._drain(key, early=False))
            drain.add_done_callback(lambda _: self._drain_slots.release())
        return len(keys)

    def _spawn(self, drain: Coroutine[Any, Any, _DrainResult]) -> asyncio.Task[_DrainResult]:
        task = asyncio.create_task(drain)
        self._drains.add(task)
        task.add_done_callback(self._drains.discard)
        return task

    async def _drain_when_free(self, key: str, wait_seconds: float) -> _DrainResult:
        """Drain a key. While another relay has leased it, try again until `wait_seconds` have passed."""
        loop = asyncio.get_running_loop()
        end = loop.time() + wait_seconds
        while True:
            result = await self._drain(key, early=True)
            if result is not _DrainResult.LEASED_ELSEWHERE or loop.time() >= end:
                return result
            await asyncio.sleep(LEASED_ELSEWHERE_PAUSE_SECONDS)

    async def _drain(self, key: str, *, early: bool) -> _DrainResult:
        # A delivery has its own time limit: the call that caused it may end first.
        deadline.forget()
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            try:
                return await self._deliver_in_order(key, early=early)
            except Exception as error:
                log.warning("outbox_unwritable", outbox=self._outbox, key=key, error=error_text(error))
                return _DrainResult.SOME

    async def _deliver_in_order(self, key: str, *, early: bool) -> _DrainResult:
        for _ in range(NOTICES_PER_DRAIN_MAX):
            if self._stopping:
                break
            at = self._wall.now()
            match await self._leases.take(key, at=at, until=at + self._lease, early=early):
                case Lease() as lease:
                    if not await self._attempt(lease):
                        break
                case NoLease.NOTHING_PENDING:
                    return _DrainResult.ALL
                case NoLease.LEASED_ELSEWHERE:
                    return _DrainResult.LEASED_ELSEWHERE
                case NoLease.NOT_DUE:
                    break
                case never:
                    assert_never(never)
        return _DrainResult.SOME

    async def _attempt(self, lease: Lease) -> bool:
        """Deliver one notice. Returns whether the peer accepted it."""
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
                error=error_text(error),
            )
            due = self._wall.now() + backoff(lease.attempts, jitter=self._jitter())
            await self._leases.mark_failed(lease, error=error_text(error), due=due)
            return False
        OUTBOX_DELIVERIES.labels(self._outbox, notice.kind, "sent").inc()
        await self._leases.mark_sent(lease, at=self._wall.now())
        return True


def backoff(attempts: int, *, jitter: float) -> timedelta:
    """Return the wait after the n-th failed attempt: 0.1 s, doubling to 30 s, minus up to half of it.

    attempts: ≥ 1. jitter: 0 ≤ jitter ≤ 1, the share of that half to subtract.
    """
    doubled: timedelta = BACKOFF_FIRST * 2 ** min(attempts - 1, DOUBLINGS_MAX)
    return min(doubled, BACKOFF_MAX) * (1 - jitter / 2)
