# SPDX-License-Identifier: Apache-2.0
"""Money of an invoice's payment that goes back: the amount is due again, unless a credit note is given with it.

Source: services/contract/README.md, "Refunds of invoice payments".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from meshkit.quantity import Money
from services.contract.domain.errors.invoices import (
    InvoicePaymentNotFound,
    PaymentOfTopUp,
    RefundExceedsPayment,
)
from services.contract.domain.ids import CreditNoteId, CustomerId, InvoiceId, InvoicePaymentId, RefundId
from services.contract.domain.invoice import Invoice, InvoiceStatus
from services.contract.domain.invoice_life import InvoicePayment, refuse_unlike
from services.contract.domain.payments import PaymentId
from services.contract.domain.top_up import PaymentGate, TopUp


class InvoiceRefundCause(Enum):
    """REQUESTED: by RefundInvoicePayment. PROVIDER: refunded there. CHARGEBACK: the payer's bank has taken it."""

    REQUESTED = "REQUESTED"
    PROVIDER = "PROVIDER"
    CHARGEBACK = "CHARGEBACK"


class InvoiceRefundStatus(Enum):
    """DUE → RETURNED."""

    DUE = "DUE"
    RETURNED = "RETURNED"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRefund:
    """Money (> 0) of an invoice's payment that goes back to the payer.

    payment_id: the payment at the provider, which is asked to return it; None: the vendor returns it, or it is
    returned already. credit_note_id: of the credit note that was given with it; None: the amount is due again.
    provider_refund_id: of a refund or dispute that we have not asked for; empty of others. reverse_time: when a
    dispute was won and the money came back.
    """

    refund_id: RefundId
    invoice_id: InvoiceId
    invoice_payment_id: InvoicePaymentId
    customer_id: CustomerId
    payment_id: PaymentId | None
    amount: Money
    cause: InvoiceRefundCause
    reason: str
    status: InvoiceRefundStatus
    credit_note_id: CreditNoteId | None
    create_time: datetime
    return_time: datetime | None
    provider_refund_id: str = ""
    reverse_time: datetime | None = None


def left_of(payment: InvoicePayment, refunds: Sequence[InvoiceRefund]) -> Money:
    """Return what of a payment has not gone back yet. refunds: of its invoice."""
    gone = (one.amount for one in refunds if one.invoice_payment_id == payment.invoice_payment_id)
    return payment.amount - sum(gone, start=Money.zero(payment.amount.currency_code))


def provider_payment_of(payment: InvoicePayment) -> str:
    """Return the provider's id of a payment that was recorded for it, also of what came back after a dispute."""
    return payment.reference.partition("/")[0]


def payment_to_refund(
    invoice: Invoice, payments: Sequence[InvoicePayment], invoice_payment_id: InvoicePaymentId | None
) -> InvoicePayment:
    """Return a payment of an invoice; None means its only one. Raises InvoicePaymentNotFound."""
    for payment in payments:
        is_only = invoice_payment_id is None and len(payments) == 1
        if is_only or payment.invoice_payment_id == invoice_payment_id:
            return payment
    raise InvoicePaymentNotFound(invoice_id=invoice.invoice_id, invoice_payment_id=invoice_payment_id or "")


def amount_to_refund(payment: InvoicePayment, asked: Money | None, refunds: Sequence[InvoiceRefund]) -> Money:
    """Return what is asked for; None means the rest of it.

    Raises CurrencyDiffers, InvalidFields, RefundExceedsPayment.
    """
    left = left_of(payment, refunds)
    if asked is not None:
        refuse_unlike(asked, payment.amount.currency_code)
    if not left or (asked is not None and asked > left):
        raise RefundExceedsPayment(
            invoice_payment_id=payment.invoice_payment_id, left_micros=str(left.micros)
        )
    return asked or left


def refuse_gated(top_up: TopUp | None) -> None:
    """Raise PaymentOfTopUp if the payment was the condition for credits: these have to be taken back with it."""
    if top_up is not None and top_up.payment_gate is not PaymentGate.NONE:
        raise PaymentOfTopUp(top_up_id=top_up.top_up_id)


def unpaid(invoice: Invoice, amount: Money) -> Invoice:
    """Return an issued invoice after money of its payments went back: the amount is due again."""
    assert invoice.status in (InvoiceStatus.OPEN, InvoiceStatus.PAID)
    return replace(invoice, status=InvoiceStatus.OPEN, paid=invoice.paid - amount)


def takings(amount: Money, lefts: Sequence[Money]) -> tuple[list[Money], Money]:
    """Divide what went back among what is left of a payment on its invoices, in order; return what exceeds that."""
    taken = []
    for left in lefts:
        taken.append(min(left, amount))
        amount = amount - taken[-1]
    return taken, amount


def reversed_refund(refund: InvoiceRefund, *, at: datetime) -> InvoiceRefund:
    """Return what a dispute took, after it was won."""
    return replace(refund, reverse_time=at)


def returned(refund: InvoiceRefund, *, at: datetime) -> InvoiceRefund:
    """Return a refund after the provider has taken it; one that was RETURNED stays as it is."""
    if refund.status is InvoiceRefundStatus.RETURNED:
        return refund
    return replace(refund, status=InvoiceRefundStatus.RETURNED, return_time=at)
