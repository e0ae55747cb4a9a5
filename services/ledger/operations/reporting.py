# SPDX-License-Identifier: Apache-2.0
"""GetBalance, the lists, GetUsageSummary and VerifyLedger."""

from collections.abc import Sequence

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from meshkit.period import Period
from services.ledger.domain.entry import Entry
from services.ledger.domain.grant import CreditTypeId, CustomerId, Grant, GrantId
from services.ledger.domain.hold import Hold, HoldState
from services.ledger.domain.report import Balances, SummaryWindow, UsageRow, Verification, balance_of
from services.ledger.operations.ports import Store, Transaction
from services.ledger.operations.settling import open_account


class Reporting:
    """Tells what is so now. Where the clock has made something so, that is written on the way."""

    def __init__(self, *, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def balance(self, customer: str, credit_type_id: CreditTypeId | None) -> Balances:
        """Return a customer's pools, or one of them. Raises CustomerNotFound."""
        at = self._clock.now()

        async def work(tx: Transaction) -> Balances:
            customer_id = await tx.standings.customer_id(customer)
            pools = []
            latest = at
            for pool in await tx.reports.credit_types(customer_id):
                if credit_type_id in (None, pool):
                    opened = await open_account(tx, customer_id, pool, at=at, ids=self._ids)
                    await opened.save(tx, opened.now)
                    pools.append(balance_of(opened.now, at=opened.at))
                    latest = max(latest, opened.at)
            return Balances(pools=tuple(pools), at=latest)

        return await self._store.run(work)

    async def grants(
        self, customer: str, credit_type_id: CreditTypeId | None, page: Page
    ) -> Sequence[tuple[CreditTypeId, Grant]]:
        """Return a page in the order they were made, and one more when there is. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> Sequence[tuple[CreditTypeId, Grant]]:
            customer_id = await tx.standings.customer_id(customer)
            await self._settle_all(tx, customer_id)
            return await tx.reports.grants(customer_id, credit_type_id, page)

        return await self._store.run(work)

    async def entries(
        self, customer: str, credit_type_id: CreditTypeId, grant_id: GrantId | None, page: Page
    ) -> Sequence[Entry]:
        """Return a page, newest first, and one more when there is. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> Sequence[Entry]:
            customer_id = await tx.standings.customer_id(customer)
            await self._settle_all(tx, customer_id)
            return await tx.reports.entries(customer_id, credit_type_id, grant_id, page)

        return await self._store.run(work)

    async def holds(
        self, customer: str, state: HoldState | None, page: Page
    ) -> Sequence[tuple[CreditTypeId, Hold]]:
        """Return a page, newest first, and one more when there is. Raises CustomerNotFound."""
        at = self._clock.now()

        async def work(tx: Transaction) -> Sequence[tuple[CreditTypeId, Hold]]:
            customer_id = await tx.standings.customer_id(customer)
            return await tx.reports.holds(customer_id, state, page, at=at)

        return await self._store.run(work)

    async def usage(
        self, customer: str, span: Period, *, group_key: str, window: SummaryWindow
    ) -> Sequence[UsageRow]:
        """Return captured usage by window, product and group value. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> Sequence[UsageRow]:
            customer_id = await tx.standings.customer_id(customer)
            return await tx.reports.usage(customer_id, span, group_key=group_key, window=window)

        return await self._store.run(work)

    async def verify(self, customer: str | None) -> Verification:
        """Recount one customer, or everybody (None). Raises CustomerNotFound."""
        if customer is None:
            return await self._store.verify(None)
        customer_id = await self._store.run(lambda tx: tx.standings.customer_id(customer))
        return await self._store.verify(customer_id)

    async def _settle_all(self, tx: Transaction, customer_id: CustomerId) -> None:
        at = self._clock.now()
        for pool in await tx.reports.credit_types(customer_id):
            opened = await open_account(tx, customer_id, pool, at=at, ids=self._ids)
            await opened.save(tx, opened.now)
