# SPDX-License-Identifier: Apache-2.0
"""Settles the money of a change of plan, or of an end, once the Ledger has said how much of the credits was unused."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.contract.domain.ids import PlanChangeId
from services.contract.domain.invoice import Invoice, InvoiceLine
from services.contract.domain.plan_change import (
    PlanChange,
    PlanChangeStatus,
    UnusedShare,
)
from services.contract.domain.settlement import settled_money
from services.contract.operations.billing.crediting import charging_invoices, take_off
from services.contract.operations.billing.invoicing import new_invoice, with_lines
from services.contract.operations.billing.issuing import issue
from services.contract.store import PostgresStore, Transaction


class PlanCredits:
    """Writes what comes back: off the invoices that charged it, and on the first invoice of the new contract. Once per
    change.
    """

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
            # All invoices are locked before the series of numbers is, in one order.
            money = settled_money(change, await charging_invoices(tx, change.paid, locks=True))
            draft = await self._draft(tx, change, money.lines)
            reason = "the plan changed" if change.begun_contract_id else "the contract ended"
            credited = [
                await take_off(
                    tx,
                    invoice,
                    None,
                    lines,
                    reason=f"{reason}: {change.ended_contract_id}",
                    at=at,
                    ids=self._ids,
                )
                for invoice, lines in money.notes
            ]
            await tx.plan_changes.save_answer(
                replace(
                    change,
                    invoice_id=None if draft is None else draft.invoice_id,
                    credit_note_ids=tuple(one.credit_note.credit_note_id for one in credited),
                )
            )
            await issue(tx, [] if draft is None else [draft], at=at, ids=self._ids)

    async def _draft(
        self, tx: Transaction, change: PlanChange, lines: Sequence[InvoiceLine]
    ) -> Invoice | None:
        """Return the draft with these lines: the new contract's first invoice, or a new one; None: there is none."""
        if change.invoice_id is not None:
            draft = await tx.invoices.lock(change.invoice_id)
            if not lines:
                return draft
            whole = with_lines(draft, lines, ids=self._ids)
            await tx.invoices.extend(whole, stored=len(draft.lines))
            return whole
        if not lines:
            return None
        contract = await tx.contracts.find(change.begun_contract_id or change.ended_contract_id)
        draft = new_invoice(contract, lines, issue_time=change.change_time, ids=self._ids)
        await tx.invoices.insert(draft)
        return draft
