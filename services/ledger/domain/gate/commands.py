# SPDX-License-Identifier: Apache-2.0
"""What callers ask of the gate, checked and typed. `customer` is an id or an alias.

fingerprint: the hash of the request as it came over the wire; it tells whether a repeated request_id has another body.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from typing import Protocol, TypeVar

from meshkit.quantity import Credits, Quantity
from meshkit.values import value
from services.ledger.domain.credits.grant import CreditTypeId, ProductId
from services.ledger.domain.gate.decision import (
    Amount,
    Authorized,
    AuthorizedLines,
    Captured,
    CapturedLines,
    Debited,
    DebitedLines,
    Extended,
    Released,
)
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.spend_cap import CapOwner, GroupValue
from services.ledger.domain.gate.windows import CapWindow

Response_co = TypeVar("Response_co", covariant=True)


@value(frozen=True, slots=True, kw_only=True)
class Authorize:
    """Hold the credits of an amount for `hold_ttl`. properties: those by which the product is priced."""

    request_id: str
    fingerprint: bytes
    customer: str
    product_id: ProductId
    amount: Amount
    group_values: Mapping[str, str]
    properties: Mapping[str, str] = field(default_factory=dict)
    hold_ttl: timedelta
    allow_partial: bool

    def response_type(self) -> type[Authorized]:
        return Authorized


@value(frozen=True, slots=True, kw_only=True)
class Capture:
    """Turn a hold into spend; actual None: all that is held."""

    request_id: str
    fingerprint: bytes
    customer: str
    hold_id: HoldId
    actual: Amount | None

    def response_type(self) -> type[Captured]:
        return Captured


@value(frozen=True, slots=True, kw_only=True)
class Release:
    """Give a hold back."""

    request_id: str
    fingerprint: bytes
    customer: str
    hold_id: HoldId

    def response_type(self) -> type[Released]:
        return Released


@value(frozen=True, slots=True, kw_only=True)
class ReleaseHold:
    """Give a hold back for an operator. actor: who asks for it, as the caller states."""

    request_id: str
    fingerprint: bytes
    customer: str
    hold_id: HoldId
    reason: str
    actor: str


@value(frozen=True, slots=True, kw_only=True)
class ExtendHold:
    """Add to a hold (additional None: nothing), lengthen its life from now (None: not), or both."""

    request_id: str
    fingerprint: bytes
    customer: str
    hold_id: HoldId
    additional: Amount | None
    hold_ttl: timedelta | None

    def response_type(self) -> type[Extended]:
        return Extended


@value(frozen=True, slots=True, kw_only=True)
class Debit:
    """Spend an amount at once. properties: those by which the product is priced."""

    request_id: str
    fingerprint: bytes
    customer: str
    product_id: ProductId
    amount: Amount
    group_values: Mapping[str, str]
    properties: Mapping[str, str] = field(default_factory=dict)

    def response_type(self) -> type[Debited]:
        return Debited


@value(frozen=True, slots=True, kw_only=True)
class CallLine:
    """One line of a call. properties: those by which the product is priced."""

    product_id: ProductId
    quantity: Quantity
    properties: Mapping[str, str]


@value(frozen=True, slots=True, kw_only=True)
class AuthorizeLines:
    """Hold the credits of several lines, all or nothing."""

    request_id: str
    fingerprint: bytes
    customer: str
    lines: tuple[CallLine, ...]
    group_values: Mapping[str, str]
    hold_ttl: timedelta

    def response_type(self) -> type[AuthorizedLines]:
        return AuthorizedLines


@value(frozen=True, slots=True, kw_only=True)
class CaptureLines:
    """Turn a hold into spend of these lines. Lines of the hold that are not among them were not used."""

    request_id: str
    fingerprint: bytes
    customer: str
    hold_id: HoldId
    lines: tuple[CallLine, ...]

    def response_type(self) -> type[CapturedLines]:
        return CapturedLines


@value(frozen=True, slots=True, kw_only=True)
class DebitLines:
    """Spend several lines at once, all or nothing."""

    request_id: str
    fingerprint: bytes
    customer: str
    lines: tuple[CallLine, ...]
    group_values: Mapping[str, str]

    def response_type(self) -> type[DebitedLines]:
        return DebitedLines


@value(frozen=True, slots=True, kw_only=True)
class ExplainLines:
    """Decide lines as AuthorizeLines would now, and carry nothing out."""

    customer: str
    lines: tuple[CallLine, ...]
    group_values: Mapping[str, str]


@value(frozen=True, slots=True, kw_only=True)
class ExplainAsk:
    """Decide an ask as Authorize would now, and carry nothing out."""

    customer: str
    product_id: ProductId
    amount: Amount
    group_values: Mapping[str, str]
    properties: Mapping[str, str] = field(default_factory=dict)


@value(frozen=True, slots=True, kw_only=True)
class ExplainHold:
    """Tell what a hold rests on."""

    customer: str
    hold_id: HoldId


@value(frozen=True, slots=True, kw_only=True)
class SetSpendCap:
    """Set the cap of one subject or (empty value) of every value of a key that has none.

    group_key: empty for a subject of the Ledger's own, which group_value names.
    """

    request_id: str
    fingerprint: bytes
    customer: str
    credit_type_id: CreditTypeId
    group_key: str
    group_value: str
    limit: Credits
    window: CapWindow
    hours: int = 0
    owner: CapOwner = CapOwner.VENDOR
    is_shadow: bool = False


@value(frozen=True, slots=True, kw_only=True)
class RemoveSpendCap:
    """Lift a cap. owner: the only one whose caps are found; None: any."""

    request_id: str
    fingerprint: bytes
    customer: str
    spend_cap_id: str
    owner: CapOwner | None = None


@value(frozen=True, slots=True, kw_only=True)
class SetTimeZone:
    """Set the time zone of a customer's calendar windows."""

    request_id: str
    fingerprint: bytes
    customer: str
    time_zone: str


@value(frozen=True, slots=True, kw_only=True)
class SetConcurrencyCap:
    """Set the cap on the open holds of a subject; an empty value of a group key: of every value that has no cap."""

    request_id: str
    fingerprint: bytes
    customer: str
    credit_type_id: CreditTypeId
    subject: GroupValue
    holds_max: int
    is_shadow: bool


@value(frozen=True, slots=True, kw_only=True)
class RemoveConcurrencyCap:
    """Lift a concurrency cap."""

    request_id: str
    fingerprint: bytes
    customer: str
    concurrency_cap_id: str


@value(frozen=True, slots=True, kw_only=True)
class SetShadowMode:
    """Switch shadow mode of a customer on or off, for one product or (EVERY_PRODUCT) for all."""

    request_id: str
    fingerprint: bytes
    customer: str
    product_id: ProductId
    is_on: bool


class RespondsWith(Protocol[Response_co]):
    """A command of the gate whose response has this type."""

    @property
    def customer(self) -> str: ...
    def response_type(self) -> type[Response_co]: ...


GateCommand = Authorize | Capture | Release | ExtendHold | Debit | AuthorizeLines | CaptureLines | DebitLines
