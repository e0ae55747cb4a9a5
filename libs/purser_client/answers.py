# SPDX-License-Identifier: Apache-2.0
"""What the gate answers: values, never messages of the wire."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from meshkit.quantity import Credits, Quantity


class DenialReason(StrEnum):
    """Why the gate denied, as in purser.ledger.v1.DenialReason."""

    CUSTOMER_SUSPENDED = "CUSTOMER_SUSPENDED"
    NOT_ENTITLED = "NOT_ENTITLED"
    SEAT_NOT_ASSIGNED = "SEAT_NOT_ASSIGNED"
    SPEND_CAP_REACHED = "SPEND_CAP_REACHED"
    INSUFFICIENT_CREDITS = "INSUFFICIENT_CREDITS"
    UNKNOWN = "UNKNOWN"  # said by a Ledger newer than this client


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A "no": do not make the AI call. Nothing is held, and asking again decides again.

    affordable, affordable_credits: what would be allowed now, by credits and caps.
    """

    reason: DenialReason
    available: Credits
    affordable: Quantity
    affordable_credits: Credits
    credit_type_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the Ledger holds for the call. quantity: zero when credits were asked for."""

    hold_id: str
    credits: Credits
    quantity: Quantity
    credit_type_id: str
    available: Credits
    expire_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What became of a hold. shortfall: used, but covered by nothing. is_late: the hold had expired before."""

    captured: Credits
    released: Credits
    shortfall: Credits
    is_late: bool
    credit_type_id: str
    available: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class Debited:
    """Spent at once. Failed open: recorded to be billed later, and nobody knows yet what it comes to (None)."""

    request_id: str
    debited: Credits | None
    available: Credits | None
    credit_type_id: str
    is_failed_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantBalance:
    """One grant; granted = captured + held + expired + voided + available."""

    grant_id: str
    kind: str
    product_id: str
    priority: int
    granted: Credits
    captured: Credits
    held: Credits
    available: Credits
    effective_time: datetime
    expire_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolBalance:
    """All a customer has of one credit type; grants in the order in which they are drawn."""

    credit_type_id: str
    available: Credits
    held: Credits
    shortfall: Credits
    grants: tuple[GrantBalance, ...]
    next_expire_time: datetime | None
    next_expiring: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What a customer has at `as_of_time`, by credit type; a customer without grants has no pools."""

    pools: tuple[PoolBalance, ...]
    as_of_time: datetime

    def available(self, credit_type_id: str) -> Credits:
        """Return what can be authorized of one credit type now: zero when there is no such pool."""
        found = (pool.available for pool in self.pools if pool.credit_type_id == credit_type_id)
        return next(found, Credits.zero())
