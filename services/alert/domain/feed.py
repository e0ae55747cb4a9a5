# SPDX-License-Identifier: Apache-2.0
"""The feed: all events in one order, for those who ask instead of receiving webhooks.

An event gets its position when a reader first sees it committed. So nothing ever appears behind a position that was
given out, whatever order transactions commit in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from services.alert.domain.errors import EventCursorExpired, EventCursorUnknown
from services.alert.domain.event import Event

EVENTS_KEPT = timedelta(days=90)


class FeedEnd(Enum):
    """Where a reader begins that names no place."""

    OLDEST = "OLDEST"
    NEWEST = "NEWEST"


# A position, whose event the reader knows; an instant, in wall time; or an end.
Start = int | datetime | FeedEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """The newest position, and the newest of those whose events are not listed any more (0: none)."""

    last_position: int
    forgotten_position: int

    def check(self, position: int) -> None:
        """Raise EventCursorExpired or EventCursorUnknown unless everything after a position can be listed."""
        if position < self.forgotten_position:
            raise EventCursorExpired
        if position > self.last_position:
            raise EventCursorUnknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An event of the feed."""

    position: int
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPage:
    """Events in order. position: up to it, nothing else fits the query. has_more: the feed goes on."""

    events: Sequence[Placed]
    position: int
    has_more: bool


def check_start_time(at: datetime, *, now: datetime) -> None:
    """Raise EventCursorExpired if events since an instant are not all kept."""
    if at < now - EVENTS_KEPT:
        raise EventCursorExpired
