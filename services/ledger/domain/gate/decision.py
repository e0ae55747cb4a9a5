# SPDX-License-Identifier: Apache-2.0
"""Requests to the gate and its responses. The rules that decide are in gate.py."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import Enum

from meshkit.quantity import Credits, Quantity
from meshkit.values import value
from services.ledger.domain.credits.grant import CreditTypeId, ProductId
from services.ledger.domain.credits.seats import POOL, Purse
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.in_flight import InFlightUse
from services.ledger.domain.gate.spend_cap import CapUse
from services.ledger.domain.usage.meter import MeteredPrice


class DenialReason(Enum):
    """Why the gate denied, in the order of the checks."""

    CUSTOMER_SUSPENDED = "CUSTOMER_SUSPENDED"
    NOT_ENTITLED = "NOT_ENTITLED"
    SEAT_NOT_ASSIGNED = "SEAT_NOT_ASSIGNED"
    TOO_MANY_IN_FLIGHT = "TOO_MANY_IN_FLIGHT"
    SPEND_CAP_REACHED = "SPEND_CAP_REACHED"
    INSUFFICIENT_CREDITS = "INSUFFICIENT_CREDITS"


@value(frozen=True, slots=True)
class Refusal:
    """Why a call is denied. cap: the one that denies it, if one does."""

    reason: DenialReason
    cap: CapUse | InFlightUse | None = None


@value(frozen=True, slots=True, kw_only=True)
class ShadowDenial:
    """Why a call would have been denied that shadow mode has allowed (shadow.py).

    spend_cap_id, concurrency_cap_id: the cap that would have denied it; at most one is set. missing: what neither
    credits nor overage cover of it: not held, or recorded as shortfall.
    """

    reason: DenialReason
    spend_cap_id: str = ""
    concurrency_cap_id: str = ""
    missing: Credits = Credits(0)


@value(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """The contract in force that prices a product, and the price. anchor: start of the customer's usage periods.

    dimension_values: those by which the price was found.
    """

    contract_id: str
    anchor: datetime
    credit_type_id: CreditTypeId
    price: MeteredPrice
    dimension_values: Mapping[str, str] = field(default_factory=dict)


# The most that one request may cost: a billion credits. Sums of thousands of them still fit into int64.
CREDITS_MAX = Credits(10**15)

Amount = Quantity | Credits  # units, priced by the rate; or credits as they are


@value(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a caller wants to spend, and for whom.

    counted_group_values: the group values by which the product's metric groups usage.
    """

    product_id: ProductId
    entitlement: Entitlement
    amount: Amount
    group_values: Mapping[str, str]
    counted_group_values: Mapping[str, str]


