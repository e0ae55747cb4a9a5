# SPDX-License-Identifier: Apache-2.0
"""Spend caps: the most that one group value, such as one user_id, may spend per window. Checked before the call."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Protocol

from meshkit.evolve import evolve
from meshkit.period import Period
from meshkit.quantity import Credits
from meshkit.values import value
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.domain.gate import windows as stepped_windows
from services.ledger.domain.gate.windows import (
    SPENT,
    CapWindow,
    SteppedWindow,
    Tally,
    stepped,
    window_at,
)
from services.ledger.domain.totals import countable

GroupValue = tuple[str, str]  # group key, value: ("user_id", "user_1234")
# Of subjects of the Ledger's own (subjects.py) and of totals of overage. A metric's group keys are never empty.
OWN_KEY = ""


class CapOwner(Enum):
    """Who has set a cap."""

    VENDOR = "VENDOR"
    CUSTOMER = "CUSTOMER"


@value(frozen=True, slots=True, kw_only=True)
class SpendCap:
    """`limit` per window for one value of `group_key`, or for a subject of the Ledger's own (subjects.py).

    An empty group_value: for each value that has no cap of its own of this owner and window. hours: of a ROLLING
    window; 0 of others. A cap is identified by owner, subject and window.
    """

    spend_cap_id: str
    credit_type_id: CreditTypeId
    group_key: str
    group_value: str
    limit: Credits
    window: CapWindow
    create_time: datetime
    owner: CapOwner = CapOwner.VENDOR
    hours: int = 0
    is_shadow: bool = False


@value(frozen=True, slots=True)
class SpendCapRemoval:
    """The response to RemoveSpendCap."""

    spend_cap_id: str


@value(frozen=True, slots=True)
class CustomerTimeZone:
    """The response to SetTimeZone."""

    customer_id: CustomerId
    time_zone: str


@value(frozen=True, slots=True)
class CustomerSpendCap:
    """A cap, and the customer it belongs to."""

    customer_id: CustomerId
    cap: SpendCap


@value(frozen=True, slots=True)
class WindowSpend:
    """What was spent in the latest window in which something was spent, and ahead of it: in the window that follows.

    Events may be dated up to 24 hours ahead, so in the next window at most.
    """

    start: datetime
    spent: Credits
    ahead: Credits = Credits(0)


@value(frozen=True, kw_only=True)  # no slots: evolve
class Spend:
    """What one group value holds now, and what it has spent in the latest window of each kind in which it spent.

    windows: of the windows that only a cap or a watch needs; None: nothing was spent in any of them.
    """

    held: Credits = Credits(0)
    period: WindowSpend | None = None
    day: WindowSpend | None = None
    windows: Mapping[SteppedWindow, Tally] | None = None

    def tally(self, window: SteppedWindow) -> Tally | None:
        return None if self.windows is None else self.windows.get(window)

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
        if window is CapWindow.BILLING_PERIOD:
            return self.period
        assert window is CapWindow.DAY
        return self.day


def hold_more(spend: Spend, amount: Credits) -> Spend:
    """Count `amount` (negative: less) as held. Raises TotalTooLarge."""
    held = countable(spend.held + amount, "what a group value holds")
    assert held >= Credits(0)
    return evolve(spend, held=held)


def spend_more(
    spend: Spend,
    amount: Credits,
    *,
    anchor: datetime,
    at: datetime,
    used_time: datetime | None = None,
    windows: Collection[SteppedWindow] = (),
) -> Spend:
    """Count `amount` as spent at `at`, in the usage period, in the day and in `windows`.

    used_time: the time of usage that is reported at `at`. In a window that is over it limits nothing any more.
    Raises TotalTooLarge.
    """
    period, day = (
        _counted(spend.last(window), amount, window, anchor=anchor, at=at, used_time=used_time or at)
        for window in (CapWindow.BILLING_PERIOD, CapWindow.DAY)
    )
    if not windows:
        return evolve(spend, period=period, day=day, windows=None)
    tallies = {
        window: stepped_windows.count(window, spend.tally(window), amount, at=at, used_time=used_time or at)
        for window in windows
    }
    return evolve(spend, period=period, day=day, windows=tallies)


def spend_less(
    spend: Spend,
    amount: Credits,
    *,
    anchor: datetime,
    at: datetime,
    used_time: datetime,
    windows: Collection[SteppedWindow] = (),
) -> Spend:
    """Count `amount` of usage of `used_time` as not spent. It never makes a window negative."""
    less = spend_more(spend, -amount, anchor=anchor, at=at, used_time=used_time, windows=windows)
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
        return WindowSpend(last.start, countable(last.spent + amount, SPENT), last.ahead)
    if used > last.start:
        return WindowSpend(last.start, last.spent, countable(last.ahead + amount, SPENT))
    return last


def _end(window: CapWindow, start: datetime, anchor: datetime) -> datetime:
    return window_at(window, anchor=anchor, at=start).end


def latest_start(spend: Spend, window: CapWindow, *, zone: str) -> datetime | None:
    """Return the start of the latest window in which something was spent. zone: the customer's."""
    counted = stepped(window, 0, zone)
    last = spend.last(window) if counted is None else None
    if last is not None:
        return last.start
    tally = None if counted is None else spend.tally(counted)
    return None if tally is None else tally.since


