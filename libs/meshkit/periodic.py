# SPDX-License-Identifier: Apache-2.0
"""Work in the background that comes again and again. Whatever fails, it outlives all but its own stop."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)


class Periodic:
    """Does `work` at the start, and again `every_seconds` after it ended or failed.

    name: of the work, in the log. wait_seconds_max: work that fails again waits twice as long each time, to this.
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
        """Begin in the background."""
        assert self._loop is None
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End it; a transaction in hand is rolled back. Who is cancelled while waiting for that is cancelled."""
        self._is_stopping = True
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])

    async def _run(self) -> None:
        wait_seconds = self._every_seconds
        # Asked each time: a rollback that fails takes the place of the cancellation that caused it.
        while not self._is_stopping:
            try:
                await self._work()
                wait_seconds = self._every_seconds
            except Exception as error:  # the database or a peer may be away for a while
                log.warning("sweep_failed", sweep=self._name, error=_words(error))
                wait_seconds = max(self._every_seconds, min(wait_seconds * 2, self._wait_seconds_max))
            if not self._is_stopping:
                await asyncio.sleep(wait_seconds)


def _words(error: Exception) -> str:
    notes = " ".join(getattr(error, "__notes__", ()))
    return f"{type(error).__name__}: {error} {notes}".rstrip()
