# SPDX-License-Identifier: Apache-2.0
"""Credit notes, written under the lock of their invoices. Source: services/contract/README.md, "Credit notes"."""

from collections.abc import Collection, Sequence
from datetime import datetime

from meshkit.ids import Ids
from meshkit.quantity import Money
from services.contract.domain.commands.invoices import InvoiceCredited
from services.contract.domain.events import events_of_invoice
from services.contract.domain.ids import AccountCreditEntryId, CreditNoteId
from services.contract.domain.invoice import Invoice
from services.contract.domain.invoice_credits import (
    AccountCreditCause,
    AccountCreditChange,
    CreditNote,
    CreditNoteLine,
    credited,
)
from services.contract.domain.invoice_life import with_names_of
from services.contract.domain.plan_change import PaidSeats
from services.contract.domain.settlement import ChargingInvoice
from services.contract.operations.billing.collecting import follow_change, is_under_way
from services.contract.operations.billing.publishing import publish
from services.contract.store import Transaction


async def take_off(
    tx: Transaction,
    invoice: Invoice,
    amount: Money | None,
    lines: Sequence[CreditNoteLine],
    *,
    reason: str,
    at: datetime,
    ids: Ids,
    before: Invoice | None = None,
) -> InvoiceCredited:
    """Take an amount, or the amounts of `lines`, off a locked invoice: off what is due first.

    The rest becomes account credit, and all of it while a payment of the invoice is under way at the provider.
    before: the invoice as its last events described it, if this transaction has changed it since. Locks
    the series of numbers until the commit, so lock all invoices before. Raises InvoiceNotFinalized, InvoiceVoid,
    CurrencyDiffers, CreditExceedsInvoice, InvalidFields.
    """
    earlier = await tx.credit_notes.of_invoice(invoice.invoice_id)
    is_taken = await is_under_way(tx, invoice.invoice_id)
    crediting = credited(invoice, amount, lines, earlier, is_payment_under_way=is_taken)
    credit_note_id = CreditNoteId(ids.new("crn"))
    await tx.invoices.save(crediting.invoice)
    await publish(tx, events_of_invoice(before or invoice, crediting.invoice, at=at))
    if crediting.off_due:
        await follow_change(tx, crediting.invoice, at=at)
    if crediting.account_credit:
        change = AccountCreditChange(
            account_credit_entry_id=AccountCreditEntryId(ids.new("ace")),
            customer_id=invoice.customer_id,
            amount=crediting.account_credit,
            cause=AccountCreditCause.CREDIT_NOTE,
            document_id=credit_note_id,
            create_time=at,
        )
        await tx.account_credits.change(change)
    [number] = await tx.numbers.take([credit_note_id], at=at)
    note = CreditNote(
        credit_note_id=credit_note_id,
        invoice_id=invoice.invoice_id,
        number=number.text,
        finalize_time=number.date,
        amount=crediting.amount,
        tax=crediting.tax,
        off_due=crediting.off_due,
        account_credit=crediting.account_credit,
        reason=reason,
        lines=tuple(lines),
    )
    await tx.credit_notes.insert(note)
    return InvoiceCredited(credit_note=note, invoice=crediting.invoice)


async def charging_invoices(
    tx: Transaction, paid: Collection[PaidSeats], *, locks: bool
) -> list[ChargingInvoice]:
    """Return the invoices that charged what may come back, latest first. locks: in one order."""
    charging = await tx.billing.charging_invoices(paid)
    read = tx.invoices.lock if locks else tx.invoices.find
    invoices = {invoice_id: await read(invoice_id) for invoice_id, _ in sorted(charging)}
    return [
        ChargingInvoice(
            invoice=with_names_of(invoices[invoice_id], invoices[origin]),
            earlier=tuple(await tx.credit_notes.of_invoice(invoice_id)),
        )
        for invoice_id, origin in charging
    ]
