# SPDX-License-Identifier: Apache-2.0
"""Refunds of top-ups: asks the Ledger for the credits, and settles the money once it has said where they are."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.quantity import Money
from services.contract.domain.customer import Suspension, SuspensionReason
from services.contract.domain.events import events_of_refund
from services.contract.domain.ids import AccountCreditEntryId, RefundId
from services.contract.domain.invoice import Invoice
from services.contract.domain.invoice_credits import AccountCreditCause, AccountCreditChange
from services.contract.domain.notices import refund_reversed, top_up_refunded
from services.contract.domain.refunds import (
    DisputeOutcome,
    RefundAnswer,
    RefundStatus,
    TopUpRefund,
    dispute_closed,
    returned,
    settled,
    to_credit,
)
from services.contract.domain.top_up import PaymentGate, TopUp
from services.contract.operations.billing.crediting import take_off
from services.contract.operations.billing.publishing import publish
from services.contract.operations.billing.suspending import suspend
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
            if after.accept_debt and after.owed:
                await _suspend_if_agreed(tx, after, top_up, at=at)
            after = await save_credited(tx, refund, after, top_up, invoice, at=at, ids=self._ids)
            if after.status is RefundStatus.DUE and top_up.payment_gate is PaymentGate.STRIPE:
                await tx.refunds.save(after, due=self._wall.now())


async def _suspend_if_agreed(tx: Transaction, refund: TopUpRefund, top_up: TopUp, *, at: datetime) -> None:
    contract = await tx.contracts.find(top_up.contract_id)
    if contract.collection.suspend_in_debt:
        note = f"credits of top-up {top_up.top_up_id} are owed"
        reason = Suspension(reason=SuspensionReason.IN_DEBT, note=note, create_time=at)
        await suspend(tx, refund.customer_id, reason)


async def begin(
    tx: Transaction, refund: TopUpRefund, top_up: TopUp, invoice: Invoice, earlier: Sequence[TopUpRefund]
) -> None:
    """Store a PENDING refund of a top-up, whose customer is locked, and enqueue the question to the Ledger."""
    await tx.refunds.insert(refund)
    notice = top_up_refunded(refund, invoice, top_up.terms.amount, earlier)
    await tx.outbox.enqueue(notice, key=refund.customer_id)


async def close_dispute(
    tx: Transaction, refund: TopUpRefund, outcome: DisputeOutcome, *, at: datetime, ids: Ids
) -> TopUpRefund:
    """Store what became of the dispute of a refund, whose customer is locked. Won: the Ledger gives the credits back.

    Raises RefundPending, DisputeClosed.
    """
    after = dispute_closed(refund, outcome, at=at)
    if after is refund:
        return refund
    if after.status is RefundStatus.REVERSED:
        await tx.outbox.enqueue(refund_reversed(after), key=after.customer_id)
    top_up = await tx.top_ups.find(refund.top_up_id)
    invoice = await tx.invoices.lock(top_up.invoice_id)
    return await save_credited(tx, refund, after, top_up, invoice, at=at, ids=ids)


async def save_credited(
    tx: Transaction,
    before: TopUpRefund,
    after: TopUpRefund,
    top_up: TopUp,
    invoice: Invoice,
    *,
    at: datetime,
    ids: Ids,
) -> TopUpRefund:
    """Store a refund that has changed, with its credit note and events. Returns it. The invoice is locked."""
    notes = await tx.credit_notes.of_invoice(invoice.invoice_id)
    if amount := to_credit(before, after, invoice, notes):
        credited = await take_off(tx, invoice, amount, (), reason=after.reason, at=at, ids=ids)
        after = replace(after, credit_note_id=credited.credit_note.credit_note_id)
        if top_up.payment_gate is not PaymentGate.NONE:
            await _pay_out(tx, after, amount, at=at, ids=ids)
    await publish(tx, events_of_refund(before, after, top_up, at=at))
    await tx.refunds.save(after, due=None)
    return after


async def _pay_out(tx: Transaction, refund: TopUpRefund, amount: Money, *, at: datetime, ids: Ids) -> None:
    """Take what the credit note has made account credit: it is owed in money, and no invoice may use it."""
    change = AccountCreditChange(
        account_credit_entry_id=AccountCreditEntryId(ids.new("ace")),
        customer_id=refund.customer_id,
        amount=-amount,
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
