# SPDX-License-Identifier: Apache-2.0
"""GetBalance, the lists, GetUsageSummary and VerifyLedger."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from access import require_all_customers
from meshkit.clock import Clock
from meshkit.page import Page
from meshkit.period import Period
from services.ledger.domain.credits.balance import Balances, balances_of
from services.ledger.domain.credits.entry import Entry
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, Grant, GrantId
from services.ledger.domain.credits.verification import Verification
from services.ledger.domain.gate.hold import Hold, HoldId, HoldState
from services.ledger.domain.usage.summary import SummaryWindow, UsageRow
from services.ledger.operations.credits.settlement import Settlement
from services.ledger.store import PostgresStore, Transaction

T = TypeVar("T")


class Reports:
    """Reports the present state. A report first settles the pools in which something is due; it locks no others."""

    def __init__(self, *, store: PostgresStore, clock: Clock, settlement: Settlement) -> None:
        self._store = store
        self._clock = clock
        self._settlement = settlement

    async def balance(self, customer: str, credit_type_id: CreditTypeId | None) -> Balances:
        """Return a customer's pools, or one of them. Raises CustomerNotFound.

        If nothing is due, it waits for no lock and writes nothing.
        """
        at = self._clock.now()
        accounts = await self._store.snapshot(customer, credit_type_id)
        due = [account for account in accounts if account.is_due(at)]
        for account in due:
            await self._settlement.settle(account.customer_id, account.credit_type_id, at=at)
        if due:
            accounts = await self._store.snapshot(customer, credit_type_id)
        return balances_of(accounts, at=at)

    async def grants(
        self, customer: str, credit_type_id: CreditTypeId | None, page: Page
    ) -> tuple[Sequence[tuple[CreditTypeId, Grant]], datetime]:
        """Return a page in order of creation, one row more if there is one, and the instant they are reported for.

        Raises CustomerNotFound.
        """
        at = self._clock.now()

        async def work(tx: Transaction, customer_id: CustomerId) -> Sequence[tuple[CreditTypeId, Grant]]:
            return await tx.reports.grants(customer_id, credit_type_id, page)

        return await self._read_up_to_date(customer, credit_type_id, work, at=at), at

    async def entries(
        self, customer: str, credit_type_id: CreditTypeId, grant_id: GrantId | None, page: Page
    ) -> Sequence[Entry]:
        """Return a page, newest first, and one row more if there is one. Raises CustomerNotFound."""

        async def work(tx: Transaction, customer_id: CustomerId) -> Sequence[Entry]:
            return await tx.reports.entries(customer_id, credit_type_id, grant_id, page)

        return await self._read_up_to_date(customer, credit_type_id, work, at=self._clock.now())

    async def holds(
        self, customer: str, state: HoldState | None, hold_id: HoldId | None, page: Page
    ) -> tuple[Sequence[tuple[CreditTypeId, Hold, str]], datetime]:
        """Return a page, newest first, one row more if there is one, and the instant they are reported for.

        With each hold, the subject of who asked for it. Raises CustomerNotFound.
        """
        at = self._clock.now()

        async def work(tx: Transaction) -> Sequence[tuple[CreditTypeId, Hold, str]]:
            customer_id = await tx.standings.customer_id(customer)
            return await tx.reports.holds(customer_id, state, hold_id, page, at=at)

        return await self._store.read(work), at

    async def usage(
        self, customer: str, span: Period, *, group_key: str, window: SummaryWindow
    ) -> Sequence[UsageRow]:
        """Return captured usage by window, product and group value. Raises CustomerNotFound."""

        async def work(tx: Transaction) -> Sequence[UsageRow]:
            customer_id = await tx.standings.customer_id(customer)
            return await tx.reports.usage(customer_id, span, group_key=group_key, window=window)

        return await self._store.read(work)

    async def verify(self, customer: str | None) -> Verification:
        """Recount one customer, or all customers (None). Raises CustomerNotFound, TokenRestricted."""
        if customer is None:
            require_all_customers()
            return await self._store.verify(None)
        customer_id = await self._store.read(lambda tx: tx.standings.customer_id(customer))
        return await self._store.verify(customer_id)

    async def _read_up_to_date(
        self,
        customer: str,
        credit_type_id: CreditTypeId | None,
        work: Callable[[Transaction, CustomerId], Awaitable[T]],
        *,
        at: datetime,
    ) -> T:
        """Settle what is due at `at` in a customer's pools (or in one of them), then run `work` on a snapshot.

        Only pools in which something is due are locked, each while it is settled.
        """

        async def find_due(tx: Transaction) -> tuple[CustomerId, Sequence[CreditTypeId]]:
            customer_id = await tx.standings.customer_id(customer)
            return customer_id, await tx.accounts.due_pools(customer_id, credit_type_id, at=at)

        customer_id, due = await self._store.read(find_due)
        for pool in due:
            await self._settlement.settle(customer_id, pool, at=at)
        return await self._store.read(lambda tx: work(tx, customer_id))
