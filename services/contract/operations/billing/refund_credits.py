# SPDX-License-Identifier: Apache-2.0
"""Settles the money of a refund, once the Ledger has said how many of its credits were unspent."""

from dataclasses import replace
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.contract.domain.events import events_of_refund
from services.contract.domain.ids import AccountCreditEntryId, RefundId
from services.contract.domain.invoice_credits import AccountCreditCause, AccountCreditChange
from services.contract.domain.refunds import RefundAnswer, RefundStatus, TopUpRefund, returned, settled
from services.contract.domain.top_up import PaymentGate, TopUp
from services.contract.operations.billing.crediting import take_off
from services.contract.operations.billing.publishing import publish
from services.contract.store import PostgresStore, Transaction


class RefundCredits:
    """Writes the credit note of a refund, once. Source: services/contract/README.md, "Refunds of top-ups".

    wall: when the provider is asked to return the money.
    """

    def __init__(self, *, store: PostgresStore, clock: Clock, wall: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._wall = wall
        self._ids = ids

    async def settle(self, refund_id: RefundId, answer: RefundAnswer) -> None:
        """Record the Ledger's answer. Repeating it changes nothing."""
        at = self._clock.now()
        async with self._store.transaction() as tx:
            await tx.customers.lock_id((await tx.refunds.find(refund_id)).customer_id)
            refund = await tx.refunds.find(refund_id)
            if refund.status is not RefundStatus.PENDING:
                return
            top_up = await tx.top_ups.find(refund.top_up_id)
            invoice = await tx.invoices.lock(top_up.invoice_id)
            after = settled(
                refund,
                answer,
                invoice,
                top_up.payment_gate,
                earlier=await tx.refunds.of_top_up(top_up.top_up_id),
                notes=await tx.credit_notes.of_invoice(invoice.invoice_id),
            )
            if after.amount:
                credited = await take_off(
                    tx, invoice, after.amount, (), reason=refund.reason, at=at, ids=self._ids
                )
                after = replace(after, credit_note_id=credited.credit_note.credit_note_id)
            is_due = after.status is RefundStatus.DUE
            if is_due:
                await self._pay_out(tx, after, at)
            await publish(tx, events_of_refund(refund, after, top_up, at=at))
            asks_provider = is_due and top_up.payment_gate is PaymentGate.STRIPE
            await tx.refunds.save(after, due=self._wall.now() if asks_provider else None)

    async def _pay_out(self, tx: Transaction, refund: TopUpRefund, at: datetime) -> None:
        """Take what the credit note has made account credit: it is owed in money, and no invoice may use it."""
        change = AccountCreditChange(
            account_credit_entry_id=AccountCreditEntryId(self._ids.new("ace")),
            customer_id=refund.customer_id,
            amount=-refund.amount,
            cause=AccountCreditCause.PAID_OUT,
            document_id=refund.refund_id,
            create_time=at,
        )
        await tx.account_credits.change(change)


async def report_returned(tx: Transaction, top_up: TopUp, *, at: datetime) -> bool:
    """Mark what is due of a top-up, whose customer is locked, as returned. Returns whether anything is or was due."""
    refunds = await tx.refunds.of_top_up(top_up.top_up_id)
    for one in refunds:
        if one.status is RefundStatus.DUE:
            await save_returned(tx, one, top_up, at=at)
    return any(one.status in (RefundStatus.DUE, RefundStatus.RETURNED) for one in refunds)


async def save_returned(tx: Transaction, refund: TopUpRefund, top_up: TopUp, *, at: datetime) -> TopUpRefund:
    """Store that the money of a DUE refund was returned; return the refund then."""
    after = returned(refund, at=at)
    await tx.refunds.save(after, due=None)
    await publish(tx, events_of_refund(refund, after, top_up, at=at))
    return after
