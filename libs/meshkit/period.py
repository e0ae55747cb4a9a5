# SPDX-License-Identifier: Apache-2.0
"""Periods: half-open spans of time, counted from an anchor.

Every boundary is anchor + n months, never the previous boundary + 1 month. In a month without the anchor's day the
boundary is the month's last day; later months use the anchor's day again. Monthly from 31 Jan 2024: 29 Feb, 31 Mar,
30 Apr.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """[start, end): `end` is the first instant after the period. Raises ValueError for an empty period."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError(f"a period from {self.start.isoformat()} cannot end at {self.end.isoformat()}")

    def contains(self, at: datetime) -> bool:
        return self.start <= at < self.end

    def fraction_left(self, at: datetime) -> Fraction:
        """Return (end − at) / (end − start), exactly. Raises ValueError when `at` is outside [start, end]."""
        if self.start <= at <= self.end:
            return Fraction((self.end - at) // _MICROSECOND, (self.end - self.start) // _MICROSECOND)
        raise ValueError(f"{at.isoformat()} is outside the period from {self.start.isoformat()}")


def add_months(anchor: datetime, months: int) -> datetime:
    """Return the same day and time `months` later (or earlier), clamped to the last day of that month.

    Raises OverflowError outside the years 1 to 9999.
    """
    years, month_index = divmod(anchor.month - 1 + months, 12)
    year, month = anchor.year + years, month_index + 1
    if 1 <= year <= 9999:
        return anchor.replace(year=year, month=month, day=min(anchor.day, monthrange(year, month)[1]))
    raise OverflowError(f"{months} months from {anchor.isoformat()} is the year {year}")


def nth_period(anchor: datetime, months_each: int, index: int) -> Period:
    """Return period number `index`, counted from `anchor` in periods of `months_each` months (≥ 1); 0 is the first."""
    assert months_each >= 1
    return Period(add_months(anchor, index * months_each), add_months(anchor, (index + 1) * months_each))


def period_index(anchor: datetime, months_each: int, at: datetime) -> int:
    """Return the index of the period that contains `at`; negative before the anchor."""
    assert months_each >= 1
    months = (at.year - anchor.year) * 12 + at.month - anchor.month
    index = months // months_each
    # The next period starts in a later month than `at`. This one may start later in the same month.
    return index if add_months(anchor, index * months_each) <= at else index - 1


def period_at(anchor: datetime, months_each: int, at: datetime) -> Period:
    """Return the period that contains `at`."""
    return nth_period(anchor, months_each, period_index(anchor, months_each, at))


@dataclass(frozen=True, slots=True)
class Cadence:
    """How long each period is: a number of months, or a number of days. Exactly one of them is ≥ 1, the other 0."""

    months: int = 0
    days: int = 0

    def __post_init__(self) -> None:
        if min(self.months, self.days) != 0 or max(self.months, self.days) < 1:
            raise ValueError(f"periods cannot be of {self.months} months and {self.days} days")

    def times(self, count: int) -> "Cadence":
        """Return the cadence of periods that are `count` (≥ 1) of these long."""
        return Cadence(months=self.months * count, days=self.days * count)

    def nth_period(self, anchor: datetime, index: int) -> Period:
        """Return period number `index`, counted from `anchor`; 0 is the first. Raises OverflowError."""
        if self.months:
            return nth_period(anchor, self.months, index)
        length = timedelta(days=self.days)
        return Period(anchor + index * length, anchor + (index + 1) * length)

    def index_at(self, anchor: datetime, at: datetime) -> int:
        """Return the index of the period that contains `at`; negative before the anchor."""
        if self.months:
            return period_index(anchor, self.months, at)
        return (at - anchor) // timedelta(days=self.days)
