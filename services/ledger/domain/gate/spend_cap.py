# SPDX-License-Identifier: Apache-2.0
"""Spend caps: the most that one group value, such as one user_id, may spend per window. Checked before the call."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache

from meshkit.evolve import evolve
from meshkit.period import Period, period_at
from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.domain.totals import countable

_SPENT = "what a group value spends in one window"

GroupValue = tuple[str, str]  # group key, value: ("user_id", "user_1234")


class CapWindow(Enum):
    """The window over which a cap counts before it restarts at 0."""

    BILLING_PERIOD = "BILLING_PERIOD"
    DAY = "DAY"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendCap:
    """`limit` per window for one value of `group_key`; an empty group_value: for each value that has no own cap."""

    spend_cap_id: str
    credit_type_id: CreditTypeId
    group_key: str
    group_value: str
    limit: Credits
    window: CapWindow
    create_time: datetime


@dataclass(frozen=True, slots=True)
class SpendCapRemoval:
    """The response to RemoveSpendCap."""

    spend_cap_id: str


@dataclass(frozen=True, slots=True)
class CustomerSpendCap:
    """A cap, and the customer it belongs to."""

    customer_id: CustomerId
    cap: SpendCap


@dataclass(frozen=True, slots=True)
class WindowSpend:
    """What was spent in the latest window in which something was spent, and ahead of it: in the window that follows.

    Events may be dated up to 24 hours ahead, so in the next window at most.
    """

    start: datetime
    spent: Credits
    ahead: Credits = Credits(0)


@dataclass(frozen=True, kw_only=True)  # no slots: evolve
class Spend:
    """What one group value holds now, and what it has spent in the latest window of each kind in which it spent."""

    held: Credits = Credits(0)
    period: WindowSpend | None = None
    day: WindowSpend | None = None

    def spent_in(self, window: CapWindow, start: datetime, *, anchor: datetime) -> Credits:
        """Return what was spent in the window that starts at `start`; 0 if the last spend was before it.

        If the last spend was in a later window, that window's amount counts. Otherwise a request that was overtaken at
        midnight would reset it.
        """
        last = self.last(window)
        if last is None:
            return Credits(0)
        if start <= last.start:
            return last.spent
        return last.ahead if _end(window, last.start, anchor) == start else Credits(0)

    def last(self, window: CapWindow) -> WindowSpend | None:
        match window:
            case CapWindow.BILLING_PERIOD:
                return self.period
            case CapWindow.DAY:
                return self.day


@lru_cache(maxsize=1_024)  # a batch computes it many times for one instant
def window_at(window: CapWindow, *, anchor: datetime, at: datetime) -> Period:
    """Return the window that contains `at`. Usage periods are months from `anchor`; days are UTC."""
    match window:
        case CapWindow.BILLING_PERIOD:
            return period_at(anchor, 1, at)
        case CapWindow.DAY:
            midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
            return Period(midnight, midnight + timedelta(days=1))


def hold_more(spend: Spend, amount: Credits) -> Spend:
    """Count `amount` (negative: less) as held. Raises TotalTooLarge."""
    held = countable(spend.held + amount, "what a group value holds")
    assert held >= Credits(0)
    return evolve(spend, held=held)


def spend_more(
    spend: Spend, amount: Credits, *, anchor: datetime, at: datetime, used_time: datetime | None = None
) -> Spend:
    """Count `amount` as spent at `at`, in the usage period and in the day.

    used_time: the time of usage that is reported at `at`. In a window that is over it limits nothing any more.
    Raises TotalTooLarge.
    """
    period, day = (
        _counted(spend.last(window), amount, window, anchor=anchor, at=at, used_time=used_time or at)
        for window in (CapWindow.BILLING_PERIOD, CapWindow.DAY)
    )
    return evolve(spend, period=period, day=day)


def spend_less(
    spend: Spend, amount: Credits, *, anchor: datetime, at: datetime, used_time: datetime
) -> Spend:
    """Count `amount` of usage of `used_time` as not spent. It never makes a window negative."""
    less = spend_more(spend, -amount, anchor=anchor, at=at, used_time=used_time)
    return evolve(less, period=_not_negative(less.period), day=_not_negative(less.day))


def _not_negative(last: WindowSpend | None) -> WindowSpend | None:
    if last is None:
        return None
    return WindowSpend(last.start, max(Credits(0), last.spent), max(Credits(0), last.ahead))


def _counted(
    last: WindowSpend | None,
    amount: Credits,
    window: CapWindow,
    *,
    anchor: datetime,
    at: datetime,
    used_time: datetime,
) -> WindowSpend:
    now = window_at(window, anchor=anchor, at=at).start
    if last is None:
        last = WindowSpend(now, Credits(0))
    elif now > last.start:
        follows = _end(window, last.start, anchor) == now
        last = WindowSpend(now, last.ahead if follows else Credits(0))
    used = window_at(window, anchor=anchor, at=used_time).start
    if used == last.start:
        return WindowSpend(last.start, countable(last.spent + amount, _SPENT), last.ahead)
    if used > last.start:
        return WindowSpend(last.start, last.spent, countable(last.ahead + amount, _SPENT))
    return last


def _end(window: CapWindow, start: datetime, anchor: datetime) -> datetime:
    return window_at(window, anchor=anchor, at=start).end


@dataclass(frozen=True, slots=True)
class CapUse:
    """A cap that applies to a group value. used: what is spent in the window, and held."""

    cap: SpendCap
    group_value: str
    used: Credits
    window: Period

    @property
    def headroom(self) -> Credits:
        return max(Credits(0), self.cap.limit - self.used)


def tightest(uses: Iterable[CapUse]) -> CapUse | None:
    """Return the cap that allows least; None without caps."""
    return min(uses, key=lambda use: use.headroom, default=None)


def cap_uses(
    caps: Iterable[SpendCap],
    group_values: Mapping[str, str],
    spends: Mapping[GroupValue, Spend],
    *,
    anchor: datetime,
    at: datetime,
) -> tuple[CapUse, ...]:
    """Return the caps that apply to `group_values`: per key, the cap on the value, else the cap for every value."""
    applying: dict[str, SpendCap] = {}
    for cap in caps:
        value = group_values.get(cap.group_key)
        if value is not None and (
            cap.group_value == value or (not cap.group_value and cap.group_key not in applying)
        ):
            applying[cap.group_key] = cap
    uses = []
    for key, cap in sorted(applying.items()):
        spend = spends.get((key, group_values[key]), Spend())
        window = window_at(cap.window, anchor=anchor, at=at)
        used = spend.held + spend.spent_in(cap.window, window.start, anchor=anchor)
        uses.append(CapUse(cap, group_values[key], used, window))
    return tuple(uses)
