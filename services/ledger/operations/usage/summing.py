# SPDX-License-Identifier: Apache-2.0
"""Keeps the sums of usage up to date: shortly after entries were written, and before somebody reads the sums.

Each step may run late, twice, or on two replicas at once. Source: services/ledger/README.md, "Reading usage".
"""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from meshkit.clock import Clock
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.store import PostgresStore

CHORE = "add up usage"
EVERY = timedelta(minutes=10)
POOLS_PER_STEP_MAX = 100
ENTRIES_PER_STEP_MAX = 5_000  # of one pool
# What a read adds up, at most, before it answers that its sums are not complete.
STEPS_PER_READ_MAX = 20
CUSTOMERS_PER_STEP_MAX = 500
PAUSE_SECONDS = 0.05


class Summing:
    """Adds up usage. wall: dates the chore."""

    def __init__(self, *, store: PostgresStore, wall: Clock) -> None:
        self._store = store
        self._wall = wall

    async def add_up_written(self) -> None:
        """Add up what this process has written; what it does not finish, it goes on with at the next call."""
        pools = sorted(self._store.has_new_entries)
        self._store.has_new_entries.clear()
        try:
            while pools:
                step = pools[:POOLS_PER_STEP_MAX]
                done = await self._step(step)
                pools = pools[POOLS_PER_STEP_MAX:]
                self._store.has_new_entries.update(key for key in step if key not in done)
        finally:
            self._store.has_new_entries.update(pools)

    async def add_up(self, keys: Iterable[PoolKey]) -> bool:
        """Add up these pools to their present ends; False if that takes too long for a read."""
        pools = list(keys)
        for _ in range(STEPS_PER_READ_MAX):
            if not pools:
                return True
            done = await self._step(pools[:POOLS_PER_STEP_MAX])
            pools = [key for key in pools if key not in done]
        return not pools

    async def add_up_all(self) -> int:
        """Add up what no process remembers, if it is this replica's turn; returns how many steps it took."""
        now = self._wall.now()
        if not await self._store.run(lambda tx: tx.retention.claim(CHORE, at=now, due_again=now + EVERY)):
            return 0
        steps, last = 0, ""
        while customer_ids := await self._customers_after(last):
            first, last = customer_ids[0], customer_ids[-1]
            steps += await self._add_up_all_of(first, last)
        return steps

    async def _customers_after(self, last: str) -> list[CustomerId]:
        found = await self._store.read(lambda tx: tx.retention.customers_after(last, CUSTOMERS_PER_STEP_MAX))
        return list(found)

    async def _add_up_all_of(self, first: CustomerId, last: CustomerId) -> int:
        steps = 0
        pools = await self._store.read(lambda tx: tx.rollups.behind(first, last))
        while pools:
            done = await self._step(pools[:POOLS_PER_STEP_MAX])
            pools = [key for key in pools if key not in done]
            steps += 1
            await asyncio.sleep(PAUSE_SECONDS)
        return steps

    async def _step(self, pools: list[PoolKey]) -> set[PoolKey]:
        return await self._store.run(lambda tx: tx.rollups.add_up(pools, entries_max=ENTRIES_PER_STEP_MAX))
