# SPDX-License-Identifier: Apache-2.0
"""Observes new and changed watches on every customer in all pools.

Source: services/ledger/README.md, "Watches and crossings".
"""

from datetime import datetime
from typing import Final

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.crossings.sweep import SweptPage
from services.ledger.domain.crossings.watch import Watch
from services.ledger.domain.gate.spend_cap import GroupValue, used_in
from services.ledger.operations.credits.settlement import open_account
from services.ledger.operations.gate.recounts import Earlier, recount, sum_earlier
from services.ledger.operations.ports import Relay
from services.ledger.store import PostgresStore, Transaction

CUSTOMERS_PER_PAGE: Final = 1_000


class WatchSweeping:
    """Goes through the customers of each new watch, page by page, and settles those it may be in alarm for.

    Any number of replicas may do so: an observation that was made before changes nothing.
    """

    def __init__(
        self,
        *,
        store: PostgresStore,
        clock: Clock,
        ids: Ids,
        relay: Relay,
        customers_per_page: int = CUSTOMERS_PER_PAGE,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._relay = relay
        self._customers_per_page = customers_per_page

    async def run(self) -> None:
        """Sweep until there is nothing left to do."""
        while await self._sweep_page():
            pass

    async def _sweep_page(self) -> bool:
        """Observe a watch in the pools of the next customers; returns whether there was one to observe."""
        sweep = await self._store.run(lambda tx: tx.watch_sweeps.next())
        if sweep is None:
            return False
        at = self._clock.now()
        page = await self._store.run(
            lambda tx: tx.watch_sweeps.page(sweep, at=at, customers_max=self._customers_per_page)
        )
        for customer_id in sorted(page.found):
            await self._observe(sweep.watch, customer_id, page)
        await self._store.run(lambda tx: tx.watch_sweeps.save(sweep, page.last))
        if page.found:
            self._relay.wake()
        return True

    async def _observe(self, watch: Watch, customer_id: CustomerId, page: SweptPage) -> None:
        at = self._clock.now()
        counted = [(watch.credit_type_id, (watch.group_key, watch.group_value))]

        async def look(tx: Transaction) -> Earlier:
            return await sum_earlier(tx, customer_id, await tx.recounts.needs(customer_id), counted, at=at)

        earlier = await self._store.read(look) if watch.is_counted_for_it else {}

        async def work(tx: Transaction) -> None:
            values = page.found[customer_id]
            if watch.is_counted_for_it:
                await tx.copies.lock_customer(customer_id)
                await tx.copies.outdate(customer_id)  # locks the pools too
                await recount(tx, customer_id, await tx.recounts.needs(customer_id), counted, earlier, at=at)
                values |= await _past(tx, watch, customer_id, at=at)
            opened = await open_account(
                tx,
                customer_id,
                watch.credit_type_id,
                at=at,
                ids=self._ids,
                group_values=values,
                settles=True,
            )
            await opened.save(tx, opened.now)

        await self._store.run(work)


async def _past(tx: Transaction, watch: Watch, customer_id: CustomerId, *, at: datetime) -> set[GroupValue]:
    """Return the watched subjects of a customer that have spent as much as the threshold."""
    position = await tx.recounts.position(customer_id, watch.credit_type_id)
    if position is None or position.anchor is None:
        return set()
    spends = await tx.recounts.spends_of_key(customer_id, watch.credit_type_id, watch.group_key)
    return {
        (watch.group_key, value)
        for value, spend in spends.items()
        if watch.watches_value(watch.group_key, value)
        and used_in(spend, watch.window, 0, zone=position.zone, anchor=position.anchor, at=at)[0]
        >= watch.threshold
    }