def used_in(
    spend: Spend, window: CapWindow, hours: int, *, zone: str, anchor: datetime, at: datetime
) -> tuple[Credits, Period]:
    """Return what was spent in a window at `at`, and what the window covers. zone: the customer's."""
    counted = stepped(window, hours, zone)
    if counted is None:
        period = window_at(window, anchor=anchor, at=at)
        return spend.spent_in(window, period.start, anchor=anchor), period
    tally = spend.tally(counted)
    return stepped_windows.spent_in(counted, tally, at), stepped_windows.counts_at(counted, tally, at)


@value(frozen=True, slots=True)
class CapUse:
    """A cap that applies to a call, and the value that it limits. used: what is spent in the window, and held."""

    cap: SpendCap
    group_value: str
    used: Credits
    window: Period

    @property
    def subject(self) -> GroupValue:
        return self.cap.group_key, self.group_value

    @property
    def headroom(self) -> Credits:
        return max(Credits(0), self.cap.limit - self.used)


def tightest(uses: Iterable[CapUse]) -> CapUse | None:
    """Return the cap that allows least; None without caps."""
    return min(uses, key=lambda use: use.headroom, default=None)


class Need(Protocol):
    """What must be counted because a cap limits it or a watch observes it: what a subject spends in a window."""

    @property
    def credit_type_id(self) -> CreditTypeId: ...

    @property
    def group_key(self) -> str: ...

    @property
    def group_value(self) -> str: ...

    @property
    def window(self) -> CapWindow: ...

    @property
    def hours(self) -> int: ...


def own_subjects(needs: Iterable[Need]) -> frozenset[GroupValue]:
    """Return the Ledger's own subjects that are needed: they are counted only because of that."""
    return frozenset((OWN_KEY, need.group_value) for need in needs if need.group_key == OWN_KEY)


def stepped_windows_of(needs: Iterable[Need], zone: str) -> dict[GroupValue, tuple[SteppedWindow, ...]]:
    """Return the windows that are needed beside usage period and UTC day, by subject.

    An empty value: each value of the key. zone: the customer's time zone.
    """
    found: dict[GroupValue, set[SteppedWindow]] = {}
    for need in needs:
        window = stepped(need.window, need.hours, zone)
        if window is not None:
            found.setdefault((need.group_key, need.group_value), set()).add(window)
    return {subject: tuple(sorted(windows)) for subject, windows in found.items()}


def windows_to_count(
    windows: Mapping[GroupValue, tuple[SteppedWindow, ...]], subject: GroupValue
) -> tuple[SteppedWindow, ...]:
    """Return the windows to count of one subject. windows: of all, as stepped_windows_of returns them."""
    own, of_each = windows.get(subject, ()), windows.get((subject[0], ""), ())
    return tuple({*own, *of_each}) if own and of_each else own or of_each
