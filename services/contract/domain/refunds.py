# SPDX-License-Identifier: Apache-2.0
"""Refunds of top-ups that were granted: money for credits that the Ledger has voided, exactly.

All refunds of a top-up together are charged × voided ÷ granted at most, rounded down to a minor unit: charged is what
its invoice charges, taxes included. Source: services/contract/README.md, "Refunds of top-ups".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from fractions import Fraction

from meshkit.quantity import Credits, Money, ceil_div
from services.contract.domain.billing.price import Rounding, rounded
from services.contract.domain.errors import (
    RefundExceedsPaid,
    RefundExceedsUnspent,
    RefundPending,
    TopUpNotPaid,
)
from services.contract.domain.ids import CreditNoteId, CustomerId, RefundId, TopUpId
from services.contract.domain.invoice import Invoice, InvoiceLineKind, total_of
from services.contract.domain.invoice_credits import CreditNote
from services.contract.domain.invoice_life import refuse_unlike
from services.contract.domain.top_up import PaymentGate, TopUp, TopUpStatus


class RefundStatus(Enum):
    """PENDING → DUE → RETURNED, or REFUSED: less was unspent than was asked for."""

    PENDING = "PENDING"
    REFUSED = "REFUSED"
    DUE = "DUE"
    RETURNED = "RETURNED"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantCredits:
    """Where the credits of a top-up's grant were when the Ledger answered. granted = the rest + all others."""

    granted: Credits
    spent: Credits
    held: Credits
    expired: Credits
    voided: Credits

    @property
    def rest(self) -> Credits:
        return self.granted - self.spent - self.held - self.expired - self.voided


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAnswer:
    """What the Ledger has done. is_refused: it voided nothing, because the rest was less than was asked for."""

    credits: GrantCredits
    is_refused: bool
    apply_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpRefund:
    """A refund of a top-up. asked: None: all that is refundable.

    amount: what is returned; 0 until the Ledger has answered. refundable: of one that was REFUSED, what could have been
    returned instead. return_time: when it was RETURNED. The last five are None while it is PENDING.
    """

    refund_id: RefundId
    top_up_id: TopUpId
    customer_id: CustomerId
    asked: Money | None
    reason: str
    status: RefundStatus
    amount: Money
    create_time: datetime
    credits: GrantCredits | None = None
    refundable: Money | None = None
    apply_time: datetime | None = None
    credit_note_id: CreditNoteId | None = None
    return_time: datetime | None = None


def charged_by(invoice: Invoice) -> Money:
    """Return what an invoice charges, with taxes, however it was paid."""
    charges = [one for one in invoice.lines if one.kind is not InvoiceLineKind.ACCOUNT_CREDIT]
    return total_of(charges, invoice.total.currency_code)


def left_of(invoice: Invoice, notes: Sequence[CreditNote]) -> Money:
    """Return what no credit note has taken off an invoice yet. notes: its credit notes."""
    zero = Money.zero(invoice.total.currency_code)
    return max(zero, charged_by(invoice) - sum((one.amount for one in notes), start=zero))


def refuse_unrefundable(
    top_up: TopUp,
    invoice: Invoice,
    asked: Money | None,
    *,
    earlier: Sequence[TopUpRefund],
    notes: Sequence[CreditNote],
) -> None:
    """Raise TopUpNotPaid, RefundPending, CurrencyDiffers, InvalidFields or RefundExceedsPaid if nothing can come of it.

    earlier: the top-up's refunds so far. Whether the credits are unspent is for the Ledger to say.
    """
    if top_up.status is not TopUpStatus.PAID:
        raise TopUpNotPaid(top_up_id=top_up.top_up_id, status=top_up.status.value)
    for one in earlier:
        if one.status is RefundStatus.PENDING:
            raise RefundPending(top_up_id=top_up.top_up_id, refund_id=one.refund_id)
    if asked is not None:
        refuse_unlike(asked, invoice.total.currency_code)
        if asked > (left := left_of(invoice, notes)):
            raise RefundExceedsPaid(top_up_id=top_up.top_up_id, left_micros=str(left.micros))


def to_void(invoice: Invoice, granted: Credits, asked: Money, earlier: Sequence[TopUpRefund]) -> Credits:
    """Return how much of a grant must be voided in all, so that `asked` can be returned beside the earlier refunds.

    Rounded up, so that the credits are always worth what is returned.
    """
    money = refunded_so_far(earlier, asked.currency_code) + asked
    return Credits(ceil_div(money.micros * granted.micros, charged_by(invoice).micros))


def refunded_so_far(refunds: Sequence[TopUpRefund], currency_code: str) -> Money:
    return sum((one.amount for one in refunds), start=Money.zero(currency_code))


def settled(
    refund: TopUpRefund,
    answer: RefundAnswer,
    invoice: Invoice,
    gate: PaymentGate,
    *,
    earlier: Sequence[TopUpRefund],
    notes: Sequence[CreditNote],
) -> TopUpRefund:
    """Return a PENDING refund after the Ledger's answer. earlier: the top-up's other refunds.

    Without a payment gate nothing was paid for the top-up alone, so nothing is DUE: the money stays with the customer's
    invoices.
    """
    credits = answer.credits
    so_far = refunded_so_far(earlier, invoice.total.currency_code)
    answered = replace(refund, credits=credits, apply_time=answer.apply_time)
    if answer.is_refused:
        possible = _worth(invoice, credits.voided + credits.rest, credits.granted) - so_far
        return replace(
            answered,
            status=RefundStatus.REFUSED,
            refundable=min(max(possible, _zero(invoice)), left_of(invoice, notes)),
        )
    possible = _worth(invoice, credits.voided, credits.granted) - so_far
    asked = possible if refund.asked is None else min(refund.asked, possible)
    amount = min(max(asked, _zero(invoice)), left_of(invoice, notes))
    if amount and gate is not PaymentGate.NONE:
        return replace(answered, status=RefundStatus.DUE, amount=amount)
    return replace(answered, status=RefundStatus.RETURNED, amount=amount, return_time=answer.apply_time)


def returned(refund: TopUpRefund, *, at: datetime) -> TopUpRefund:
    """Return a DUE refund after its money was returned; another one as it is."""
    if refund.status is not RefundStatus.DUE:
        return refund
    return replace(refund, status=RefundStatus.RETURNED, return_time=at)


def refuse_refused(refund: TopUpRefund) -> None:
    """Raise RefundExceedsUnspent if the Ledger has refused the refund."""
    if refund.status is RefundStatus.REFUSED:
        assert refund.credits is not None
        assert refund.refundable is not None
        raise RefundExceedsUnspent(
            top_up_id=refund.top_up_id,
            refund_id=refund.refund_id,
            refundable_micros=str(refund.refundable.micros),
            unspent_micros=str(refund.credits.rest.micros),
            held_micros=str(refund.credits.held.micros),
        )


def _worth(invoice: Invoice, credits: Credits, granted: Credits) -> Money:
    exact = Fraction(charged_by(invoice).micros * credits.micros, granted.micros)
    return rounded(exact, Rounding.FLOOR, invoice.total.currency_code)


def _zero(invoice: Invoice) -> Money:
    return Money.zero(invoice.total.currency_code)
