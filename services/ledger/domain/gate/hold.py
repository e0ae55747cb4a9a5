# SPDX-License-Identifier: Apache-2.0
"""A hold: credits reserved for one AI call, and the states of its life."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from enum import Enum
from typing import NewType

from meshkit.evolve import evolve
from meshkit.quantity import Credits, Quantity
from meshkit.values import value
from services.ledger.domain.credits.burn_down import Draw
from services.ledger.domain.credits.grant import CreditTypeId, ProductId
from services.ledger.domain.errors import HoldAlreadyResolved, HoldExpired, HoldHasLines
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.usage.meter import MeteredPrice

HoldId = NewType("HoldId", str)

HOLD_TTL_DEFAULT = timedelta(minutes=5)
HOLD_TTL_MIN = timedelta(seconds=1)
HOLD_TTL_MAX = timedelta(hours=24)
NAMES_MAX = 1_000


class HoldState(Enum):
    """The state of a hold."""

    HELD = "HELD"
    CAPTURED = "CAPTURED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


@value(frozen=True, slots=True, kw_only=True)
class HeldLine:
    """One of several lines of a hold: units of one product, and what is reserved for them. Fields: as in Hold."""

    product_id: ProductId
    contract_id: str
    price: MeteredPrice
    dimension_values: Mapping[str, str]
    counted_group_values: Mapping[str, str]
    quantity: Quantity
    draws: tuple[Draw, ...]
    overage: Credits = Credits(0)

    @property
    def drawn(self) -> Credits:
        return Credits(sum(draw.amount.micros for draw in self.draws))

    @property
    def amount(self) -> Credits:
        return self.drawn + self.overage

    @property
    def whole(self) -> Quantity:
        """What a capture without an amount captures."""
        return self.quantity


@value(frozen=True, kw_only=True)  # no slots: evolve
class Hold:
    """Credits reserved until `expire_time`; from then on they do not count, without any job.

    draws: in the order they were drawn; after an extension, one grant may appear more than once.
    overage: what the hold reserves of its contract's overage, because no credits cover it.
    price: the rate at the time of the hold, and the meter of that usage period; a capture counts on it.
    quantity: units held; 0 if credits were asked for, at first or in an extension.
    anchor: start of the customer's usage periods.
    counted_group_values: those that caps and alerts count.
    lines: empty unless there are several. Then product, contract, price and dimension values are those of the first
    one, quantity is 0, draws are those of all lines, one line after the other, overage is that of all lines, and
    counted_group_values are those that any of them counts.
    """

    hold_id: HoldId
    product_id: ProductId
    contract_id: str
    anchor: datetime
    price: MeteredPrice
    dimension_values: Mapping[str, str] = field(default_factory=dict)
    group_values: Mapping[str, str]
    counted_group_values: Mapping[str, str]
    state: HoldState
    quantity: Quantity = Quantity(0)
    draws: tuple[Draw, ...]
    overage: Credits = Credits(0)
    captured: Credits = Credits(0)
    create_time: datetime
    expire_time: datetime
    lines: tuple[HeldLine, ...] = ()

    @property
    def parts(self) -> "Sequence[HeldPart]":
        """The lines of a hold of several; otherwise the hold itself, which has all that a line has."""
        return self.lines or (self,)

    @property
    def drawn(self) -> Credits:
        return Credits(sum(draw.amount.micros for draw in self.draws))

    @property
    def amount(self) -> Credits:
        return self.drawn + self.overage

    @property
    def whole(self) -> Quantity | Credits:
        """What a capture without an amount captures: the units held, or the credits."""
        return self.quantity or self.amount

    def counted(self) -> tuple[GroupValue, ...]:
        return tuple(self.counted_group_values.items())


HeldPart = Hold | HeldLine


@value(frozen=True, slots=True)
class HoldPlace:
    """The pool that a hold is in, and the products of its lines."""

    credit_type_id: CreditTypeId
    product_ids: tuple[ProductId, ...]


def state_at(hold: Hold, at: datetime) -> HoldState:
    """Return the state at `at`: a held hold is EXPIRED from its `expire_time` on, written or not."""
    return HoldState.EXPIRED if hold.state is HoldState.HELD and hold.expire_time <= at else hold.state


def names_of(hold: Hold) -> str:
    """Return the lines of a hold as text, at most some 1,000 characters: it travels in the trailers of a fault."""
    text = ", ".join(name_of_line(part.product_id, part.dimension_values) for part in hold.parts)
    return text if len(text) <= NAMES_MAX else f"{text[:NAMES_MAX]}…"


def name_of_line(product_id: ProductId, dimension_values: Mapping[str, str]) -> str:
    """Return a line as text: `prd_tokens (model=large, token_kind=input)`."""
    values = ", ".join(f"{key}={value}" for key, value in sorted(dimension_values.items()))
    return f"{product_id} ({values})" if values else product_id


def require_unresolved(hold: Hold) -> None:
    """Raise HoldAlreadyResolved unless the hold is held or expired: those can still be captured or released."""
    match hold.state:
        case HoldState.HELD | HoldState.EXPIRED:
            return
        case HoldState.CAPTURED | HoldState.RELEASED:
            raise HoldAlreadyResolved(hold_id=hold.hold_id, state=hold.state.value)


def require_extendable(hold: Hold) -> None:
    """Raise HoldAlreadyResolved or HoldExpired unless the hold is held."""
    require_unresolved(hold)
    if hold.state is HoldState.EXPIRED:
        raise HoldExpired(hold_id=hold.hold_id, expire_time=hold.expire_time)


def require_addable(hold: Hold) -> None:
    """Raise HoldAlreadyResolved, HoldExpired or HoldHasLines unless an amount can be added to the hold."""
    require_extendable(hold)
    if hold.lines:
        raise HoldHasLines(hold_id=hold.hold_id, lines=names_of(hold))


@value(frozen=True, slots=True)
class Split:
    """A hold's draws, divided into captured and released ones."""

    captured: tuple[Draw, ...]
    released: tuple[Draw, ...]


def split_draws(draws: tuple[Draw, ...], amount: Credits) -> Split:
    """Capture `amount` (at most the sum of draws) in the order of draws, and release the rest: the last drawn first."""
    captured: list[Draw] = []
    released: list[Draw] = []
    left = amount
    for draw in draws:
        taken = min(draw.amount, left)
        left -= taken
        if taken:
            captured.append(Draw(draw.grant_id, taken))
        if draw.amount - taken:
            released.append(Draw(draw.grant_id, draw.amount - taken))
    assert not left
    return Split(tuple(captured), tuple(released))


def end_hold(hold: Hold, state: HoldState, *, captured: Credits = Credits(0)) -> Hold:
    """Return the hold in a final state; only EXPIRED can still change, to CAPTURED by a late capture."""
    return evolve(hold, state=state, captured=captured)
