# SPDX-License-Identifier: Apache-2.0
"""Drops what nobody asks for any more, once an hour. Nothing depends on it being on time."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from meshkit.clock import Clock
from services.catalog.store import PostgresStore

SWEEP_SECONDS: Final = 3_600.0
REQUESTS_KEPT: Final = timedelta(days=35)  # promised: 34
NOTICES_KEPT: Final = timedelta(days=1)  # each may hold a whole card

log = structlog.get_logger(__name__)


class Sweeper:
    """Forgets answered requests and heard notices when they are old by `wall`."""

    def __init__(self, store: PostgresStore, wall: Clock) -> None:
        self._store = store
        self._wall = wall
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin sweeping in the background."""
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End it; a sweep in hand is rolled back."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])

    async def sweep(self) -> int:
        """Forget what is old now, a bounded number; returns how many rows."""
        now = self._wall.now()
        return await self._store.forget(
            requests_before=now - REQUESTS_KEPT, notices_before=now - NOTICES_KEPT
        )

    async def _run(self) -> None:
        while True:
            try:
                if forgotten := await self.sweep():
                    log.info("old_rows_forgotten", rows=forgotten)
            except Exception as error:  # the database may be away for a while
                log.warning("sweep_failed", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(SWEEP_SECONDS)