@value(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an ask is affordable.

    refusal: None if it is. shadow: why it would not be, if only shadow mode allows it. credits: its cost. overage: the
    part of it that no credits cover and its contract allows; missing: what neither covers. affordable: the most that
    caps, grants and overage allow. purse: whose credits it may draw. in_flight: the concurrency caps that apply, if it
    opens a hold.
    """

    refusal: Refusal | None
    shadow: Refusal | None = None
    credits: Credits
    available: Credits
    overage: Credits
    missing: Credits = Credits(0)
    affordable: Credits
    caps: tuple[CapUse, ...]
    purse: Purse = POOL
    in_flight: tuple[InFlightUse, ...] = ()

    @property
    def reason(self) -> DenialReason | None:
        """Why it is denied; None if it is not."""
        return None if self.refusal is None else self.refusal.reason

    @property
    def covered(self) -> Credits:
        """What a hold reserves, or a debit takes: all that it costs, unless something is missing."""
        return self.credits - self.missing if self.missing else self.credits

    @property
    def full_cap(self) -> InFlightUse | None:
        """The concurrency cap that denies the ask, if one does."""
        cap = None if self.refusal is None else self.refusal.cap
        return cap if isinstance(cap, InFlightUse) else None

    @property
    def reached_cap(self) -> CapUse | None:
        """The spend cap that denies the ask, if one does."""
        cap = None if self.refusal is None else self.refusal.cap
        return cap if isinstance(cap, CapUse) else None


@value(frozen=True, slots=True, kw_only=True)
class Authorized:
    """The response to Authorize: the hold, or the reason why there is none; and what is left afterwards.

    overage: the part of `held` that no credits cover.
    """

    reason: DenialReason | None
    hold_id: HoldId | None = None
    held: Credits = Credits(0)
    overage: Credits = Credits(0)
    held_quantity: Quantity = Quantity(0)
    expire_time: datetime | None = None
    credit_type_id: CreditTypeId | None = None
    available: Credits = Credits(0)
    affordable: Credits = Credits(0)
    affordable_quantity: Quantity = Quantity(0)


@value(frozen=True, slots=True, kw_only=True)
class AuthorizeDenied(Authorized):
    """The response to a denied Authorize; it is not stored. reached_cap: the spend cap that denies it, if one does.

    full_cap: the concurrency cap, if one does.
    """

    reached_cap: CapUse | None
    full_cap: InFlightUse | None = None


@value(frozen=True, slots=True, kw_only=True)
class AuthorizedInShadow(Authorized):
    """The response to an Authorize that only shadow mode has allowed."""

    shadow_denial: ShadowDenial


@value(frozen=True, slots=True, kw_only=True)
class LineResult:
    """What one line of a call came to. credits: what is held, captured or debited for it. overage: the part of that
    which no credits cover.
    """

    product_id: ProductId
    dimension_values: Mapping[str, str]
    quantity: Quantity
    credits: Credits
    shortfall: Credits = Credits(0)
    overage: Credits = Credits(0)


@value(frozen=True, slots=True, kw_only=True)
class AuthorizedLines(Authorized):
    """The response to an allowed AuthorizeLines. lines: in the order of the request."""

    lines: tuple[LineResult, ...]


@value(frozen=True, slots=True, kw_only=True)
class AuthorizedLinesInShadow(AuthorizedLines):
    """The response to an AuthorizeLines that only shadow mode has allowed."""

    shadow_denial: ShadowDenial


@value(frozen=True, slots=True, kw_only=True)
class Captured:
    """The response to Capture. overage: the part of `captured` that no credits cover. shortfall: what nobody pays."""

    captured: Credits
    overage: Credits
    released: Credits
    shortfall: Credits
    is_late: bool
    credit_type_id: CreditTypeId
    available: Credits


@value(frozen=True, slots=True, kw_only=True)
class CapturedLines(Captured):
    """The response to CaptureLines, and to the Capture of a hold of several lines. lines: all those of the hold."""

    lines: tuple[LineResult, ...]


@value(frozen=True, slots=True, kw_only=True)
class CapturedBefore(Captured):
    """The response to Capture when a usage event had captured the hold. It is not stored.

    differs: another amount was used then. lines: as in CapturedLines; empty for one line.
    """

    differs: bool
    lines: tuple[LineResult, ...] = ()


@value(frozen=True, slots=True, kw_only=True)
class Released:
    """The response to Release."""

    released: Credits
    credit_type_id: CreditTypeId
    available: Credits


@value(frozen=True, slots=True, kw_only=True)
class Extended:
    """The response to ExtendHold: the hold as it is now; if denied, a reason and the hold unchanged.

    overage: the part of `held` that no credits cover.
    """

    reason: DenialReason | None
    held: Credits
    overage: Credits
    expire_time: datetime
    credit_type_id: CreditTypeId
    available: Credits
    affordable: Credits


@value(frozen=True, slots=True, kw_only=True)
class ExtendDenied(Extended):
    """The response to a denied ExtendHold; it is not stored. reached_cap: the spend cap that denies it, if one does."""

    reached_cap: CapUse | None


@value(frozen=True, slots=True, kw_only=True)
class ExtendedInShadow(Extended):
    """The response to an ExtendHold that only shadow mode has allowed."""

    shadow_denial: ShadowDenial


@value(frozen=True, slots=True, kw_only=True)
class Debited:
    """The response to Debit. overage: the part of `debited` that no credits cover."""

    reason: DenialReason | None
    debited: Credits = Credits(0)
    overage: Credits = Credits(0)
    credit_type_id: CreditTypeId | None = None
    available: Credits = Credits(0)
    affordable: Credits = Credits(0)
    affordable_quantity: Quantity = Quantity(0)


@value(frozen=True, slots=True, kw_only=True)
class DebitDenied(Debited):
    """The response to a denied Debit; it is not stored. reached_cap: the spend cap that denies it, if one does."""

    reached_cap: CapUse | None


@value(frozen=True, slots=True, kw_only=True)
class DebitedInShadow(Debited):
    """The response to a Debit that only shadow mode has allowed."""

    shadow_denial: ShadowDenial


@value(frozen=True, slots=True, kw_only=True)
class DebitedLines(Debited):
    """The response to an allowed DebitLines. lines: in the order of the request."""

    lines: tuple[LineResult, ...]


@value(frozen=True, slots=True, kw_only=True)
class DebitedLinesInShadow(DebitedLines):
    """The response to a DebitLines that only shadow mode has allowed."""

    shadow_denial: ShadowDenial
