# SPDX-License-Identifier: Apache-2.0
"""Keeps tables bounded: drops old responses, ended holds, reports and delivered notices, in small steps.

Each hour one of the replicas does it. It may run late.
"""

import asyncio
from datetime import timedelta

from meshkit.clock import Clock
from meshkit.ids import first_id
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.lease import LEASE_PREFIX
from services.ledger.domain.retention import (
    HOLDS_KEPT_AFTER_CREATION,
    HOLDS_KEPT_AFTER_EXPIRY,
    NOTICES_KEPT,
    SHADOW_DENIALS_KEPT,
    SLOTS,
    generation_to_prepare,
)
from services.ledger.store import PostgresStore, Transaction

CHORE = "forget"
EVERY = timedelta(hours=1)
ROWS_PER_STEP_MAX = 1_000
# Of a customer's report of shadow mode.
DAYS_PER_STEP_MAX = 10
CUSTOMERS_PER_STEP_MAX = 500
# Leaves time to the gate: a step uses one connection for some 10 ms, then pauses.
PAUSE_SECONDS = 0.05


class Retention:
    """Drops rows past their retention. clock: dates responses and holds; wall: dates ids, notices and the chore."""

    def __init__(self, *, store: PostgresStore, clock: Clock, wall: Clock) -> None:
        self._store = store
        self._clock = clock
        self._wall = wall

    async def run(self) -> int:
        """Drop everything past its retention, if it is this replica's turn.

        Returns how many rows were dropped, without those of an emptied slot.
        """
        now = self._wall.now()
        if not await self._store.run(lambda tx: tx.retention.claim(CHORE, at=now, due_again=now + EVERY)):
            return 0
        dropped = await self._drop_notices() + await self._drop_by_customer()
        await self._prepare_slot()
        return dropped

    async def _prepare_slot(self) -> None:
        generation = generation_to_prepare(self._clock.now())
        if generation is not None:
            slot = generation % SLOTS
            await self._store.run(lambda tx: tx.retention.empty_slot(slot, generation=generation))

    async def _drop_notices(self) -> int:
        sent_before = self._wall.now() - NOTICES_KEPT

        async def step(tx: Transaction) -> int:
            return await tx.retention.drop_notices(sent_before=sent_before, rows_max=ROWS_PER_STEP_MAX)

        dropped = 0
        while (count := await self._store.run(step)) > 0:
            dropped += count
            await asyncio.sleep(PAUSE_SECONDS)
        return dropped

    async def _drop_by_customer(self) -> int:
        dropped, last = 0, ""
        while customer_ids := await self._customers_after(last):
            last = customer_ids[-1]
            while (count := await self._drop_of(customer_ids)) > 0:
                dropped += count
                await asyncio.sleep(PAUSE_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)
        return dropped

    async def _customers_after(self, last: str) -> list[CustomerId]:
        async def step(tx: Transaction) -> list[CustomerId]:
            return list(await tx.retention.customers_after(last, CUSTOMERS_PER_STEP_MAX))

        return await self._store.run(step)

    async def _drop_of(self, customer_ids: list[CustomerId]) -> int:
        made_before = self._wall.now() - HOLDS_KEPT_AFTER_CREATION
        expired_before = self._clock.now() - HOLDS_KEPT_AFTER_EXPIRY

        day = (self._clock.now() - SHADOW_DENIALS_KEPT).date()

        async def step(tx: Transaction) -> int:
            holds = 0
            for kind in ("hld", LEASE_PREFIX):
                holds += await tx.retention.drop_holds(
                    customer_ids,
                    made_before=HoldId(first_id(kind, made_before)),
                    expired_before=expired_before,
                    rows_max=ROWS_PER_STEP_MAX,
                )
            lines = await tx.retention.drop_shadow_denials(
                customer_ids, before=day, days_max=DAYS_PER_STEP_MAX
            )
            return holds + lines

        return await self._store.run(step)
