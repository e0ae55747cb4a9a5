# SPDX-License-Identifier: Apache-2.0
"""Adds up usage that the previous version recorded, in small steps. It may run late, twice, or on two replicas at once.

Source: services/ledger/README.md, "Reading usage".
"""

import asyncio
from datetime import timedelta

from meshkit.clock import Clock
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.store import PostgresStore

CHORE = "add up"
EVERY = timedelta(minutes=10)
ENTRIES_PER_STEP_MAX = 1_000
CUSTOMERS_PER_STEP_MAX = 500
# A step holds a pool's lock for some 30 ms; then the gate has its turn.
PAUSE_SECONDS = 0.05


class Gaps:
    """Closes the gaps in the sums of usage. wall: dates the chore."""

    def __init__(self, *, store: PostgresStore, wall: Clock) -> None:
        self._store = store
        self._wall = wall

    async def run(self) -> int:
        """Close all gaps, if it is this replica's turn; returns how many steps it took."""
        now = self._wall.now()
        if not await self._store.run(lambda tx: tx.retention.claim(CHORE, at=now, due_again=now + EVERY)):
            return 0
        steps, last = 0, ""
        while customer_ids := await self._customers_after(last):
            last = customer_ids[-1]
            for key in await self._behind(customer_ids):
                while await self._step(key):
                    steps += 1
                    await asyncio.sleep(PAUSE_SECONDS)
        return steps

    async def _customers_after(self, last: str) -> list[CustomerId]:
        found = await self._store.read(lambda tx: tx.retention.customers_after(last, CUSTOMERS_PER_STEP_MAX))
        return list(found)

    async def _behind(self, customer_ids: list[CustomerId]) -> list[PoolKey]:
        return await self._store.read(lambda tx: tx.gaps.pools_behind(customer_ids))

    async def _step(self, key: PoolKey) -> bool:
        return await self._store.run(lambda tx: tx.gaps.close_some(key, entries_max=ENTRIES_PER_STEP_MAX))
