# SPDX-License-Identifier: Apache-2.0
"""The relay: delivers the notices of an outbox, in order per key, until the peer has accepted each of them.

A notice that the peer rejects again and again becomes a dead letter (dead_letters.py), so that it blocks no others.

Delivery is at least once. The peer is called with notice_id as its request_id, and answers a repeated call with its
stored response. Any number of replicas may run a relay over one table.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, assert_never
from weakref import WeakValueDictionary

import structlog
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit import tracing
from meshkit.clock import Clock
from meshkit.errors import FailedPrecondition, Kind, MeshError, error_text
from meshkit.metrics import OUTBOX_DELIVERIES
from meshkit.outbox.backlog import Backlog
from meshkit.outbox.dead_letters import DeadLetter, DeadLetterEnded, DeadLetters, is_free
from meshkit.outbox.leases import Lease, Leases, NoLease
from meshkit.outbox.notice import Notice
from meshkit.recording import Recorder
from meshkit.rpc import deadline
from meshkit.rpc.status import PeerUnavailable

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
# A notice is dead when the peer has rejected it this often, for this long. What it lacks, such as a customer that
# another service has yet to report, normally arrives within seconds.
REJECTIONS_MIN = 5
REJECTED_FOR_MIN = timedelta(minutes=10)
# Answers about the notice itself. Every other failure may end without anyone changing it.
REJECTIONS = frozenset({Kind.INVALID_ARGUMENT, Kind.NOT_FOUND, Kind.ALREADY_EXISTS, Kind.FAILED_PRECONDITION})
DOUBLINGS_MAX = 16

log = structlog.get_logger(__name__)


class DeadLetterRejected(FailedPrecondition):
    """The peer rejects the dead letter still."""

    reason = "DEAD_LETTER_REJECTED"

    def __init__(self, *, notice_id: str, error: str) -> None:
        super().__init__(f"the peer rejects {notice_id!r} still: {error}", notice_id=notice_id, error=error)


class _DrainResult(Enum):
    """How many of a key's pending notices were delivered."""

    ALL = auto()
    SOME = auto()  # stopped at a failure, at a notice that is not due, or at a bound
    LEASED_ELSEWHERE = auto()


