# SPDX-License-Identifier: Apache-2.0
"""A grant: an immutable addition of credits to a pool, and where its credits have gone."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from fractions import Fraction
from typing import NewType

from meshkit.evolve import evolve
from meshkit.quantity import Credits

CustomerId = NewType("CustomerId", str)
CreditTypeId = NewType("CreditTypeId", str)
ProductId = NewType("ProductId", str)
GrantId = NewType("GrantId", str)
ScheduleId = NewType("ScheduleId", str)
# A slot of a subscription with named seats: "sub_1#7".
SlotId = NewType("SlotId", str)


# Of a void by a refund of all that was unspent.
REFUND_REASON = "refund"


class GrantKind(Enum):
    """Why a grant exists."""

    INCLUDED = "INCLUDED"
    TOP_UP = "TOP_UP"
    PROMOTIONAL = "PROMOTIONAL"
    ROLLOVER = "ROLLOVER"


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantVoid:
    """When and why a grant was voided. actor: who voided it, as the caller stated.

    rolls_to: of one that rolled with a change of plan, the grant that also gets what returns later; None: nothing does.
    """

    time: datetime
    reason: str
    actor: str
    rolls_to: GrantId | None = None


@dataclass(frozen=True, kw_only=True)  # no slots: evolve
class Grant:
    """Credits for `[effective_time, expire_time)`. At every instant, each amount being ≥ 0:

    granted = captured + held + expired + voided + rest. Source: services/ledger/README.md, "Zero overspend".
    """

    grant_id: GrantId
    kind: GrantKind
    product_id: ProductId | None
    priority: int
    effective_time: datetime
    expire_time: datetime | None
    create_time: datetime
    granted: Credits
    captured: Credits = Credits(0)
    held: Credits = Credits(0)
    expired: Credits = Credits(0)
    voided: Credits = Credits(0)
    cost_basis_micros: int = 0
    scope_product_ids: frozenset[ProductId] = frozenset()
    schedule_id: ScheduleId | None = None
    period_start: datetime | None = None
    source_id: str | None = None
    # No more credits can come from it: its expiry is written, or it is spent or voided and nothing adds to it.
    is_closed: bool = False
    # Once set, credits that holds of that time or before return to the grant are voided.
    void: GrantVoid | None = None
    # The part of `voided` that late notices took back: seats that the grant no longer counts.
    taken_back: Credits = Credits(0)
    # The part of `expired` that another grant was issued for, and of such a grant, the one that it continues.
    rolled_over: Credits = Credits(0)
    rolled_from: GrantId | None = None
    # Of seat-scoped credits, the slot that they belong to; None: shared credits.
    slot_id: SlotId | None = None
    # Of free credits, what other contracts' were granted instead of it (free_credits.py); None: they are not free.
    withheld: Credits | None = None
    # Of one whose money went back although its credits were used, how much of it shall be voided in all (debt.py).
    to_void: Credits | None = None

    @property
    def owed(self) -> Credits:
        """Credits that were used and whose money went back. What returns to the grant makes it less."""
        return Credits(0) if self.to_void is None else max(Credits(0), self.to_void - self.voided)

    @property
    def counted(self) -> Credits:
        """Credits for the seats that it counts, also if they were withheld, but not what late notices took back."""
        counted = self.granted - self.taken_back
        return counted if self.withheld is None else counted + self.withheld

    @property
    def rest(self) -> Credits:
        """Credits neither captured, held, expired nor voided, whether or not the grant is active."""
        return Credits(
            self.granted.micros
            - self.captured.micros
            - self.held.micros
            - self.expired.micros
            - self.voided.micros
        )

    @property
    def remaining(self) -> Credits:
        """Credits neither captured, expired nor voided: the rest, and what open holds reserve."""
        return Credits(self.granted.micros - self.captured.micros - self.expired.micros - self.voided.micros)

    @property
    def included(self) -> Credits:
        """Of an included grant that is not closed, what it was granted and did not lose to a void; otherwise 0."""
        if self.kind is not GrantKind.INCLUDED or self.is_closed:
            return Credits(0)
        return self.granted - self.voided

    def is_active(self, at: datetime) -> bool:
        return self.effective_time <= at and not self.is_over(at)

    def is_over(self, at: datetime) -> bool:
        """Dead at `expire_time`, not after it."""
        return self.expire_time is not None and self.expire_time <= at

    @property
    def can_grow(self) -> bool:
        """Whether it may be granted more: by its schedule, or by holds of the plan that it rolled from."""
        return self.schedule_id is not None or self.kind is GrantKind.INCLUDED

    def voids_what_returns(self, drawn_time: datetime) -> bool:
        """Whether credits that were drawn or held at `drawn_time` are voided when they return.

        What was taken later is from credits that a schedule added after the void; nothing else adds any.
        """
        return self.void is not None and (self.schedule_id is None or drawn_time <= self.void.time)

    def voided_of_return(self, amount: Credits, drawn_time: datetime) -> Credits:
        """Return how much is voided of credits that were drawn or held at `drawn_time` and return to the grant.

        All of them once it was voided, otherwise what is owed.
        """
        return amount if self.voids_what_returns(drawn_time) else min(amount, self.owed)

    def covers(self, product_id: ProductId) -> bool:
        return not self.scope_product_ids or product_id in self.scope_product_ids


@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed of one grant: credits, and what they cost in money × 10^6, exactly."""

    credits: Credits
    money_micros: Fraction

    @classmethod
    def of(cls, credits: Credits, *, granted: Credits, cost_basis_micros: int) -> "Owed":
        return cls(credits, Fraction(credits.micros * cost_basis_micros, granted.micros))


