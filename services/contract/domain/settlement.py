# SPDX-License-Identifier: Apache-2.0
"""The money of a contract that ends, with another one or without: what comes back, and on which documents.

Source: services/contract/README.md, "Money at an end".
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
class SettledMoney:
    """What is charged and what comes back.

    lines: of the new contract's first invoice, or of the last one of a contract that ends. notes: what is taken off
    earlier invoices.
    """

    lines: tuple[InvoiceLine, ...]
    notes: tuple[tuple[Invoice, tuple[CreditNoteLine, ...]], ...]


def settled_money(change: PlanChange, charged_by: Sequence["ChargingInvoice"]) -> SettledMoney:
    """Return the money of a change of plan, or of an end, that the Ledger has answered.

    charged_by: the invoices by which the paid periods were charged, latest first. Only issued ones give back, at most
    what they charged and was not credited. What is due of them is reduced first. Then what was paid comes back: at an
    end by credit notes, at a change of plan on the new contract's invoice. What an invoice charged less than its line,
    because money of an earlier plan came back on it, is a negative line in any case.
    """
    unused = {one.subscription_id: one.share for one in change.unused}
    is_end = change.begun_contract_id is None
    event = "the contract ended" if is_end else "the plan changed"
    charges = [charge_line(paid, unused.get(paid.subscription_id), event=event) for paid in change.paid]
    credits = [
        take_back(paid, unused.get(paid.subscription_id), charged_by, event=event, only_due=not is_end)
        for paid in change.paid
        if change.money_back is MoneyBack.CREDIT_UNUSED
    ]
    return SettledMoney(
        lines=tuple(line for line in (*charges, *credits) if line is not None), notes=notes_of(charged_by)
    )


def take_back(
    paid: PaidSeats,
    unused: Share | None,
    charged_by: Sequence["ChargingInvoice"],
    *,
    event: str,
    only_due: bool = False,
) -> InvoiceLine | None:
    """Take what comes back of what was paid off the invoices that charged it: off what is due first, then off the rest.

    Returns the negative line for what comes back elsewhere. only_due: all that was paid does. event: for people.
    """
    issued = _issued(charged_by)
    left = money_back_of(paid, unused)
    for charging in issued:
        left -= charging.take_off_due(paid, left)
    if not only_due:
        for charging in issued:
            left -= charging.take_off(paid, left)
    given = Money.zero(left.currency_code)
    for charging in issued:
        given += charging.give(paid, left - given)
    return credit_line(paid, unused, given, event=event)


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
    """An invoice with its credit notes so far. All amounts are before tax.

    taken: what is to be taken off its lines by a credit note. given: what comes back of its lines elsewhere.
    """

    invoice: Invoice
    earlier: tuple[CreditNote, ...]
    taken: defaultdict[InvoiceLineId, int] = field(default_factory=lambda: defaultdict(int))
    given: defaultdict[InvoiceLineId, int] = field(default_factory=lambda: defaultdict(int))

    def take_off_due(self, paid: PaidSeats, amount: Money) -> Money:
        """Take up to an amount off what is due of the lines of a paid period; returns how much."""
        return self._move(paid, amount, self.taken, self._left_to_take(self.invoice.due.micros))

    def take_off(self, paid: PaidSeats, amount: Money) -> Money:
        """Take up to an amount off the lines of a paid period, whether due or paid; returns how much."""
        return self._move(paid, amount, self.taken, self._left_to_take(self._uncredited))

    def give(self, paid: PaidSeats, amount: Money) -> Money:
        """Return how much of an amount can come back elsewhere, because it was paid by money or by an earlier plan."""
        of_plans = -total_of(self._of_kind(InvoiceLineKind.PLAN_CREDIT), self._currency).micros
        return self._move(paid, amount, self.given, self._left_to_take(self._uncredited) + of_plans)

    def note_lines(self) -> tuple[CreditNoteLine, ...]:
        """Return the lines of the credit note, each tax in proportion; empty if nothing is taken."""
        net = sum(self.taken.values())
        parts = [(line_id, Money(self._currency, micros)) for line_id, micros in self.taken.items()]
        if net:
            parts += [
                (one.invoice_line_id, self._tax_of(net, one)) for one in self._of_kind(InvoiceLineKind.TAX)
            ]
        return tuple(
            CreditNoteLine(invoice_line_id=line_id, amount=amount)
            for line_id, amount in parts
            if amount.micros > 0
        )

    def _move(
        self, paid: PaidSeats, amount: Money, into: defaultdict[InvoiceLineId, int], at_most: int
    ) -> Money:
        moved, most = 0, min(amount.micros, max(0, at_most))
        for line in self._lines_of(paid):
            part = max(0, min(most - moved, self._left(line)))
            into[line.invoice_line_id] += part
            moved += part
        return Money(amount.currency_code, moved)

    def _lines_of(self, paid: PaidSeats) -> Iterable[InvoiceLine]:
        return reversed(
            [
                one
                for one in self.invoice.lines
                if one.subscription_id == paid.subscription_id
                and one.billing_period_start == paid.period.start
            ]
        )

    def _left(self, line: InvoiceLine) -> int:
        """Return what a line charged and neither was nor is credited."""
        line_id = line.invoice_line_id
        credited = sum(
            each.amount.micros
            for note in self.earlier
            for each in note.lines
            if each.invoice_line_id == line_id
        )
        return line.total.micros - credited - self.taken[line_id] - self.given[line_id]

    def _left_to_take(self, gross: int) -> int:
        """Return how much of an amount with tax can still be taken off, before tax, in whole minor units."""
        taxed, with_tax = self._taxed, self._taxed + self._taxes
        if taxed <= 0:
            return 0
        net = rounded(Fraction(gross * taxed, with_tax), Rounding.FLOOR, self._currency).micros
        return net - sum(self.taken.values()) - sum(self.given.values())

    def _tax_of(self, net: int, tax: InvoiceLine) -> Money:
        return rounded(Fraction(net * tax.total.micros, self._taxed), Rounding.FLOOR, self._currency)

    @property
    def _currency(self) -> str:
        return self.invoice.total.currency_code

    @property
    def _uncredited(self) -> int:
        """What the invoice charged and was not credited before, with tax."""
        return self._taxed + self._taxes - sum(note.amount.micros for note in self.earlier)

    @property
    def _taxed(self) -> int:
        added = (InvoiceLineKind.TAX, InvoiceLineKind.ACCOUNT_CREDIT)
        return total_of([one for one in self.invoice.lines if one.kind not in added], self._currency).micros

    @property
    def _taxes(self) -> int:
        return total_of(self._of_kind(InvoiceLineKind.TAX), self._currency).micros

    def _of_kind(self, kind: InvoiceLineKind) -> list[InvoiceLine]:
        return [one for one in self.invoice.lines if one.kind is kind]
