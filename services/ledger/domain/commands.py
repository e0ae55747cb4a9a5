# SPDX-License-Identifier: Apache-2.0
"""What callers ask of the gate and of operators' rpcs, checked and typed. `customer` is an id or an alias.

fingerprint: of the request's body as it came over the wire, to recognise a request_id with another body.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from meshkit.quantity import Credits
from services.ledger.domain.gate import Amount
from services.ledger.domain.grant import CreditTypeId, GrantKind, ProductId
from services.ledger.domain.hold import HoldId
from services.ledger.domain.spend_cap import CapWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorize:
    """Hold the credits of an amount for `hold_ttl`."""

    request_id: str
    fingerprint: bytes = b""
    customer: str
    product_id: ProductId
    amount: Amount
    group_values: Mapping[str, str]
    hold_ttl: timedelta
    allow_partial: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Turn a hold into spend; actual None: all that is held."""

    request_id: str
    fingerprint: bytes = b""
    customer: str
    hold_id: HoldId
    actual: Amount | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Give a hold back."""

    request_id: str
    fingerprint: bytes = b""
    customer: str
    hold_id: HoldId


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendHold:
    """Add to a hold (additional None: nothing), lengthen its life from now (None: not), or both."""

    request_id: str
    fingerprint: bytes = b""
    customer: str
    hold_id: HoldId
    additional: Amount | None
    hold_ttl: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Debit:
    """Spend an amount at once."""

    request_id: str
    fingerprint: bytes = b""
    customer: str
    product_id: ProductId
    amount: Amount
    group_values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueGrant:
    """Add a grant that no schedule issues. effective_time None: now; expire_time None: never."""

    request_id: str
    customer: str
    credit_type_id: CreditTypeId
    kind: GrantKind
    product_id: ProductId | None
    amount: Credits
    cost_basis_micros: int
    priority: int
    effective_time: datetime | None
    expire_time: datetime | None
    scope_product_ids: frozenset[ProductId]
    source_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSpendCap:
    """Set the cap of one group value, or (empty) of every value without a cap of its own."""

    request_id: str
    customer: str
    credit_type_id: CreditTypeId
    group_key: str
    group_value: str
    limit: Credits
    window: CapWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveSpendCap:
    """Lift a cap."""

    request_id: str
    customer: str
    spend_cap_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainAsk:
    """Decide an ask as Authorize would now, and carry nothing out."""

    customer: str
    product_id: ProductId
    amount: Amount
    group_values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainHold:
    """Tell what a hold rests on."""

    customer: str
    hold_id: HoldId


GateCommand = Authorize | Capture | Release | ExtendHold | Debit
