# SPDX-License-Identifier: Apache-2.0
"""Leases: credits reserved for many calls that the client decides itself. A lease is a hold whose id begins with lse_.

The hold lives GRACE longer than the client may spend the lease, so that the last uses are settled in time.
Source: services/ledger/README.md, "Leases".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from meshkit.errors import InvalidFields, MeshError
from meshkit.quantity import Credits, Ratio
from services.ledger.domain.credits.grant import CreditTypeId, ProductId
from services.ledger.domain.gate.decision import Amount, Captured, DenialReason
from services.ledger.domain.gate.hold import Hold, HoldId
from services.ledger.domain.gate.spend_cap import CapUse

LEASE_PREFIX: Final = "lse"
TTL_DEFAULT: Final = timedelta(seconds=30)
TTL_MIN: Final = timedelta(seconds=1)
TTL_MAX: Final = timedelta(minutes=10)
GRACE: Final = timedelta(seconds=10)
USES_MAX: Final = 1_000
# An older use is priced as one of this age.
USE_AGE_MAX: Final = timedelta(days=34)


def is_lease(hold_id: str) -> bool:
    """Whether the hold of this id is a lease."""
    return hold_id.startswith(f"{LEASE_PREFIX}_")


def spendable_until(lease: Hold) -> datetime:
    """Return when the client must stop to spend a lease."""
    return lease.expire_time - GRACE


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeLease:
    """Reserve up to `credits` for calls of a product over `ttl`. group_values: of all these calls."""

    request_id: str
    fingerprint: bytes
    customer: str
    product_id: ProductId
    credits: Credits
    group_values: Mapping[str, str]
    ttl: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseUse:
    """One call that a lease was used for. used_time: None: now."""

    request_id: str
    fingerprint: bytes
    amount: Amount
    group_values: Mapping[str, str]
    properties: Mapping[str, str]
    used_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """Reserve `credits` in all, what is left included, and let the lease live `ttl` from now."""

    credits: Credits
    ttl: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleLease:
    """Record uses, and renew the lease (None: not). A malformed use is there as its error."""

    request_id: str
    fingerprint: bytes
    customer: str
    lease_id: HoldId
    uses: tuple[LeaseUse | InvalidFields, ...]
    renewal: Renewal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndLease:
    """Record uses, and return what is left."""

    request_id: str
    fingerprint: bytes
    customer: str
    lease_id: HoldId
    uses: tuple[LeaseUse | InvalidFields, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasePrice:
    """What a call with these properties costs; None: the lease does not serve it."""

    properties: Mapping[str, str]
    price: Ratio | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerms:
    """What the client needs to decide calls itself: prices in the order in which they decide, group keys with caps."""

    prices: tuple[LeasePrice, ...] = ()
    capped_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """The response to TakeLease. expire_time: when the client must stop to spend it."""

    reason: DenialReason | None
    lease_id: HoldId | None = None
    leased: Credits = Credits(0)
    expire_time: datetime | None = None
    credit_type_id: CreditTypeId | None = None
    available: Credits = Credits(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseDenied(Leased):
    """The response to a denied TakeLease; it is not stored. reached_cap: the spend cap that denies it, if one does."""

    reached_cap: CapUse | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSettled:
    """The response to SettleLease, without what its uses came to: each of them has its own stored response.

    reason: why the renewal was denied. is_renewed: False if it was denied or not asked for. leased: what is reserved
    now; 0 if the lease has ended.
    """

    reason: DenialReason | None
    is_renewed: bool
    leased: Credits
    expire_time: datetime
    credit_type_id: CreditTypeId
    available: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseEnded:
    """The response to EndLease, without what its uses came to."""

    released: Credits
    credit_type_id: CreditTypeId
    available: Credits


# What a use came to, or why it was not recorded.
UseResult = Captured | MeshError
