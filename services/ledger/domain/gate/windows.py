# SPDX-License-Identifier: Apache-2.0
"""The windows of caps, and what is counted in those that are counted only where a cap or a watch needs them.

Usage period and UTC day are counted of every group value (spend_cap.py). All other windows are counted in steps, each
with what was spent in it: of a calendar window a step is the whole window, of a rolling window a sixtieth of it.
Source: services/ledger/README.md, "Spend caps".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from meshkit.period import Period, period_at
from meshkit.quantity import Credits
from services.ledger.domain.totals import countable

SPENT = "what is spent in one window"
ROLLING_HOURS_MAX = 168
ZONE_DEFAULT = "UTC"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Usage may be reported this long ahead of its time.
_AHEAD_MAX = timedelta(hours=24)


class CapWindow(Enum):
    """The window over which a cap counts."""

    BILLING_PERIOD = "BILLING_PERIOD"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    ROLLING = "ROLLING"


@lru_cache(maxsize=1_024)  # a batch computes it many times for one instant
def window_at(window: CapWindow, *, anchor: datetime, at: datetime) -> Period:
    """Return the usage period or the UTC day that contains `at`. Usage periods are months from `anchor`."""
    if window is CapWindow.BILLING_PERIOD:
        return period_at(anchor, 1, at)
    assert window is CapWindow.DAY
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return Period(midnight, midnight + timedelta(days=1))


@dataclass(frozen=True, slots=True, order=True)
class SteppedWindow:
    """A calendar window in a time zone, or a rolling one of some hours, which is the same in every zone."""

    kind: str
    zone: str = ""
    hours: int = 0


def stepped(window: CapWindow, hours: int, zone: str) -> SteppedWindow | None:
    """Return the window to count in steps; None if it is counted anyway. hours: of a ROLLING window."""
    if window is CapWindow.ROLLING:
        assert 1 <= hours <= ROLLING_HOURS_MAX
        return SteppedWindow(window.value, hours=hours)
    if window is CapWindow.BILLING_PERIOD or (window is CapWindow.DAY and zone == ZONE_DEFAULT):
        return None
    return SteppedWindow(window.value, zone=zone)


def is_zone(name: str) -> bool:
    """Whether a name is that of an IANA time zone."""
    return name in _zones()


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def window_end(window: CapWindow, *, zone: str, anchor: datetime, at: datetime) -> datetime:
    """Return when the window of `at` ends, which does not roll. zone: the customer's."""
    counted = stepped(window, 0, zone)
    return window_at(window, anchor=anchor, at=at).end if counted is None else _calendar(counted, at).end


@dataclass(frozen=True, slots=True)
class Tally:
    """What was spent in the steps of a window, by their starts. What was spent before `since` is forgotten."""

    since: datetime
    steps: Mapping[datetime, Credits]


def counts_at(window: SteppedWindow, tally: Tally | None, at: datetime) -> Period:
    """Return what the window covers at `at`: from its first step on, as long as nothing leaves it.

    A window never goes back: that of a request that was overtaken at its start is the newer one. A rolling window ends
    when the oldest spend leaves it; if there is none, when one of now would.
    """
    start = _first(window, at)
    if tally is not None and tally.since > start:
        start = tally.since
    if not window.hours:
        return Period(start, _end(window, start))
    counted = (
        () if tally is None else [step for step, spent in tally.steps.items() if spent and step >= start]
    )
    oldest = min(counted, default=step_at(window, at))
    return Period(start, oldest + _length(window) + timedelta(hours=window.hours))


def spent_in(window: SteppedWindow, tally: Tally | None, at: datetime) -> Credits:
    """Return what was spent in the window at `at`. A rolling one includes all that is reported ahead of its time."""
    if tally is None:
        return Credits(0)
    start = max(_first(window, at), tally.since)
    if not window.hours:
        return tally.steps.get(start, Credits(0))
    return Credits(sum([spent.micros for step, spent in tally.steps.items() if step >= start]))


def count(
    window: SteppedWindow, tally: Tally | None, amount: Credits, *, at: datetime, used_time: datetime
) -> Tally:
    """Count `amount` (negative: less) of usage of `used_time` at `at`. A step is never negative.

    In a window that is over it limits nothing any more. Raises TotalTooLarge.
    """
    since = _first(window, at)
    kept: dict[datetime, Credits] = {}
    if tally is not None:
        since = max(since, tally.since)
        kept = {step: spent for step, spent in tally.steps.items() if step >= since}
    used = step_at(window, used_time)
    if used >= since and amount:
        after = countable(kept.get(used, Credits(0)) + amount, SPENT)
        kept[used] = max(Credits(0), after)
    return Tally(since, kept)


def steps_from(window: SteppedWindow, at: datetime) -> list[datetime]:
    """Return the starts of all steps in which something may be counted at `at`, in order."""
    starts = [_first(window, at)]
    while starts[-1] < at + _AHEAD_MAX:  # at most 1,502: a window of one hour moves in minutes
        starts.append(_end(window, starts[-1]))
    return starts


def step_at(window: SteppedWindow, at: datetime) -> datetime:
    """Return the start of the step that contains `at`."""
    if not window.hours:
        return _calendar(window, at).start
    return at - (at - _EPOCH) % _length(window)


def _first(window: SteppedWindow, at: datetime) -> datetime:
    """Return the start of the first step that counts at `at`."""
    return step_at(window, at - timedelta(hours=window.hours))


def _end(window: SteppedWindow, start: datetime) -> datetime:
    return start + _length(window) if window.hours else _calendar(window, start).end


def _length(window: SteppedWindow) -> timedelta:
    """Return the length of a step of a rolling window."""
    return timedelta(minutes=window.hours)


@lru_cache(maxsize=1_024)
def _calendar(window: SteppedWindow, at: datetime) -> Period:
    """Return the calendar window that contains `at`. A day has 23 or 25 hours when the clocks change."""
    zone = ZoneInfo(window.zone)
    today = at.astimezone(zone).date()
    if window.kind == CapWindow.MONTH.value:
        first = today.replace(day=1)
        following = (first + timedelta(days=31)).replace(day=1)
    elif window.kind == CapWindow.WEEK.value:
        first = today - timedelta(days=today.weekday())
        following = first + timedelta(days=7)
    else:
        first = today
        following = today + timedelta(days=1)
    return Period(_midnight(first, zone), _midnight(following, zone))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a day. Where the clocks skip midnight, that is when they do."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
