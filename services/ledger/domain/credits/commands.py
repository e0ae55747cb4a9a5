# SPDX-License-Identifier: Apache-2.0
"""Checked and typed commands on a customer's credits. `customer` is an id or an alias."""

from dataclasses import dataclass
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import CreditTypeId, Grant, GrantId, GrantKind, ProductId


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueGrant:
    """Add a grant that no schedule issues. effective_time None: now; expire_time None: never.

    currency_code: of the cost basis; empty if that is not known.
    """

    request_id: str
    fingerprint: bytes
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
    currency_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidGrant:
    """Void what is left of a grant. actor: who asks for it, as the caller states."""

    request_id: str
    fingerprint: bytes
    customer: str
    grant_id: GrantId
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustBalance:
    """Add credits to a pool, or (negative) take some away. expire_time: of added credits; None: never."""

    request_id: str
    fingerprint: bytes
    customer: str
    credit_type_id: CreditTypeId
    amount: Credits
    expire_time: datetime | None
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustedBalance:
    """The response to AdjustBalance. grant_id: of the credits that were added; None if some were taken."""

    adjusted: Credits
    grant_id: GrantId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidedGrant:
    """The response to VoidGrant. voided: by this request."""

    credit_type_id: CreditTypeId
    grant: Grant
    voided: Credits
