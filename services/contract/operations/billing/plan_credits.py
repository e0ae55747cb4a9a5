# SPDX-License-Identifier: Apache-2.0
"""Settles the money of a change of plan, once the Ledger has said how much of the old credits was unused."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.contract.domain.ids import PlanChangeId
from services.contract.domain.invoice import Invoice
from services.contract.domain.plan_change import (
    PlanChange,
    PlanChangeStatus,
    UnusedShare,
    plan_lines,
)
from services.contract.operations.billing.invoicing import new_invoice, with_lines
from services.contract.operations.billing.issuing import issue
from services.contract.store import PostgresStore, Transaction


class PlanCredits:
    """Writes what comes back on the first invoice of the new contract, and issues it. Once per change."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def settle(
        self, plan_change_id: PlanChangeId, unused: Sequence[UnusedShare], *, apply_time: datetime
    ) -> None:
        """Record the Ledger's answer. Repeating it changes nothing. Raises PlanChangeNotFound."""
        at = self._clock.now()
        async with self._store.transaction() as tx:
            customer_id = (await tx.plan_changes.find(plan_change_id)).customer_id
            await tx.customers.lock_id(customer_id)
            change = await tx.plan_changes.lock(plan_change_id)
            if change.status is PlanChangeStatus.APPLIED:
                return
            change = replace(
                change, status=PlanChangeStatus.APPLIED, unused=tuple(unused), apply_time=apply_time
            )
            await tx.plan_changes.save_answer(change)
            if (draft := await self._with_credits(tx, change)) is not None:
                await issue(tx, [draft], at=at, ids=self._ids)

    async def _with_credits(self, tx: Transaction, change: PlanChange) -> Invoice | None:
        """Return the first invoice of the new contract with what comes back; None if there is nothing to say."""
        credits = plan_lines(change)
        if change.invoice_id is None:
            if not credits:
                return None
            contract = await tx.contracts.find(change.begun_contract_id)
            draft = new_invoice(contract, credits, issue_time=change.change_time, ids=self._ids)
            await tx.invoices.insert(draft)
            await tx.plan_changes.save_answer(replace(change, invoice_id=draft.invoice_id))
            return draft
        draft = await tx.invoices.lock(change.invoice_id)
        if not credits:
            return draft
        whole = with_lines(draft, credits, ids=self._ids)
        await tx.invoices.extend(whole, stored=len(draft.lines))
        return whole
