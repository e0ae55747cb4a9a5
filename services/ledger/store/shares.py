# SPDX-License-Identifier: Apache-2.0
"""How the database connections of a Ledger are shared: no use of the database can take those of another.

The lane has one connection to itself. The rest is divided between decisions that wait for a lock beside the lane,
writes (those of operators, of other services and of background work) and reads.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meshkit.faults import DatabaseBusy


class Share:
    """A number of connections, given out in order of arrival. wait_seconds: how long a caller waits for one."""

    def __init__(self, connections: int, *, wait_seconds: float) -> None:
        self._free = asyncio.Semaphore(connections)
        self._wait_seconds = wait_seconds

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Wait until fewer than all of them are in use. Raises DatabaseBusy after wait_seconds; nothing was done."""
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise DatabaseBusy from None
        try:
            yield
        finally:
            self._free.release()


class Shares:
    """The shares of a pool of `size` connections. Below 4 some of them overlap, and may wait for each other."""

    def __init__(self, size: int, *, wait_seconds: float) -> None:
        rest = max(1, size - 1)  # one is the lane's
        beside, writes = max(1, rest // 4), max(1, rest // 3)
        self.beside = Share(beside, wait_seconds=wait_seconds)
        self.writes = Share(writes, wait_seconds=wait_seconds)
        self.reads = Share(max(1, rest - beside - writes), wait_seconds=wait_seconds)