class Relay:
    """Delivers the notices in `table` with `deliver`, which raises when the peer did not accept the notice.

    After a failure, the notice and later ones of the same key wait 0.1 s, doubling to 30 s, minus a jitter of up to one
    half. A notice that was rejected for REJECTED_FOR_MIN becomes a dead letter.
    wall: the clock for due and lease times. dead_letters: their table. recorder: records what ends one.
    ordered: the kinds of which a notice waits while one of its key and kind is a dead letter; notices of other kinds
    are delivered.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        table: Table,
        deliver: Callable[[Notice], Awaitable[None]],
        wall: Clock,
        *,
        dead_letters: Table,
        recorder: Recorder,
        ordered: frozenset[str] = frozenset(),
        poll_seconds: float = POLL_SECONDS,
        lease: timedelta = LEASE,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        free = is_free(table, dead_letters, ordered) if ordered else None
        self._leases = Leases(engine, table, free=free)
        self.dead_letters = DeadLetters(engine, dead_letters, table, recorder)
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

    async def backlog(self) -> Backlog:
        """Return what is not delivered yet, by any replica."""
        pending, oldest_time = await self._leases.pending_since()
        return Backlog(pending, oldest_time, await self.dead_letters.count_open())

    async def measure(self) -> None:
        """Show in /metrics what is not delivered yet."""
        (await self.backlog()).show(self._outbox, at=self._wall.now())

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
        """Deliver one notice. Returns whether later ones may follow: the peer accepted it, or it is dead."""
        notice = lease.notice
        try:
            with tracing.span(
                "deliver notice", kind=notice.kind, notice_id=notice.notice_id, attempt=lease.attempts
            ):
                async with asyncio.timeout(DELIVERY_SECONDS_MAX):
                    await self._deliver(notice)
        except Exception as error:
            at = self._wall.now()
            is_rejected = isinstance(error, MeshError) and error.kind in REJECTIONS
            if is_rejected and _is_hopeless(lease, at):
                return await self._give_up(lease, error, at)
            OUTBOX_DELIVERIES.labels(self._outbox, notice.kind, "failed").inc()
            log.warning("notice_failed", **self._words(lease, error))
            due = at + backoff(lease.attempts, jitter=self._jitter())
            await self._leases.mark_failed(
                lease, error=error_text(error), due=due, reject_time=at if is_rejected else None
            )
            return False
        OUTBOX_DELIVERIES.labels(self._outbox, notice.kind, "sent").inc()
        await self._leases.mark_sent(lease, at=self._wall.now())
        return True

    async def _give_up(self, lease: Lease, error: Exception, at: datetime) -> bool:
        """Make a notice a dead letter. Returns False if another relay has leased it meanwhile."""
        if not await self.dead_letters.add(lease, error=error_text(error), at=at):
            return False
        OUTBOX_DELIVERIES.labels(self._outbox, lease.notice.kind, "dead").inc()
        log.error("notice_dead", **self._words(lease, error))
        return True

    def _words(self, lease: Lease, error: Exception) -> dict[str, object]:
        """Return what a log event says of a failed attempt."""
        return {
            "outbox": self._outbox,
            "key": lease.notice.key,
            "notice_id": lease.notice.notice_id,
            "kind": lease.notice.kind,
            "attempts": lease.attempts,
            "error": error_text(error),
        }

    async def retry(self, notice_id: str) -> DeadLetter:
        """Send a dead letter now; one that was delivered is not sent again.

        Raises DeadLetterNotFound, DeadLetterEnded if it was dropped, DeadLetterRejected, Unavailable.
        """
        letter = await self.dead_letters.get(notice_id)
        if letter.drop_reason is not None:
            raise DeadLetterEnded(notice_id=notice_id, end="dropped")
        if letter.end_time is not None:
            return letter
        try:
            async with asyncio.timeout(DELIVERY_SECONDS_MAX):
                await self._deliver(letter.notice)
        except TimeoutError as error:
            raise PeerUnavailable(peer="the peer", details=f"within {DELIVERY_SECONDS_MAX:g} s") from error
        except MeshError as error:
            if error.kind not in REJECTIONS:
                raise
            await self.dead_letters.mark_rejected(notice_id, error=error_text(error))
            raise DeadLetterRejected(notice_id=notice_id, error=error_text(error)) from error
        OUTBOX_DELIVERIES.labels(self._outbox, letter.notice.kind, "sent").inc()
        log.info("dead_letter_delivered", outbox=self._outbox, notice_id=notice_id, kind=letter.notice.kind)
        delivered = await self.dead_letters.mark_delivered(notice_id, at=self._wall.now())
        self.wake()
        return delivered

    async def drop(self, notice_id: str, *, reason: str, actor: str) -> DeadLetter:
        """Give a dead letter up, and let what waited for it go. Raises DeadLetterNotFound, DeadLetterEnded."""
        at = self._wall.now()
        dropped = await self.dead_letters.drop(notice_id, reason=reason, actor=actor, at=at)
        log.warning(
            "dead_letter_dropped",
            outbox=self._outbox,
            key=dropped.notice.key,
            notice_id=notice_id,
            kind=dropped.notice.kind,
            reason=dropped.drop_reason,
            actor=dropped.drop_actor,
        )
        self.wake()
        return dropped


def _is_hopeless(lease: Lease, at: datetime) -> bool:
    """Whether a notice is dead with one more rejection at `at`."""
    since = lease.reject_time or at
    return lease.rejections + 1 >= REJECTIONS_MIN and at - since >= REJECTED_FOR_MIN


def backoff(attempts: int, *, jitter: float) -> timedelta:
    """Return the wait after the n-th failed attempt: 0.1 s, doubling to 30 s, minus up to half of it.

    attempts: ≥ 1. jitter: 0 ≤ jitter ≤ 1, the share of that half to subtract.
    """
    doubled: timedelta = BACKOFF_FIRST * 2 ** min(attempts - 1, DOUBLINGS_MAX)
    return min(doubled, BACKOFF_MAX) * (1 - jitter / 2)
