# SPDX-License-Identifier: Apache-2.0
"""What can be asked about usage, and the answers: sums, top spenders, events, and where entries come from.

Source: services/ledger/README.md, "Reading usage".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import assert_never

from meshkit.period import Period, add_months, period_at
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.entry import Entry
from services.ledger.domain.credits.grant import CreditTypeId, ProductId
from services.ledger.domain.rating.rate import Rate
from services.ledger.domain.usage.event import EventResult, EventStatus


class UsageWindow(Enum):
    """What a span is divided into. SPAN: not divided. HOUR, DAY and MONTH are those of UTC."""

    SPAN = "SPAN"
    HOUR = "HOUR"
    DAY = "DAY"
    MONTH = "MONTH"
    USAGE_PERIOD = "USAGE_PERIOD"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuestion:
    """Which usage to add up, and by what. customer None: all; other filters None: all. dimension_key "": by none.

    group_key "": all usage together.
    """

    customer: str | None
    span: Period
    window: UsageWindow
    product_id: ProductId | None = None
    group_key: str = ""
    group_value: str | None = None
    dimension_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSum:
    """What was used in one window. credits: the whole cost; shortfall: the part of it that no grant covered.

    start: of the row in the order of the list: the first instant of the window, or of the span.
    """

    customer_id: str
    group_value: str
    start: datetime
    window: Period
    product_id: str
    credit_type_id: str
    dimension_value: str
    quantity: Quantity
    credits: Credits
    shortfall: Credits
    uses: int


@dataclass(frozen=True, slots=True)
class UsageSums:
    """A page of sums. is_complete: whether all usage of these customers is added up."""

    sums: Sequence[UsageSum]
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Spender:
    """What one group value spent in a usage period."""

    group_value: str
    credits: Credits
    shortfall: Credits
    uses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpenderQuestion:
    """Who spent most? period_time: an instant in the usage period; None: now."""

    customer: str
    credit_type_id: CreditTypeId
    group_key: str
    period_time: datetime | None
    product_id: ProductId | None
    spenders_max: int


@dataclass(frozen=True, slots=True)
class TopSpenders:
    """The largest first. period: None if the customer has had no contract."""

    spenders: Sequence[Spender]
    period: Period | None
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events to list; None: no condition. start, end: of the timestamp, half-open."""

    start: datetime | None = None
    end: datetime | None = None
    status: EventStatus | None = None
    product_id: ProductId | None = None
    transaction_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedEvent:
    """An event as it was reported, with its customer's id."""

    transaction_id: str
    customer_id: str
    event_type: str
    timestamp: datetime
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCorrection:
    """A correction of an event. event: what it reports since; None: it was voided. actor: as the caller stated."""

    event: ReportedEvent | None
    reason: str
    actor: str
    create_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """A stored event: its result when it was recorded, the entries written for it, by credit type, and its corrections.

    corrections: the latest first.
    """

    event: ReportedEvent
    receive_time: datetime
    result: EventResult
    entries: Sequence[tuple[CreditTypeId, Entry]] = ()
    corrections: Sequence[EventCorrection] = ()


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events of a page, and the keys after which the next one starts; None at the end."""

    events: Sequence[EventRecord]
    next_after: tuple[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterPosition:
    """A meter before and after a use. period: its usage period."""

    root_rate_id: str
    period: Period
    quantity_before: Quantity
    quantity_after: Quantity
    cost_before: Credits
    cost_after: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryOrigin:
    """Where an entry comes from. quantity, credits: of the whole use, of which the entry may be a part.

    rate: the one that costs the meter. Without usage there is the entry only.
    """

    entry: Entry
    event: ReportedEvent | None = None
    quantity: Quantity = Quantity(0)
    credits: Credits = Credits(0)
    meter: MeterPosition | None = None
    rate: Rate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantUse:
    """Usage that a grant paid for: the entry, and the event that reported it; None for gated usage."""

    credit_type_id: CreditTypeId
    entry: Entry
    event: ReportedEvent | None


def window_at(start: datetime, window: UsageWindow, *, span: Period, anchor: datetime | None) -> Period:
    """Return the window that begins at `start`, cut to the span; a usage period is not cut.

    anchor: of the customer's usage periods; needed for these only.
    """
    match window:
        case UsageWindow.SPAN:
            return span
        case UsageWindow.HOUR:
            end = start + timedelta(hours=1)
        case UsageWindow.DAY:
            end = start + timedelta(days=1)
        case UsageWindow.MONTH:
            end = add_months(start, 1)
        case UsageWindow.USAGE_PERIOD:
            assert anchor is not None
            return period_at(anchor, 1, start)
        case _:
            assert_never(window)
    return Period(max(start, span.start), min(end, span.end))
