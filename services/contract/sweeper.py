# SPDX-License-Identifier: Apache-2.0
"""Work in the background: the due run, and forgetting what nobody asks for any more.

Nothing depends on it being on time: what is billed late is dated when it was due.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog

from meshkit.clock import Clock
from services.contract.store import PostgresStore

FORGET_SECONDS: Final = 3_600.0
REQUESTS_KEPT: Final = timedelta(days=35)  # promised: 34
NOTICES_KEPT: Final = timedelta(days=7)
WAIT_SECONDS_MAX: Final = 30.0

log = structlog.get_logger(__name__)


class Sweeper:
    """Runs `work` every `interval_seconds`; after a failure it waits longer and longer, to 30 s at most."""

    def __init__(self, name: str, work: Callable[[], Awaitable[None]], *, interval_seconds: float) -> None:
        self._name = name
        self._work = work
        self._interval_seconds = interval_seconds
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the background."""
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End it; a transaction in hand is rolled back."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])

    async def _run(self) -> None:
        wait_seconds = self._interval_seconds
        while True:
            try:
                await self._work()
                wait_seconds = self._interval_seconds
            except Exception as error:  # the database or a peer may be away for a while
                log.warning("sweep_failed", sweep=self._name, error=f"{type(error).__name__}: {error}")
                wait_seconds = max(self._interval_seconds, min(wait_seconds * 2, WAIT_SECONDS_MAX))
            await asyncio.sleep(wait_seconds)


async def forget_old(store: PostgresStore, wall: Clock) -> None:
    """Forget answered requests and heard notices that are old by `wall`, a bounded number."""
    now = wall.now()
    forgotten = await store.forget(requests_before=now - REQUESTS_KEPT, notices_before=now - NOTICES_KEPT)
    if forgotten:
        log.info("old_rows_forgotten", rows=forgotten)
