# SPDX-License-Identifier: Apache-2.0
"""Customers who are suspended because they are in debt: asks the Ledger whether they still are.

Source: services/contract/README.md, "Money that goes back without us".
"""

from datetime import datetime, timedelta

import structlog

from meshkit.clock import Clock
from meshkit.errors import MeshError, error_text
from services.contract.domain.customer import SuspensionReason
from services.contract.domain.ids import CustomerId
from services.contract.operations.billing.suspending import lift
from services.contract.operations.ports import Ledger
from services.contract.store import PostgresStore

ASK_AFTER = timedelta(minutes=1)
CUSTOMERS_PER_RUN_MAX = 1_000

log = structlog.get_logger(__name__)


class Debts:
    """Lifts suspensions of debts that are paid. wall: when the Ledger is asked about all of them again."""

    def __init__(self, *, store: PostgresStore, ledger: Ledger, wall: Clock) -> None:
        self._store = store
        self._ledger = ledger
        self._wall = wall
        self._next: datetime | None = None

    async def run_due(self) -> None:
        """Look at every customer who is suspended for a debt, at most every minute: usage may have been corrected."""
        now = self._wall.now()
        if self._next is not None and now < self._next:
            return
        self._next = now + ASK_AFTER
        async with self._store.transaction() as tx:
            customers = await tx.refunds.in_debt(customers_max=CUSTOMERS_PER_RUN_MAX)
        for customer_id in customers:
            await self.look_again(customer_id)

    async def look_again(self, customer_id: CustomerId) -> None:
        """Lift the suspension of a customer who owes nothing any more. Raises nothing if the Ledger is away."""
        async with self._store.transaction() as tx:
            suspensions = (await tx.customers.find(customer_id)).suspensions
            before = await tx.refunds.with_debt(customer_id)
        if all(one.reason is not SuspensionReason.IN_DEBT for one in suspensions):
            return
        try:
            for currency_code in sorted({one.amount.currency_code for one in before}):
                if await self._ledger.owed(customer_id, currency_code):
                    return
        except MeshError as fault:  # the due work asks again
            log.warning("debt_not_known", customer_id=customer_id, error=error_text(fault))
            return
        async with self._store.transaction() as tx:
            await tx.customers.lock_id(customer_id)
            # Otherwise another debt has come since the Ledger was asked.
            if await tx.refunds.with_debt(customer_id) == before:
                await lift(tx, customer_id, SuspensionReason.IN_DEBT)
