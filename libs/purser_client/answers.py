# SPDX-License-Identifier: Apache-2.0
"""The results that the gate returns: plain values, not protobuf messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from meshkit.quantity import Credits, Quantity


class DenialReason(StrEnum):
    """Why the gate denied, as in purser.ledger.v1.DenialReason."""

    CUSTOMER_SUSPENDED = "CUSTOMER_SUSPENDED"
    NOT_ENTITLED = "NOT_ENTITLED"
    SEAT_NOT_ASSIGNED = "SEAT_NOT_ASSIGNED"
    TOO_MANY_IN_FLIGHT = "TOO_MANY_IN_FLIGHT"
    SPEND_CAP_REACHED = "SPEND_CAP_REACHED"
    INSUFFICIENT_CREDITS = "INSUFFICIENT_CREDITS"
    UNKNOWN = "UNKNOWN"  # a reason that is newer than this client


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachedCap:
    """The spend cap that denied a call. used: what is spent in its window, and held.

    It caps a group value, a product, a group or (all empty) the whole customer. owner: "VENDOR" or "CUSTOMER".
    reset_time: when it counts from 0 again; of a rolling window, when the oldest spend leaves it.
    """

    spend_cap_id: str
    group_key: str
    group_value: str
    limit: Credits
    used: Credits
    reset_time: datetime
    product: str = ""
    cap_group_id: str = ""
    owner: str = "VENDOR"


@dataclass(frozen=True, slots=True, kw_only=True)
class FullCap:
    """The concurrency cap that denied a call: as many holds are open as it allows.

    group_key, group_value, product: what it limits; all empty for the whole customer. free_time: when one more is
    allowed at the latest, because holds expire; None: not by expiry.
    """

    concurrency_cap_id: str
    group_key: str
    group_value: str
    product: str
    holds_max: int
    open_holds: int
    free_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """The Ledger denied the AI call: do not make it. Nothing is held; a repeated request is decided again.

    affordable, affordable_credits: what credits and caps would allow now. reached_cap: set for SPEND_CAP_REACHED.
    full_cap: set for TOO_MANY_IN_FLIGHT.
    """

    reason: DenialReason
    available: Credits
    affordable: Quantity
    affordable_credits: Credits
    credit_type_id: str
    reached_cap: ReachedCap | None = None
    full_cap: FullCap | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowDenial:
    """Why the Ledger would have denied a call that only shadow mode has allowed.

    spend_cap_id, concurrency_cap_id: the cap that would have denied it, if one would. missing: what nothing covers.
    """

    reason: DenialReason
    spend_cap_id: str
    concurrency_cap_id: str
    missing: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class LineResult:
    """What one line came to. credits: what is held, captured or debited for it. shortfall: used, but not covered."""

    product: str
    dimension_values: Mapping[str, str]
    quantity: Quantity
    credits: Credits
    shortfall: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHold:
    """What the Ledger holds for the call. quantity: zero when credits or lines were requested.

    shadow_denial: set if only shadow mode has allowed the call, or its latest extension.
    """

    hold_id: str
    credits: Credits
    quantity: Quantity
    credit_type_id: str
    available: Credits
    expire_time: datetime
    lines: tuple[LineResult, ...] = ()
    shadow_denial: ShadowDenial | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureResult:
    """The result of a capture. shortfall: usage that no credits covered. is_late: the hold had expired before."""

    captured: Credits
    released: Credits
    shortfall: Credits
    is_late: bool
    credit_type_id: str
    available: Credits
    lines: tuple[LineResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DebitResult:
    """The result of a debit. When the gate failed open, it is billed later and its amounts are not known yet (None).

    shadow_denial: set if only shadow mode has allowed it. is_leased: decided in this process, from a lease; it is
    reported within a second, `debited` is rounded up to a millionth, and `available` is what the Ledger said last.
    """

    request_id: str
    debited: Credits | None
    available: Credits | None
    credit_type_id: str
    is_failed_open: bool = False
    is_leased: bool = False
    lines: tuple[LineResult, ...] = ()
    shadow_denial: ShadowDenial | None = None


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
    """A customer's balance of one credit type; grants in the order in which they are drawn."""

    credit_type_id: str
    available: Credits
    held: Credits
    shortfall: Credits
    grants: tuple[GrantBalance, ...]
    next_expire_time: datetime | None
    next_expiring: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """A customer's balance at `as_of_time`, by credit type. A customer without grants has no pools."""

    pools: tuple[PoolBalance, ...]
    as_of_time: datetime

    def available(self, credit_type_id: str) -> Credits:
        """Return the credits of one type that can be authorized now; zero when there is no such pool."""
        available = (pool.available for pool in self.pools if pool.credit_type_id == credit_type_id)
        return next(available, Credits.zero())
