# SPDX-License-Identifier: Apache-2.0
"""Entries: the immutable signed lines of a pool's history. Balances are sums of entries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import GrantId, ProductId


class EntryKind(Enum):
    """What an entry records."""

    GRANT = "GRANT"
    SEAT_ADJUSTMENT = "SEAT_ADJUSTMENT"
    CAPTURE = "CAPTURE"
    EXPIRY = "EXPIRY"
    VOID = "VOID"
    SHORTFALL = "SHORTFALL"


@dataclass(frozen=True, slots=True)
class Usage:
    """What spent the credits of an entry."""

    product_id: ProductId
    group_values: Mapping[str, str]
    hold_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line. `amount` is signed and changes `grant_id`; a SHORTFALL has `shortfall` instead and changes no grant.

    sequence: position in the pool's history, from 1 without gaps. cause_id: the request, schedule or grant behind it.
    """

    sequence: int
    kind: EntryKind
    grant_id: GrantId | None
    amount: Credits
    shortfall: Credits
    effective_time: datetime
    create_time: datetime
    cause_id: str
    usage: Usage | None = None