def hold_from(grant: Grant, amount: Credits) -> Grant:
    """Reserve `amount` of the rest."""
    assert Credits(0) <= amount <= grant.rest
    return evolve(grant, held=grant.held + amount)


def give_back(grant: Grant, amount: Credits) -> Grant:
    """Return `amount` of what is held to the rest."""
    assert Credits(0) <= amount <= grant.held
    return evolve(grant, held=grant.held - amount)


def capture_held(grant: Grant, amount: Credits) -> Grant:
    """Turn `amount` of what is held into spend."""
    assert Credits(0) <= amount <= grant.held
    return _closed_if_spent(evolve(grant, held=grant.held - amount, captured=grant.captured + amount))


def capture_rest(grant: Grant, amount: Credits) -> Grant:
    """Turn `amount` of the rest into spend."""
    assert Credits(0) <= amount <= grant.rest
    return _closed_if_spent(evolve(grant, captured=grant.captured + amount))


def expire_rest(grant: Grant) -> Grant:
    """Expire the rest and close the grant. Held credits stay until their holds end."""
    return evolve(grant, expired=grant.expired + grant.rest, is_closed=True)


def void_rest(grant: Grant, void: GrantVoid) -> Grant:
    """Void the rest. Held credits stay until their holds end; what returns then is voided too (void_held).

    A schedule can still add credits to its grant, for seats that are bought after the void. These can be drawn.
    """
    is_closed = grant.is_closed or grant.schedule_id is None
    return evolve(grant, voided=grant.voided + grant.rest, void=void, is_closed=is_closed)


def void_held(grant: Grant, amount: Credits) -> Grant:
    """Void `amount` of what is held."""
    assert Credits(0) <= amount <= grant.held
    return evolve(grant, held=grant.held - amount, voided=grant.voided + amount)


def reinstate(grant: Grant, amount: Credits) -> Grant:
    """Spend `amount` of what has expired and not rolled over, on usage from before the expiry. It stays closed."""
    assert grant.is_closed
    assert Credits(0) < amount <= grant.expired - grant.rolled_over
    return evolve(grant, expired=grant.expired - amount, captured=grant.captured + amount)


def return_captured(grant: Grant, amount: Credits, *, at: datetime) -> Grant:
    """Return `amount` of what was spent to the rest. A grant that was closed because it was spent is open again."""
    assert Credits(0) < amount <= grant.captured
    is_closed = grant.is_closed and (grant.void is not None or grant.is_over(at))
    return evolve(grant, captured=grant.captured - amount, is_closed=is_closed)


def void_amount(grant: Grant, amount: Credits) -> Grant:
    """Void `amount` of the rest."""
    assert Credits(0) <= amount <= grant.rest
    return _closed_if_spent(evolve(grant, voided=grant.voided + amount))


def void_for_money(grant: Grant, amount: Credits, *, to_void: Credits, at: datetime) -> Grant:
    """Void `amount` of the rest, of `to_void` in all: its money went back. What is not voided yet is owed.

    Credits beyond that are paid for. So a void of an earlier refund, which takes all that returns, ends.
    """
    assert Credits(0) <= amount <= grant.rest
    void = None if grant.void is not None and grant.void.reason == REFUND_REASON else grant.void
    kept = evolve(grant, voided=grant.voided + amount, to_void=to_void, void=void)
    is_closed = void is not None or not kept.remaining or kept.is_over(at)
    return evolve(kept, is_closed=is_closed)


def pay_back(grant: Grant, amount: Credits) -> Grant:
    """Take `amount` off what is owed: another grant has paid for it, or its money is back."""
    assert grant.to_void is not None
    assert Credits(0) <= amount <= grant.owed
    return evolve(grant, to_void=grant.to_void - amount)


def take_back(grant: Grant, amount: Credits) -> Grant:
    """Void `amount` of the rest, for seats that the grant should not have counted."""
    return evolve(void_amount(grant, amount), taken_back=grant.taken_back + amount)


def increase(grant: Grant, amount: Credits) -> Grant:
    """Grant `amount` more: for seats added inside the grant's period, or because it rolls in from an ended plan."""
    assert amount > Credits(0)
    return evolve(grant, granted=grant.granted + amount)


def _closed_if_spent(grant: Grant) -> Grant:
    # In this order: what can grow is not added up, and most of what is drawn can.
    return grant if grant.can_grow or grant.remaining else evolve(grant, is_closed=True)
