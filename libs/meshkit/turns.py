# SPDX-License-Identifier: Apache-2.0
"""One caller at a time for each key, in order of arrival.

For transactions that would all wait for the lock of one row: without it each of them keeps a database connection while
it waits, and PostgreSQL wakes all of them at every commit.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from meshkit.faults import DatabaseBusy


class Turns:
    """The queues of one process. seconds_max: how long a caller waits for its turn."""

    def __init__(self, *, seconds_max: float) -> None:
        self._seconds_max = seconds_max
        # A lock exists as long as a task holds or awaits it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, key: str) -> AsyncIterator[None]:
        """Wait until no earlier caller has this key. Raises DatabaseBusy after seconds_max; then nothing was done."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with asyncio.timeout(self._seconds_max):
                await lock.acquire()
        except TimeoutError:
            raise DatabaseBusy from None
        try:
            yield
        finally:
            lock.release()
