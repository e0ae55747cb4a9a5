# SPDX-License-Identifier: Apache-2.0
"""Repairs of local copies whose version or sequence blocks what their owner sends.

Source: services/ledger/README.md, "Repairing a copy".
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from services.ledger.domain.credits.grant import CustomerId

# The lowest version. Whoever owns a thing sends it again under the next of its own versions, which is higher.
VERSION_AFTER_REPAIR: Final = 1


class CopyKind(Enum):
    """What is copied."""

    CUSTOMER = "CUSTOMER"
    PRODUCT = "PRODUCT"
    RATE_CARD = "RATE_CARD"
    CONTRACT = "CONTRACT"
    WATCH = "WATCH"
    SEAT_CHANGE = "SEAT_CHANGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairCopy:
    """Set back the version of a copy, or remove a seat change.

    customer_id: of a contract or seat change; subscription_id: of a seat change.
    """

    request_id: str
    fingerprint: bytes
    kind: CopyKind
    copy_id: str
    customer_id: CustomerId | None
    subscription_id: str | None
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairedCopy:
    """number_before: the version or, of a seat change, the sequence that was stored."""

    number_before: int
