# SPDX-License-Identifier: Apache-2.0
"""Credit notes, and the account credit that they leave. Source: services/contract/README.md, "Credit notes"."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from fractions import Fraction

from meshkit.errors import FieldViolation, InvalidFields
from meshkit.quantity import Money
from services.contract.domain.billing.price import Rounding, rounded
from services.contract.domain.errors.invoices import CreditExceedsInvoice
from services.contract.domain.ids import (
    AccountCreditEntryId,
    CreditNoteId,
    CustomerId,
    InvoiceId,
    InvoiceLineId,
)
from services.contract.domain.invoice import WHOLE, Invoice, InvoiceLine, InvoiceLineKind, line, total_of
from services.contract.domain.invoice_life import refuse_not_issued, refuse_unlike, settled
from services.contract.domain.invoice_taxes import NO_PRODUCT

CREDIT_NOTE_LINES_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteLine:
    """What a credit note takes off one line; amount: > 0."""

    invoice_line_id: InvoiceLineId
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNote:
    """An amount (> 0) taken off an issued invoice: off_due + account_credit. tax: contained in it."""

    credit_note_id: CreditNoteId
    invoice_id: InvoiceId
    number: str
    finalize_time: datetime
    amount: Money
    tax: Money
    off_due: Money
    account_credit: Money
    reason: str
    lines: tuple[CreditNoteLine, ...]


class AccountCreditCause(Enum):
    """Why account credit changed. EXCESS: an invoice would have been negative. PAID_OUT: it is returned as money.

    OVERPAID: more was paid through the provider than was due.
    """

    CREDIT_NOTE = "CREDIT_NOTE"
    USED = "USED"
    RETURNED = "RETURNED"
    EXCESS = "EXCESS"
    PAID_OUT = "PAID_OUT"
    OVERPAID = "OVERPAID"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCreditChange:
    """Account credit added (> 0) or used (< 0). document_id: the invoice or credit note that caused it."""

    account_credit_entry_id: AccountCreditEntryId
    customer_id: CustomerId
    amount: Money
    cause: AccountCreditCause
    document_id: str
    create_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCreditEntry:
    """A change, with what was left after it."""

    change: AccountCreditChange
    balance_after: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Crediting:
    """The effect of a credit note on its invoice."""

    invoice: Invoice
    amount: Money
    tax: Money
    off_due: Money
    account_credit: Money


def credited(
    invoice: Invoice,
    amount: Money | None,
    lines: Sequence[CreditNoteLine],
    earlier: Sequence[CreditNote],
    *,
    is_payment_under_way: bool = False,
) -> Crediting:
    """Take an amount, or the amounts of `lines`, off an issued invoice. earlier: its credit notes so far.

    is_payment_under_way: what is due stays as it is, and the whole amount becomes account credit.
    Raises InvoiceNotFinalized, InvoiceVoid, CurrencyDiffers, CreditExceedsInvoice, InvalidFields.
    """
    refuse_not_issued(invoice)
    currency = invoice.total.currency_code
    for one in (*([amount] if amount is not None else []), *(each.amount for each in lines)):
        refuse_unlike(one, currency)
    if amount is None:
        _refuse_lines(invoice, lines, earlier)
        amount = _sum((each.amount for each in lines), currency)
    charged = total_of(
        [one for one in invoice.lines if one.kind is not InvoiceLineKind.ACCOUNT_CREDIT], currency
    )
    before = _sum((one.amount for one in earlier), currency)
    if amount > charged - before:
        left = max(charged - before, Money.zero(currency))
        raise CreditExceedsInvoice(invoice_id=invoice.invoice_id, left_micros=str(left.micros))
    taxes = total_of([one for one in invoice.lines if one.kind is InvoiceLineKind.TAX], currency)
    exact_tax = Fraction((before + amount).micros * taxes.micros, charged.micros)
    tax = rounded(exact_tax, Rounding.HALF_UP, currency) - _sum((one.tax for one in earlier), currency)
    off_due = Money.zero(currency) if is_payment_under_way else min(amount, invoice.due)
    after = replace(invoice, credited=invoice.credited + off_due)
    return Crediting(
        invoice=settled(after),
        amount=amount,
        tax=tax,
        off_due=off_due,
        account_credit=amount - off_due,
    )


def account_credit_line(total: Money, balance: Money) -> InvoiceLine | None:
    """Return the last line of an invoice with this total so far; None if it needs none.

    It uses account credit up to the total, or keeps what a negative total exceeds.
    """
    used = min(balance, total)
    if not used:
        return None
    return line(
        kind=InvoiceLineKind.ACCOUNT_CREDIT,
        product_id=NO_PRODUCT,
        description="Account credit used" if used.micros > 0 else "Moved to account credit",
        quantity=1,
        unit_price=-used,
        share=WHOLE,
        exact=Fraction(-used.micros),
        total=-used,
    )


def _refuse_lines(invoice: Invoice, lines: Sequence[CreditNoteLine], earlier: Sequence[CreditNote]) -> None:
    totals: Mapping[InvoiceLineId, Money] = {
        one.invoice_line_id: one.total
        for one in invoice.lines
        if one.kind is not InvoiceLineKind.ACCOUNT_CREDIT
    }
    currency = invoice.total.currency_code
    for position, one in enumerate(lines):
        if one.invoice_line_id not in totals:
            message = "is not a line of the invoice, or is account credit"
            raise InvalidFields([FieldViolation(f"lines[{position}].invoice_line_id", message)])
        of_line = (
            old.amount for note in earlier for old in note.lines if old.invoice_line_id == one.invoice_line_id
        )
        left = totals[one.invoice_line_id] - _sum(of_line, currency)
        if one.amount > left:
            raise CreditExceedsInvoice(
                invoice_id=invoice.invoice_id,
                invoice_line_id=one.invoice_line_id,
                left_micros=str(max(left, Money.zero(currency)).micros),
            )


def _sum(amounts: Iterable[Money], currency: str) -> Money:
    return sum(amounts, start=Money.zero(currency))
