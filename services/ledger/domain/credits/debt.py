# SPDX-License-Identifier: Apache-2.0
"""Debt: credits that were used and whose money went back, and how they are paid for again.

Owed of a grant is what shall be voided of it in all (Grant.to_void) and is not voided yet. So whatever returns to the
grant is voided first, without anything written but its VOID entry. Debt is money, at the grant's cost basis.
Source: services/ledger/README.md, "Debt".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from fractions import Fraction
from typing import Final

from meshkit.evolve import evolve
from meshkit.quantity import Credits, ceil_div, floor_div
from services.ledger.domain.credits import recording
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import (
    CreditTypeId,
    Grant,
    GrantId,
    Owed,
    pay_back,
    void_amount,
)
from services.ledger.domain.crossings import alarm

# The shortest life of what a dispute that was won gives back.
GIVEN_BACK_FOR_MIN: Final = timedelta(days=30)


class DebtKind(Enum):
    """REFUND: money went back. RECOVERY: another grant paid. REVERSAL: the money of a refund is back."""

    REFUND = "REFUND"
    RECOVERY = "RECOVERY"
    REVERSAL = "REVERSAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtEntry:
    """One line of the debts' history. Signed: what it adds to the figure of the grant whose credits are owed.

    to_void: of Grant.to_void. refunded: credits whose money went back. recovered: those that other grants paid for.
    taken: credits taken from other grants for that, in theirs. given_back: voided credits that a reversal granted anew.
    refund_id: empty of a RECOVERY. other_grant_id: the grant that paid, or that a reversal issued, if any.
    """

    kind: DebtKind
    grant_id: GrantId
    credit_type_id: CreditTypeId
    refund_id: str
    currency_code: str
    create_time: datetime
    to_void: Credits
    refunded: Credits = Credits(0)
    recovered: Credits = Credits(0)
    taken: Credits = Credits(0)
    given_back: Credits = Credits(0)
    other_grant_id: GrantId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """What is owed of one grant."""

    grant: Grant
    credit_type_id: CreditTypeId
    currency_code: str

    @property
    def owed(self) -> Credits:
        return self.grant.owed

    @property
    def money_micros(self) -> int:
        """What the owed credits cost, in money × 10^6, rounded down."""
        exact = worth(self.grant, self.grant.owed)
        return floor_div(exact.numerator, exact.denominator)


def worth(grant: Grant, credits: Credits) -> Fraction:
    """Return what some of a grant's credits cost, in money × 10^6, exactly."""
    return Owed.of(credits, granted=grant.granted, cost_basis_micros=grant.cost_basis_micros).money_micros


