# SPDX-License-Identifier: Apache-2.0
"""Looks every second at what is due by the clock. Nothing depends on its being on time: every question settles
what it asks about first. It is there for the customers nobody asks about, and for their alerts."""

import asyncio

import structlog

from meshkit.clock import Clock
from services.ledger.operations.settling import Settling

log = structlog.get_logger(__name__)


class Sweeper:
    """Settles due pools in the background, by the business `clock`."""

    def __init__(self, settling: Settling, clock: Clock, *, every_seconds: float) -> None:
        self._settling = settling
        self._clock = clock
        self._every_seconds = every_seconds
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin sweeping."""
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End it; a transaction in hand is rolled back."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])

    async def _run(self) -> None:
        while True:
            try:
                await self._settling.run_due(self._clock.now())
            except Exception as error:  # the database may be away for a while
                notes = " ".join(getattr(error, "__notes__", ()))
                log.warning("sweep_failed", error=f"{type(error).__name__}: {error} {notes}".rstrip())
            await asyncio.sleep(self._every_seconds)
