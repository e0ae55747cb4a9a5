# SPDX-License-Identifier: Apache-2.0
"""A durable PostgreSQL that a test kills, pauses and starts again."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from deploy.local.fault import Fault
from deploy.local.postgres import FREE_MEGABYTES_MIN, EmbeddedPostgres
from tests.support.ledger_process import parent_of

# The longest that any single wait of a run may last; a run that exceeds it stops and says so. It is long, because it is
# no goal for the Ledger: a process with a low priority on a busy machine may need minutes to start.
PATIENCE_SECONDS = 900.0
RETRY_SECONDS = 0.5


class OwnPostgres:
    """One PostgreSQL on a fixed port. free_megabytes_min, settings, programs: as EmbeddedPostgres."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        free_megabytes_min: int = FREE_MEGABYTES_MIN,
        settings: Mapping[str, str] = MappingProxyType({}),
        programs: Path | None = None,
    ) -> None:
        # The kernel stops PostgreSQL when the thread that started it ends; this thread lives as long as this object.
        self._thread = ThreadPoolExecutor(1)
        self._postgres = EmbeddedPostgres(
            folder,
            port=port,
            free_megabytes_min=free_megabytes_min,
            settings=settings,
            programs=programs,
        )
        self._paused: list[int] = []

    @property
    def admin_url(self) -> str:
        return self._postgres.admin_url

    @property
    def has_ended(self) -> bool:
        """Whether the postmaster has ended by itself or was killed."""
        return parent_of(self._postgres.pid) is None

    async def start(self) -> None:
        """Start it; a start that fails, as while a killed server's children end, is repeated for a while."""
        await retry_start(lambda: self._in_thread(self._postgres.start))

    async def restart_if_ended(self) -> None:
        """Start it again if it has ended by itself, as a supervisor does."""
        if self.has_ended:
            await self._in_thread(self._postgres.stop)
            await self.start()

    async def stop(self) -> None:
        self.resume()
        await self._in_thread(self._postgres.stop)
        self._thread.shutdown()

    def kill(self) -> None:
        """SIGKILL the postmaster; its children end by themselves."""
        self._postgres.kill()

    def pause(self) -> None:
        """SIGSTOP the postmaster, so that it starts no more processes, and then all its children."""
        self._paused = [self._postgres.pid]
        os.kill(self._postgres.pid, signal.SIGSTOP)
        self._paused += [pid for pid in _processes() if parent_of(pid) == self._postgres.pid]
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT what is paused."""
        self._signal(signal.SIGCONT)
        self._paused = []

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._paused:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    async def _in_thread(self, call: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]


async def retry_start(
    start: Callable[[], Awaitable[None]], *, patience_seconds: float = PATIENCE_SECONDS
) -> None:
    """Call `start` until it succeeds. Raises its last Fault when that is later than the patience allows."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return await start()
        except Fault:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(RETRY_SECONDS)
