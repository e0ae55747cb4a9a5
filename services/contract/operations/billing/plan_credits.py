# SPDX-License-Identifier: Apache-2.0
"""Settles the money of a change of plan, or of an end, once the Ledger has said how much of the credits was unused."""

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
from services.contract.domain.settlement import ChargingInvoice, end_money
from services.contract.operations.billing.crediting import take_off
from services.contract.operations.billing.invoicing import new_invoice, with_lines
from services.contract.operations.billing.issuing import issue
from services.contract.store import PostgresStore, Transaction


class PlanCredits:
    """Writes what comes back on the first invoice of the new contract, and issues it. Once per change.

    Without a new contract, what comes back is taken off the invoices that charged it.
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
            await tx.plan_changes.save_answer(change)
            if change.begun_contract_id is None:
                await self._settle_end(tx, change, at=at)
            elif (draft := await self._with_credits(tx, change)) is not None:
                await issue(tx, [draft], at=at, ids=self._ids)

    async def _with_credits(self, tx: Transaction, change: PlanChange) -> Invoice | None:
        """Return the first invoice of the new contract with what comes back; None if there is nothing to say."""
        credits = plan_lines(change)
        if change.invoice_id is None:
            if not credits:
                return None
            assert change.begun_contract_id is not None
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

    async def _settle_end(self, tx: Transaction, change: PlanChange, *, at: datetime) -> None:
        """Take off earlier invoices what comes back, and charge what was used and not billed on a last one."""
        # All are locked before the series of numbers is, in one order.
        invoice_ids = await tx.billing.charging_invoices(change.paid)
        invoices = {one: await tx.invoices.lock(one) for one in sorted(invoice_ids)}
        charged_by = [
            ChargingInvoice(invoice=invoices[one], earlier=tuple(await tx.credit_notes.of_invoice(one)))
            for one in invoice_ids
        ]
        money = end_money(change, charged_by)
        draft = None
        if money.lines:
            contract = await tx.contracts.find(change.ended_contract_id)
            draft = new_invoice(contract, money.lines, issue_time=change.change_time, ids=self._ids)
            await tx.invoices.insert(draft)
        reason = f"contract {change.ended_contract_id} ended"
        credited = [
            await take_off(tx, invoice, None, lines, reason=reason, at=at, ids=self._ids)
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