def owed_money(debts: Iterable[Debt], currency_code: str) -> int:
    """Return what is owed in a currency, in money × 10^6, rounded up."""
    exact = sum(
        (worth(one.grant, one.owed) for one in debts if one.currency_code == currency_code), Fraction(0)
    )
    return ceil_div(exact.numerator, exact.denominator)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A part of a new grant pays for a debt. taken: from the new grant; recovered: of what is owed."""

    debt: Debt
    taken: Credits
    recovered: Credits


def payments(debts: Sequence[Debt], new: Grant, currency_code: str) -> list[Payment]:
    """Return how a new bought grant pays debts of its currency, in this order, until it is spent.

    What it takes is rounded down to a micro-credit, and what it pays for up: in the customer's favour.
    """
    found: list[Payment] = []
    left = new.rest
    for debt in debts:
        if not left or not new.cost_basis_micros:
            break
        if debt.currency_code != currency_code or not debt.owed or not debt.grant.cost_basis_micros:
            continue
        # Of an old credit, in new ones.
        price = worth(debt.grant, Credits(1)) / worth(new, Credits(1))
        exact = debt.owed.micros * price
        taken, recovered = Credits(floor_div(exact.numerator, exact.denominator)), debt.owed
        if taken > left:
            of_all = left.micros / price
            taken = left
            recovered = min(debt.owed, Credits(ceil_div(of_all.numerator, of_all.denominator)))
        found.append(Payment(debt=debt, taken=taken, recovered=recovered))
        left -= taken
    return found


def pay_from(account: Account, grant_id: GrantId, payment: Payment, *, at: datetime) -> Account:
    """Void what a new grant pays for a debt. The entry names the grant whose credits are owed as its cause."""
    voided = void_amount(account.grants[grant_id], payment.taken)
    return recording.write_void(
        account,
        voided,
        payment.taken,
        effective_time=at,
        cause_id=payment.debt.grant.grant_id,
        at=at,
    )


def recover(
    account: Account, payment: Payment, paying: GrantId, *, at: datetime
) -> tuple[Account, DebtEntry]:
    """Take what was paid off the debt, in the account of its grant."""
    debt = payment.debt
    grant = account.grants[debt.grant.grant_id]
    return account.with_changes(grants=[pay_back(grant, payment.recovered)]), DebtEntry(
        kind=DebtKind.RECOVERY,
        grant_id=grant.grant_id,
        credit_type_id=debt.credit_type_id,
        refund_id="",
        currency_code=debt.currency_code,
        create_time=at,
        to_void=-payment.recovered,
        recovered=payment.recovered,
        taken=payment.taken,
        other_grant_id=paying,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtHistory:
    """The debt entries of one grant, in order, and what it has paid for the debts of others."""

    entries: tuple[DebtEntry, ...]
    paid_for_others: Credits

    @property
    def kept(self) -> Credits:
        """How much of what is voided was paid for, and is not refundable: it paid debts, or was granted anew."""
        return self.paid_for_others + _sum(one.given_back for one in self.entries)

    @property
    def recovered(self) -> Credits:
        """Credits whose money went back, and that other grants have paid for since."""
        return _sum(one.recovered for one in self.entries)

    @property
    def paid_for(self) -> Credits:
        """How much more of the grant was paid for than its voids say; negative: less."""
        return self.kept - self.recovered

    def refund(self, refund_id: str) -> DebtEntry | None:
        return self._of(refund_id, DebtKind.REFUND)

    def reversal(self, refund_id: str) -> DebtEntry | None:
        return self._of(refund_id, DebtKind.REVERSAL)

    def _of(self, refund_id: str, kind: DebtKind) -> DebtEntry | None:
        return next((one for one in self.entries if (one.kind, one.refund_id) == (kind, refund_id)), None)


def reverse(
    account: Account,
    grant_id: GrantId,
    refund: DebtEntry,
    history: DebtHistory,
    *,
    new_grant_id: GrantId,
    cause_id: str,
    at: datetime,
) -> tuple[Account, DebtEntry]:
    """Undo a refund whose money is back: what is owed is cancelled first, then what was taken and voided is granted.

    The new grant lives for the rest of the old one's life at the refund, at least GIVEN_BACK_FOR_MIN. If others have
    paid for a part only, that part of what was taken from them comes back, rounded up.
    """
    grant = account.grants[grant_id]
    cancelled = min(refund.refunded, grant.owed)
    outstanding = history.recovered
    taken = _sum(one.taken for one in history.entries)
    recovered = min(refund.refunded - cancelled, outstanding)
    returned = (
        Credits(ceil_div(taken.micros * recovered.micros, outstanding.micros)) if recovered else Credits(0)
    )
    given_back = refund.refunded - cancelled - recovered
    account = account.with_changes(grants=[pay_back(grant, cancelled)])
    granted = given_back + returned
    if granted:
        basis = worth(grant, given_back + recovered)
        new = evolve(
            _continued(grant, refund.create_time, at),
            grant_id=new_grant_id,
            granted=granted,
            cost_basis_micros=floor_div(basis.numerator, basis.denominator),
            source_id=refund.refund_id,
        )
        account = recording.issue(account, new, at=at, cause_id=cause_id)
        account = alarm.due_with(account, new, at=at)
        account = alarm.observe_balance(account, at=at)
    return account, DebtEntry(
        kind=DebtKind.REVERSAL,
        grant_id=grant_id,
        credit_type_id=account.credit_type_id,
        refund_id=refund.refund_id,
        currency_code=refund.currency_code,
        create_time=at,
        to_void=-cancelled,
        refunded=-refund.refunded,
        recovered=-recovered,
        taken=-returned,
        given_back=given_back,
        other_grant_id=new_grant_id if granted else None,
    )


def _continued(grant: Grant, refund_time: datetime, at: datetime) -> Grant:
    """Return an unused grant of the same terms that begins now."""
    expire_time = None
    if grant.expire_time is not None:
        expire_time = at + max(grant.expire_time - refund_time, GIVEN_BACK_FOR_MIN)
    return Grant(
        grant_id=grant.grant_id,
        kind=grant.kind,
        product_id=grant.product_id,
        priority=grant.priority,
        effective_time=at,
        expire_time=expire_time,
        create_time=at,
        granted=grant.granted,
        scope_product_ids=grant.scope_product_ids,
    )


def _sum(credits: Iterable[Credits]) -> Credits:
    return sum(credits, start=Credits(0))
