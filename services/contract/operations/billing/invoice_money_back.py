# SPDX-License-Identifier: Apache-2.0
"""What follows for an invoice when money of its payment goes back, whoever caused it.

Source: services/contract/README.md, "Refunds of invoice payments".
"""

from dataclasses import dataclass
from datetime import datetime

from meshkit.ids import Ids
from meshkit.quantity import Money
from services.contract.domain.ids import CreditNoteId, RefundId
from services.contract.domain.invoice import Invoice
from services.contract.domain.invoice_life import InvoicePayment
from services.contract.domain.invoice_refunds import (
    InvoiceRefund,
    InvoiceRefundCause,
    InvoiceRefundStatus,
    unpaid,
)
from services.contract.domain.payments import PaymentId
from services.contract.operations.billing.collecting import follow_change
from services.contract.operations.billing.crediting import take_off
from services.contract.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentBack:
    """Money (> 0) of a payment that goes back. payment_id: the payment at the provider that shall return it, asked at
    `due` in wall time; both None: it is returned already, or by the vendor.
    """

    payment: InvoicePayment
    amount: Money
    cause: InvoiceRefundCause
    reason: str
    with_credit_note: bool
    payment_id: PaymentId | None = None
    provider_refund_id: str = ""
    due: datetime | None = None


async def money_went_back(
    tx: Transaction, invoice: Invoice, back: PaymentBack, *, at: datetime, ids: Ids
) -> tuple[Invoice, InvoiceRefund]:
    """Make the amount due again of a locked invoice, unless a credit note takes it off, and store the refund.

    The caller has made sure that so much of the payment is left. Nothing is charged by itself again. Raises
    CreditExceedsInvoice.
    """
    reopened = unpaid(invoice, back.amount)
    await tx.invoices.save(reopened)
    if not invoice.due:
        await tx.dunning.stop(invoice.invoice_id)  # it may not be settled yet, and would be charged again
    credit_note_id: CreditNoteId | None = None
    after = reopened
    if back.with_credit_note:
        credited = await take_off(
            tx, reopened, back.amount, (), reason=back.reason, at=at, ids=ids, before=invoice
        )
        after, credit_note_id = credited.invoice, credited.credit_note.credit_note_id
    else:
        await follow_change(tx, reopened, at=at)
    is_due = back.due is not None
    refund = InvoiceRefund(
        refund_id=RefundId(ids.new("irf")),
        invoice_id=invoice.invoice_id,
        invoice_payment_id=back.payment.invoice_payment_id,
        customer_id=invoice.customer_id,
        payment_id=back.payment_id,
        amount=back.amount,
        cause=back.cause,
        reason=back.reason,
        status=InvoiceRefundStatus.DUE if is_due else InvoiceRefundStatus.RETURNED,
        credit_note_id=credit_note_id,
        create_time=at,
        return_time=None if is_due else at,
        provider_refund_id=back.provider_refund_id,
    )
    await tx.invoice_refunds.insert(refund, due=back.due)
    return after, refund
