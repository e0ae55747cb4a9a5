# SPDX-License-Identifier: Apache-2.0
"""Background work, periodic or woken. It continues after any failure, until it is stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from meshkit.errors import error_text
from meshkit.metrics import BACKGROUND_FAILURES

log = structlog.get_logger(__name__)


class PeriodicTask:
    """Runs `work` at the start, and again `every_seconds` after it ended or failed.

    name: names the work in the log. wait_seconds_max: after repeated failures the wait doubles up to this.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], Awaitable[object]],
        every_seconds: float,
        *,
        wait_seconds_max: float = 0.0,
    ) -> None:
        self._name = name
        self._work = work
        self._every_seconds = every_seconds
        self._wait_seconds_max = wait_seconds_max
        self._loop: asyncio.Task[None] | None = None
        self._is_stopping = False

    def start(self) -> None:
        """Start in the background."""
        assert self._loop is None
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop the task; an open transaction is rolled back. A caller cancelled meanwhile gets its CancelledError."""
        self._is_stopping = True
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])

    async def _run(self) -> None:
        wait_seconds = self._every_seconds
        # Checked in each round: a failing rollback replaces the CancelledError that caused it.
        while not self._is_stopping:
            try:
                await self._work()
                wait_seconds = self._every_seconds
            except Exception as error:  # the database or a peer may be unavailable for a while
                BACKGROUND_FAILURES.labels(self._name).inc()
                log.warning("sweep_failed", sweep=self._name, error=error_text(error))
                wait_seconds = max(self._every_seconds, min(wait_seconds * 2, self._wait_seconds_max))
            if not self._is_stopping:
                await asyncio.sleep(wait_seconds)


class WokenTask:
    """Runs `work` at the start, whenever it is woken, and `poll_seconds` after it ended or failed.

    failed: the event in the log when the work raises, as it does while the database is unavailable.
    """

    def __init__(self, work: Callable[[], Awaitable[object]], *, poll_seconds: float, failed: str) -> None:
        self._work = work
        self._poll_seconds = poll_seconds
        self._failed = failed
        self._woken = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start in the background."""
        assert self._loop is None
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop the task; an open transaction is rolled back."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])
            self._loop = None

    def wake(self) -> None:
        """Run the work now, or once more after the present run. Call it after the commit of what is due."""
        self._woken.set()

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._work()
            except Exception as error:  # the database or a peer may be unavailable for a while
                log.warning(self._failed, error=error_text(error))
            await happens(self._woken, self._poll_seconds)


async def happens(event: asyncio.Event, wait_seconds: float) -> bool:
    """Wait for an event. Returns whether it was set within `wait_seconds`."""
    # Not wait_for: before Python 3.12 it swallows a cancellation that coincides with the event.
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_seconds):
            await event.wait()
    return event.is_set()
