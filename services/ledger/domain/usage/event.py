# SPDX-License-Identifier: Apache-2.0
"""Usage events: reports, after the fact, that something was used; and what becomes of each.

Source: services/ledger/README.md, "Reported usage".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.grant import CreditTypeId, ProductId

# An event is accepted if its timestamp is at most so long ago, or so far ahead.
LATE_MAX = timedelta(days=34)
AHEAD_MAX = timedelta(hours=24)


class EventStatus(Enum):
    """What became of an event.

    ACCEPTED: measured and charged. NO_MATCH: no metric matched. NO_CONTRACT: no contract was in force at its timestamp.
    UNATTACHED: its customer is unknown; it waits under that name. These four are stored, and use up the transaction_id.
    REJECTED: it is not stored, and may be sent again, corrected, under its transaction_id.
    """

    ACCEPTED = "ACCEPTED"
    NO_MATCH = "NO_MATCH"
    NO_CONTRACT = "NO_CONTRACT"
    UNATTACHED = "UNATTACHED"
    REJECTED = "REJECTED"


class RejectionReason(Enum):
    """Why an event was rejected."""

    INVALID_FIELD = "INVALID_FIELD"
    TOO_OLD = "TOO_OLD"
    IN_FUTURE = "IN_FUTURE"
    PROPERTY_MISSING = "PROPERTY_MISSING"
    PROPERTY_NOT_A_NUMBER = "PROPERTY_NOT_A_NUMBER"
    QUANTITY_NEGATIVE = "QUANTITY_NEGATIVE"
    QUANTITY_TOO_LARGE = "QUANTITY_TOO_LARGE"
    RATE_NOT_FOUND = "RATE_NOT_FOUND"
    HOLD_NOT_FOUND = "HOLD_NOT_FOUND"
    HOLD_RELEASED = "HOLD_RELEASED"
    CUSTOMER_NOT_FOUND = "CUSTOMER_NOT_FOUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """What an event came to for one product. quantity: what it added to its meter. sequence: of its first entry."""

    product_id: ProductId
    credit_type_id: CreditTypeId
    quantity: Quantity
    credits: Credits
    shortfall: Credits
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventResult:
    """What became of an event. lines: one per product that it was charged for, by product_id.

    reason, field, detail: of a rejection. is_duplicate: the event was stored before, with this result. differs: it had
    another content then.
    """

    status: EventStatus
    lines: tuple[EventLine, ...] = ()
    reason: RejectionReason | None = None
    field: str = ""
    detail: str = ""
    is_duplicate: bool = False
    differs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEvent:
    """Store an event and charge for it. customer: an id or an alias. fingerprint: the hash of its content.

    hold_id: of the hold whose capture it is; None: of none.
    receive_time: when it came, if it waited for its customer; None: now. subject: who reported it then. rejection: of
    a malformed event.
    """

    transaction_id: str
    fingerprint: bytes
    customer: str
    event_type: str
    timestamp: datetime
    properties: Mapping[str, str]
    hold_id: str | None = None
    receive_time: datetime | None = None
    subject: str = ""
    rejection: EventResult | None = None

    def response_type(self) -> type[EventResult]:
        return EventResult


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """The result that was stored for an event with this content."""

    fingerprint: bytes
    result: EventResult


def rejected(reason: RejectionReason, *, field: str = "", detail: str) -> EventResult:
    """Return the result of an event that is not stored. detail: what is wrong and what to do."""
    return EventResult(status=EventStatus.REJECTED, reason=reason, field=field, detail=detail)


# To a caller who may not see all customers: what it reports cannot wait for a customer to become known.
CUSTOMER_NOT_FOUND = rejected(
    RejectionReason.CUSTOMER_NOT_FOUND,
    field="customer",
    detail="there is no such customer among those to which the token is restricted",
)


def duplicate_of(stored: StoredEvent, fingerprint: bytes) -> EventResult:
    """Return the result of an event whose transaction_id was stored before."""
    first = stored.result
    return EventResult(
        status=first.status,
        lines=first.lines,
        is_duplicate=True,
        differs=stored.fingerprint != fingerprint,
    )


def untimely(event: RecordEvent, *, at: datetime) -> EventResult | None:
    """Return the rejection of an event that comes too late or is dated too far ahead; None for a timely one."""
    if event.timestamp < at - LATE_MAX:
        return rejected(
            RejectionReason.TOO_OLD,
            field="timestamp",
            detail=f"is more than {LATE_MAX.days} days ago; such usage needs an adjustment by an operator",
        )
    if event.timestamp > at + AHEAD_MAX:
        return rejected(
            RejectionReason.IN_FUTURE,
            field="timestamp",
            detail="is more than 24 hours ahead; check the sender's clock",
        )
    return None
