# SPDX-License-Identifier: Apache-2.0
"""GetBalance, the lists, GetUsageSummary and VerifyLedger."""

from collections.abc import Sequence
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from meshkit.period import Period
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.balance import Balances, balances_of
from services.ledger.domain.credits.entry import Entry
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, Grant, GrantId
from services.ledger.domain.credits.verification import Verification
from services.ledger.domain.gate.hold import Hold, HoldState
from services.ledger.domain.usage import SummaryWindow, UsageRow
from services.ledger.operations.credits.settling import open_account
from services.ledger.operations.ports import Store, Transaction


class Reporting:
    """Tells what is so now. Where the clock has made something so, that is written on the way."""

    def __init__(self, *, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def balance(self, customer: str, credit_type_id: CreditTypeId | None) -> Balances:
        """Return a customer's pools, or one of them. Raises CustomerNotFound.

        Where nothing has fallen due it waits for nobody and writes nothing.
        """
        at = self._clock.now()

        async def settle(tx: Transaction) -> Sequence[Account]:
            customer_id = await tx.standings.customer_id(customer)
            return await self._settle(tx, customer_id, credit_type_id, at=at)

        accounts = await self._store.snapshot(customer, credit_type_id)
        if any(account.is_due(at) for account in accounts):
            accounts = await self._store.run(settle)
        return balances_of(accounts, at=at)

    async def grants(
        self, customer: str, credit_type_id: CreditTypeId | None, page: Page
    ) -> Sequence[tuple[CreditTypeId, Grant]]:
        """Return a page in the order they were made, and one more when there is. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> Sequence[tuple[CreditTypeId, Grant]]:
            customer_id = await tx.standings.customer_id(customer)
            await self._settle(tx, customer_id, None, at=self._clock.now())
            return await tx.reports.grants(customer_id, credit_type_id, page)

        return await self._store.run(work)

    async def entries(
        self, customer: str, credit_type_id: CreditTypeId, grant_id: GrantId | None, page: Page
    ) -> Sequence[Entry]:
        """Return a page, newest first, and one more when there is. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> Sequence[Entry]:
            customer_id = await tx.standings.customer_id(customer)
            await self._settle(tx, customer_id, None, at=self._clock.now())
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

    async def _settle(
        self, tx: Transaction, customer_id: CustomerId, credit_type_id: CreditTypeId | None, *, at: datetime
    ) -> list[Account]:
        """Bring a customer's accounts (or one of them) up to date, and return them."""
        accounts = []
        for pool in await tx.reports.credit_types(customer_id):
            if credit_type_id in (None, pool):
                opened = await open_account(tx, customer_id, pool, at=at, ids=self._ids)
                await opened.save(tx, opened.now)
                accounts.append(opened.now)
        return accounts
