# SPDX-License-Identifier: Apache-2.0
"""The money of a contract that ends without another one: what comes back, and on which documents.

Source: services/contract/README.md, "Ends".
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction

from meshkit.quantity import Money
from services.contract.domain.billing.price import Rounding, rounded
from services.contract.domain.billing.state import BillingState
from services.contract.domain.contract import Contract, MoneyBack
from services.contract.domain.ids import InvoiceLineId, PlanChangeId
from services.contract.domain.invoice import (
    Invoice,
    InvoiceLine,
    InvoiceLineKind,
    InvoiceStatus,
    Share,
    total_of,
)
from services.contract.domain.invoice_credits import CreditNote, CreditNoteLine
from services.contract.domain.plan_change import (
    IncludedCredits,
    PaidSeats,
    PlanChange,
    PlanChangeStatus,
    PromisedSeats,
    charge_line,
    credit_line,
    is_unwanted,
    money_back_of,
    paid_seats,
)

EVENT = "the contract ended"


def end_settlement(
    contract: Contract,
    states: Sequence[BillingState],
    promised: Sequence[PromisedSeats],
    *,
    plan_change_id: PlanChangeId,
    end_time: datetime,
    money_back: MoneyBack,
    at: datetime,
) -> PlanChange | None:
    """Return the money to settle when a contract ends; None: there is nothing to settle.

    contract, states: before the end was set, or with an end that passes now. promised: by ends set before. An unwanted
    period comes back whatever `money_back` says. at: when the end was accepted, or the end itself if it was set ahead.
    """
    paid = [
        one
        for state in states
        if (one := _settled_seats(state, promised, end_time, money_back, at=at)) is not None
    ]
    if not paid:
        return None
    return PlanChange(
        plan_change_id=plan_change_id,
        customer_id=contract.customer_id,
        ended_contract_id=contract.contract_id,
        begun_contract_id=None,
        change_time=end_time,
        # Otherwise the credits that are paid back could still be used, if another contract entitles to them.
        included_credits=IncludedCredits.VOID,
        money_back=MoneyBack.CREDIT_UNUSED,
        paid=tuple(paid),
        status=PlanChangeStatus.PENDING,
        invoice_id=None,
        unused=(),
        apply_time=None,
    )


def _settled_seats(
    state: BillingState,
    promised: Sequence[PromisedSeats],
    end_time: datetime,
    money_back: MoneyBack,
    *,
    at: datetime,
) -> PaidSeats | None:
    """Return the seats whose money an end settles; `charged` is 0 if nothing comes back of it."""
    paid = paid_seats(state, end_time=end_time, at=at, promised=promised)
    if paid is None:
        return None
    if money_back is MoneyBack.NONE and not is_unwanted(paid.span, end_time):
        paid = replace(paid, charged=Money.zero(paid.charged.currency_code))
    return paid if paid.charged or paid.unbilled else None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndMoney:
    """What an end charges and gives back. lines: of the last invoice. notes: what is taken off earlier invoices."""

    lines: tuple[InvoiceLine, ...]
    notes: tuple[tuple[Invoice, tuple[CreditNoteLine, ...]], ...]


def end_money(change: PlanChange, charged_by: Sequence["ChargingInvoice"]) -> EndMoney:
    """Return the money of an end that the Ledger has answered.

    charged_by: the invoices by which the paid periods were charged; what comes back is taken off the latest first. Void
    ones give nothing back, because they charge nothing. What an invoice charged less than its line, because money of a
    plan before came back on it, is a negative line of the last invoice.
    """
    unused = {one.subscription_id: one.share for one in change.unused}
    lines: list[InvoiceLine] = []
    for paid in change.paid:
        its_unused = unused.get(paid.subscription_id)
        if (charge := charge_line(paid, its_unused, event=EVENT)) is not None:
            lines.append(charge)
        if (rest := take_back(paid, its_unused, charged_by, event=EVENT)) is not None:
            lines.append(rest)
    return EndMoney(lines=tuple(lines), notes=notes_of(charged_by))


def take_back(
    paid: PaidSeats, unused: Share | None, charged_by: Sequence["ChargingInvoice"], *, event: str
) -> InvoiceLine | None:
    """Take what comes back of what was paid off the invoices that charged it, the first ones first.

    Returns the negative line for the rest, which they charged less than their lines say. event: for people.
    """
    back = money_back_of(paid, unused)
    taken = creditable = Money.zero(back.currency_code)
    for charging in _issued(charged_by):
        of_invoice = charging.left_of(paid)
        creditable += of_invoice
        taken += charging.take(paid, min(back - taken, of_invoice))
    rest = min(back, creditable) - taken
    return credit_line(paid, unused, back=rest, event=event) if rest else None


def notes_of(
    charged_by: Sequence["ChargingInvoice"],
) -> tuple[tuple[Invoice, tuple[CreditNoteLine, ...]], ...]:
    """Return the invoices off which something is taken, each with the lines of its credit note."""
    notes = ((one.invoice, one.note_lines()) for one in _issued(charged_by))
    return tuple(note for note in notes if note[1])


def _issued(charged_by: Sequence["ChargingInvoice"]) -> list["ChargingInvoice"]:
    return [one for one in charged_by if one.invoice.status in (InvoiceStatus.OPEN, InvoiceStatus.PAID)]


@dataclass(slots=True, kw_only=True)
class ChargingInvoice:
    """An invoice, its credit notes so far, and what is to be taken off its lines, before tax."""

    invoice: Invoice
    earlier: tuple[CreditNote, ...]
    taken: defaultdict[InvoiceLineId, int] = field(default_factory=lambda: defaultdict(int))

    def left_of(self, paid: PaidSeats) -> Money:
        """Return what its lines of a paid period charged and was not taken off yet."""
        currency = self.invoice.total.currency_code
        return Money(currency, sum(self._left(line) for line in self._lines_of(paid)))

    def take(self, paid: PaidSeats, amount: Money) -> Money:
        """Take up to an amount off the lines of a paid period; returns what could be taken."""
        taken = 0
        for line in self._lines_of(paid):
            part = min(amount.micros - taken, self._left(line), self._left_of_all())
            self.taken[line.invoice_line_id] += part
            taken += part
        return Money(amount.currency_code, taken)

    def note_lines(self) -> tuple[CreditNoteLine, ...]:
        """Return the lines of the credit note, each tax in proportion; empty if nothing is taken."""
        currency, net = self.invoice.total.currency_code, sum(self.taken.values())
        taxed = total_of(self._of_kinds(is_tax=False), currency).micros
        parts = [(line_id, Money(currency, micros)) for line_id, micros in self.taken.items()]
        if net:
            parts += [
                (
                    line.invoice_line_id,
                    rounded(Fraction(net * line.total.micros, taxed), Rounding.FLOOR, currency),
                )
                for line in self._of_kinds(is_tax=True)
            ]
        return tuple(
            CreditNoteLine(invoice_line_id=line_id, amount=amount)
            for line_id, amount in parts
            if amount.micros > 0
        )

    def _lines_of(self, paid: PaidSeats) -> Iterable[InvoiceLine]:
        return reversed(
            [
                one
                for one in self.invoice.lines
                if one.subscription_id == paid.subscription_id
                and one.billing_period_start == paid.period.start
            ]
        )

    def _of_kinds(self, *, is_tax: bool) -> list[InvoiceLine]:
        return [
            one
            for one in self.invoice.lines
            if one.kind is not InvoiceLineKind.ACCOUNT_CREDIT and (one.kind is InvoiceLineKind.TAX) == is_tax
        ]

    def _left(self, line: InvoiceLine) -> int:
        credited = (
            each.amount.micros
            for note in self.earlier
            for each in note.lines
            if each.invoice_line_id == line.invoice_line_id
        )
        return max(0, line.total.micros - sum(credited) - self.taken[line.invoice_line_id])

    def _left_of_all(self) -> int:
        """Return how much can still be taken off the whole invoice before tax, in whole minor units."""
        currency = self.invoice.total.currency_code
        taxed = total_of(self._of_kinds(is_tax=False), currency).micros
        taxes = total_of(self._of_kinds(is_tax=True), currency).micros
        if taxed <= 0:
            return 0
        credited = sum(note.amount.micros for note in self.earlier)
        left = Fraction((taxed + taxes - credited) * taxed, taxed + taxes) - sum(self.taken.values())
        return max(0, rounded(left, Rounding.FLOOR, currency).micros)
