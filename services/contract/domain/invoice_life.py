# SPDX-License-Identifier: Apache-2.0
"""The life of an invoice: DRAFT → OPEN → PAID, or VOID. Source: services/contract/README.md, "Invoices"."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import assert_never

from meshkit.errors import FieldViolation, InvalidFields
from meshkit.quantity import Money
from services.contract.domain.billing.price import Rounding, rounded
from services.contract.domain.errors.catalog import CurrencyDiffers
from services.contract.domain.errors.invoices import (
    InvoiceAlreadyFinalized,
    InvoiceAlreadyPaid,
    InvoiceCreditsGranted,
    InvoiceHasPayments,
    InvoiceNotFinalized,
    InvoiceVoid,
    InvoiceZero,
    PaymentExceedsDue,
)
from services.contract.domain.errors.top_ups import TopUpGranted, TopUpPending
from services.contract.domain.ids import InvoiceId, InvoicePaymentId, SubscriptionId
from services.contract.domain.invoice import NO_LINE_ID, Invoice, InvoiceLine, InvoiceLineKind, InvoiceStatus
from services.contract.domain.schedules import GrantSchedule

NUMBER_DIGITS = 6
ADDED_AT_ISSUE = (InvoiceLineKind.TAX, InvoiceLineKind.ACCOUNT_CREDIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedPayment:
    """A payment that was made elsewhere. amount: > 0. reference: what the payer or the provider calls it."""

    amount: Money
    reference: str
    payment_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicePayment:
    """A payment as it is recorded."""

    invoice_payment_id: InvoicePaymentId
    invoice_id: InvoiceId
    amount: Money
    reference: str
    payment_time: datetime
    create_time: datetime


def number_text(sequence: int) -> str:
    """Return a number of the series as it is printed: "000042"."""
    return f"{sequence:0{NUMBER_DIGITS}d}"


def refuse_not_issuable(invoice: Invoice, *, is_of_pending_top_up: bool) -> None:
    """Raise InvoiceAlreadyFinalized, InvoiceVoid, TopUpPending or InvoiceZero unless the draft can be issued."""
    match invoice.status:
        case InvoiceStatus.DRAFT:
            if is_of_pending_top_up:
                raise TopUpPending(invoice_id=invoice.invoice_id)
            if not invoice.has_amount:
                raise InvoiceZero(invoice_id=invoice.invoice_id)
        case InvoiceStatus.OPEN | InvoiceStatus.PAID:
            raise InvoiceAlreadyFinalized(invoice_id=invoice.invoice_id, number=invoice.number)
        case InvoiceStatus.VOID:
            raise InvoiceVoid(invoice_id=invoice.invoice_id)
        case InvoiceStatus.STATEMENT:
            raise InvoiceZero(invoice_id=invoice.invoice_id)
        case _:
            assert_never(invoice.status)


def issued(invoice: Invoice, *, number: str, at: datetime) -> Invoice:
    """Return a draft with its number and date: OPEN, or PAID if its total is 0."""
    assert invoice.status is InvoiceStatus.DRAFT
    return settled(replace(invoice, status=InvoiceStatus.OPEN, number=number, finalize_time=at))


def voided(invoice: Invoice, *, reason: str, is_of_pending_top_up: bool, at: datetime) -> Invoice:
    """Return an invoice cancelled.

    Raises InvoiceVoid, InvoiceZero, InvoiceAlreadyPaid, InvoiceHasPayments, TopUpPending, TopUpGranted.
    """
    match invoice.status:
        case InvoiceStatus.DRAFT:
            if is_of_pending_top_up:
                raise TopUpPending(invoice_id=invoice.invoice_id)
        case InvoiceStatus.OPEN:
            if settled_so_far := invoice.paid + invoice.credited:
                raise InvoiceHasPayments(
                    invoice_id=invoice.invoice_id, settled_micros=str(settled_so_far.micros)
                )
            if any(line.kind is InvoiceLineKind.TOP_UP for line in invoice.lines):
                raise TopUpGranted(invoice_id=invoice.invoice_id)
        case InvoiceStatus.PAID:
            raise InvoiceAlreadyPaid(invoice_id=invoice.invoice_id)
        case InvoiceStatus.VOID:
            raise InvoiceVoid(invoice_id=invoice.invoice_id)
        case InvoiceStatus.STATEMENT:
            raise InvoiceZero(invoice_id=invoice.invoice_id)
        case _:
            assert_never(invoice.status)
    return replace(invoice, status=InvoiceStatus.VOID, void_time=at, void_reason=reason)


def refuse_credits_granted(
    invoice: Invoice, charged: Collection[SubscriptionId], schedules: Collection[GrantSchedule]
) -> None:
    """Raise InvoiceCreditsGranted if seats of the invoice have brought credits, which its void would give away.

    charged: the subscriptions whose seats it charges.
    """
    granted = {one.subscription_id for one in schedules}
    for subscription_id in sorted(charged):
        if subscription_id in granted:
            raise InvoiceCreditsGranted(invoice_id=invoice.invoice_id, subscription_id=subscription_id)


def regenerated_lines(invoice: Invoice) -> tuple[InvoiceLine, ...]:
    """Return the charges of a cancelled invoice as lines of a new draft.

    Raises InvoiceNotFinalized for a draft or a statement.

    Taxes and account credit are added anew when the draft is issued.

    They name no subscription: the cancelled lines still say what the subscription was charged for.
    """
    if invoice.status in (InvoiceStatus.DRAFT, InvoiceStatus.STATEMENT):
        raise InvoiceNotFinalized(invoice_id=invoice.invoice_id)
    return tuple(
        replace(line, invoice_line_id=NO_LINE_ID, subscription_id=None, billing_period_start=None)
        for line in invoice.lines
        if line.kind not in ADDED_AT_ISSUE
    )


def with_names_of(invoice: Invoice, origin: Invoice) -> Invoice:
    """Return an invoice whose lines say what subscriptions were charged for, as those of the one it came from do."""
    named = iter([one for one in origin.lines if one.kind not in ADDED_AT_ISSUE])
    return replace(
        invoice,
        lines=tuple(
            one if one.kind in ADDED_AT_ISSUE else _with_name(one, next(named, one)) for one in invoice.lines
        ),
    )


def _with_name(line: InvoiceLine, named: InvoiceLine) -> InvoiceLine:
    return replace(
        line, subscription_id=named.subscription_id, billing_period_start=named.billing_period_start
    )


def with_payment(invoice: Invoice, amount: Money) -> Invoice:
    """Return an invoice after a payment (> 0).

    Raises InvoiceNotFinalized, InvoiceVoid, InvoiceAlreadyPaid, CurrencyDiffers, PaymentExceedsDue.
    """
    refuse_not_issued(invoice)
    if invoice.status is InvoiceStatus.PAID:
        raise InvoiceAlreadyPaid(invoice_id=invoice.invoice_id)
    refuse_unlike(amount, invoice.total.currency_code)
    if amount > invoice.due:
        raise PaymentExceedsDue(invoice_id=invoice.invoice_id, due_micros=str(invoice.due.micros))
    return settled(replace(invoice, paid=invoice.paid + amount))


def refuse_not_issued(invoice: Invoice) -> None:
    """Raise InvoiceNotFinalized or InvoiceVoid unless the invoice is OPEN or PAID."""
    if invoice.status in (InvoiceStatus.DRAFT, InvoiceStatus.STATEMENT):
        raise InvoiceNotFinalized(invoice_id=invoice.invoice_id)
    if invoice.status is InvoiceStatus.VOID:
        raise InvoiceVoid(invoice_id=invoice.invoice_id)


def refuse_unlike(amount: Money, currency_code: str) -> None:
    """Raise CurrencyDiffers, or InvalidFields unless the amount is in whole minor units of its currency."""
    if amount.currency_code != currency_code:
        raise CurrencyDiffers(currency_code=amount.currency_code, expected=f"{currency_code}, as the invoice")
    if rounded(Fraction(amount.micros), Rounding.FLOOR, currency_code) != amount:
        raise InvalidFields([FieldViolation("amount", f"must be in whole minor units of {currency_code}")])


def settled(invoice: Invoice) -> Invoice:
    """Return an OPEN invoice as PAID if nothing of it is due."""
    return invoice if invoice.due else replace(invoice, status=InvoiceStatus.PAID)
