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
from typing import Final, assert_never

from meshkit.quantity import Credits, Money, ceil_div
from services.contract.domain.billing.price import Rounding, rounded
from services.contract.domain.errors.top_ups import (
    DisputeClosed,
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
    """PENDING → DUE → RETURNED, or REFUSED: less was unspent than was asked for.

    Of a CHARGEBACK: PENDING → DISPUTED → RETURNED if the dispute was lost, REVERSED if it was won.
    """

    PENDING = "PENDING"
    REFUSED = "REFUSED"
    DUE = "DUE"
    RETURNED = "RETURNED"
    DISPUTED = "DISPUTED"
    REVERSED = "REVERSED"


class RefundCause(Enum):
    """REQUEST: RefundTopUp. PROVIDER: returned at the provider, not by us. CHARGEBACK: the payer's bank took it."""

    REQUEST = "REQUEST"
    PROVIDER = "PROVIDER"
    CHARGEBACK = "CHARGEBACK"


WHY_GONE: Final = {
    RefundCause.PROVIDER: "the payment was refunded at the provider",
    RefundCause.CHARGEBACK: "the payer's bank has taken the payment back",
}


class DisputeOutcome(Enum):
    """What became of a dispute."""

    OPENED = "OPENED"
    WON = "WON"
    LOST = "LOST"


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
    """What the Ledger has done. is_refused: it voided nothing, because the rest was less than was asked for.

    owed: credits of the grant that were used and whose money went back.
    """

    credits: GrantCredits
    is_refused: bool
    apply_time: datetime
    owed: Credits = Credits(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpRefund:
    """A refund of a top-up. asked: None: all that is refundable.

    amount: what is returned; 0 until the Ledger has answered. refundable: of one that was REFUSED, what could have been
    returned instead. return_time: when it was RETURNED or REVERSED. accept_debt: what was spent of it is owed.
    provider_refund_id: of the refund or dispute at the provider, unless the cause is REQUEST. owed: of the grant, when
    the Ledger answered. credits to return_time are None while it is PENDING.
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
    accept_debt: bool = False
    cause: RefundCause = RefundCause.REQUEST
    provider_refund_id: str = ""
    owed: Credits = Credits(0)


def charged_by(invoice: Invoice) -> Money:
    """Return what an invoice charges, with taxes, however it was paid."""
    charges = [one for one in invoice.lines if one.kind is not InvoiceLineKind.ACCOUNT_CREDIT]
    return total_of(charges, invoice.total.currency_code)


def left_of(invoice: Invoice, notes: Sequence[CreditNote], refunds: Sequence[TopUpRefund] = ()) -> Money:
    """Return what no credit note has taken off an invoice yet, nor a dispute that is open. notes: its credit notes."""
    zero = Money.zero(invoice.total.currency_code)
    disputed = sum((one.amount for one in refunds if one.status is RefundStatus.DISPUTED), start=zero)
    return max(zero, charged_by(invoice) - sum((one.amount for one in notes), start=zero) - disputed)


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
    refuse_not_returnable(top_up, earlier)
    if asked is not None:
        refuse_unlike(asked, invoice.total.currency_code)
        if asked > (left := left_of(invoice, notes, earlier)):
            raise RefundExceedsPaid(top_up_id=top_up.top_up_id, left_micros=str(left.micros))


def refuse_not_returnable(top_up: TopUp, earlier: Sequence[TopUpRefund]) -> None:
    """Raise TopUpNotPaid, or RefundPending: the credits of one refund are settled after those of the one before."""
    if top_up.status is not TopUpStatus.PAID:
        raise TopUpNotPaid(top_up_id=top_up.top_up_id, status=top_up.status.value)
    for one in earlier:
        if one.status is RefundStatus.PENDING:
            raise RefundPending(top_up_id=top_up.top_up_id, refund_id=one.refund_id)


def refundable_with_debt(
    top_up: TopUp,
    invoice: Invoice,
    asked: Money | None,
    *,
    earlier: Sequence[TopUpRefund],
    notes: Sequence[CreditNote],
) -> Money:
    """Return what is to be returned whatever was spent: what is asked, or what is left. Raises RefundExceedsPaid."""
    amount = left_of(invoice, notes, earlier) if asked is None else asked
    if not amount:
        raise RefundExceedsPaid(top_up_id=top_up.top_up_id, left_micros="0")
    return amount


def money_gone(
    refund_id: RefundId,
    top_up: TopUp,
    amount: Money,
    cause: RefundCause,
    provider_refund_id: str,
    *,
    at: datetime,
) -> TopUpRefund:
    """Return the refund of money that went back without us."""
    return TopUpRefund(
        refund_id=refund_id,
        top_up_id=top_up.top_up_id,
        customer_id=top_up.customer_id,
        asked=amount,
        reason=WHY_GONE[cause],
        status=RefundStatus.PENDING,
        amount=Money.zero(amount.currency_code),
        create_time=at,
        accept_debt=True,
        cause=cause,
        provider_refund_id=provider_refund_id,
    )


def to_void(invoice: Invoice, granted: Credits, asked: Money, earlier: Sequence[TopUpRefund]) -> Credits:
    """Return how much of a grant must be voided in all, so that `asked` can be returned beside the earlier refunds.

    Rounded up, so that the credits are always worth what is returned.
    """
    money = refunded_so_far(earlier, asked.currency_code) + asked
    return Credits(ceil_div(money.micros * granted.micros, charged_by(invoice).micros))


def refunded_so_far(refunds: Sequence[TopUpRefund], currency_code: str) -> Money:
    """Return what went back and is not back again."""
    gone = [one.amount for one in refunds if one.status is not RefundStatus.REVERSED]
    return sum(gone, start=Money.zero(currency_code))


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
    answered = replace(refund, credits=credits, apply_time=answer.apply_time, owed=answer.owed)
    if refund.accept_debt:
        return _whatever_was_spent(answered, gate, left_of(invoice, notes, earlier))
    if answer.is_refused:
        possible = _worth(invoice, credits.voided + credits.rest, credits.granted) - so_far
        return replace(
            answered,
            status=RefundStatus.REFUSED,
            refundable=min(max(possible, _zero(invoice)), left_of(invoice, notes, earlier)),
        )
    possible = _worth(invoice, credits.voided, credits.granted) - so_far
    asked = possible if refund.asked is None else min(refund.asked, possible)
    amount = min(max(asked, _zero(invoice)), left_of(invoice, notes, earlier))
    return _to_return(replace(answered, amount=amount), gate)


def _whatever_was_spent(refund: TopUpRefund, gate: PaymentGate, left: Money) -> TopUpRefund:
    """Return an answered refund with accept_debt. What went back without us went back, however much it is."""
    assert refund.asked is not None
    match refund.cause:
        case RefundCause.REQUEST:
            return _to_return(replace(refund, amount=min(refund.asked, left)), gate)
        case RefundCause.PROVIDER:
            return _returned(replace(refund, amount=refund.asked), at=refund.apply_time)
        case RefundCause.CHARGEBACK:
            return replace(refund, amount=refund.asked, status=RefundStatus.DISPUTED)
        case _:
            assert_never(refund.cause)


def _to_return(refund: TopUpRefund, gate: PaymentGate) -> TopUpRefund:
    if refund.amount and gate is not PaymentGate.NONE:
        return replace(refund, status=RefundStatus.DUE)
    return _returned(refund, at=refund.apply_time)


def _returned(refund: TopUpRefund, *, at: datetime | None) -> TopUpRefund:
    return replace(refund, status=RefundStatus.RETURNED, return_time=at)


def to_credit(
    before: TopUpRefund, after: TopUpRefund, invoice: Invoice, notes: Sequence[CreditNote]
) -> Money:
    """Return what a credit note takes off for a refund that has changed, at most what is left.

    None is written while the payer's bank may still return the money.
    """
    is_open = (RefundStatus.PENDING, RefundStatus.DISPUTED)
    if before.status in is_open and after.status in (RefundStatus.DUE, RefundStatus.RETURNED):
        return min(after.amount, left_of(invoice, notes))
    return _zero(invoice)


def dispute_closed(refund: TopUpRefund, outcome: DisputeOutcome, *, at: datetime) -> TopUpRefund:
    """Return a refund after what became of its dispute; the same if that was known.

    Raises RefundPending, DisputeClosed.
    """
    ending = {DisputeOutcome.WON: RefundStatus.REVERSED, DisputeOutcome.LOST: RefundStatus.RETURNED}.get(
        outcome
    )
    if ending is None or refund.status is ending:
        return refund
    if refund.status is RefundStatus.PENDING:
        raise RefundPending(top_up_id=refund.top_up_id, refund_id=refund.refund_id)
    if refund.status is not RefundStatus.DISPUTED:
        raise DisputeClosed(refund_id=refund.refund_id, status=refund.status.value)
    return replace(refund, status=ending, return_time=at)


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
