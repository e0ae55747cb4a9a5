# SPDX-License-Identifier: Apache-2.0
"""Between which values nothing crosses: so a debit compares a few numbers, however many watches there are.

Bounds depend on the watches of an account and on their states, which only crossings change. They are cached with the
account, and never influence what is observed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import Grant, GrantId, SlotId
from services.ledger.domain.credits.seats import SeatName
from services.ledger.domain.crossings.measures import (
    changed_slots,
    expires_soon,
    is_one_of_many,
    left,
    left_of_seat,
    percentage_left,
    seats_of,
    spent,
    uncovered,
)
from services.ledger.domain.crossings.watch import LOW, OF_REMAINING, OF_SPEND, Watch, WatchKind, WatchState
from services.ledger.domain.gate.spend_cap import GroupValue, Spend
from services.ledger.domain.gate.windows import CapWindow

_FAR: Final = 1 << 200  # beyond every amount


class Bounds(NamedTuple):
    """The lowest and the highest value, in millionths, at which nothing crosses."""

    low: int
    high: int

    def hold(self, value: int) -> bool:
        return self.low <= value <= self.high


class _GrantBounds(NamedTuple):
    """The bounds of what is left of a grant that expires soon, over `[start, end)`."""

    start: datetime
    end: datetime
    bounds: Bounds


class _SlotOccupants(NamedTuple):
    """The seat ids of a slot over `[start, end)`."""

    start: datetime
    end: datetime
    names: frozenset[SeatName]


_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_EVERYTHING: Final = Bounds(-_FAR, _FAR)
_NOTHING: Final = Bounds(_FAR, -_FAR)

_SpendKey = tuple[str, CapWindow]
States = Mapping[tuple[str, str], WatchState]


class WatchBounds:
    """The bounds of the watches of an account, in their present states."""

    def __init__(self, watches: tuple[Watch, ...], states: States) -> None:
        self.watches = watches
        self.states = states
        self._remaining = _within((one for one in watches if one.kind in OF_REMAINING), "", states)
        self._percentage = _within(
            (one for one in watches if one.kind is WatchKind.LOW_PERCENTAGE), "", states
        )
        self._uncovered = {
            kind: _within(of_kind, "", states)
            for kind in (WatchKind.SHORTFALL, WatchKind.OVERAGE)
            if (of_kind := [one for one in watches if one.kind is kind])
        }
        self._expiring = [one for one in watches if one.kind is WatchKind.GRANT_EXPIRING]
        self._expiring_within = max((one.within for one in self._expiring), default=timedelta(0))
        self._seats = [one for one in watches if one.kind is WatchKind.LOW_SEAT_BALANCE]
        self._of_slot: dict[SlotId, _SlotOccupants] = {}
        self._of_seat: dict[SeatName, Bounds] = {}
        self._of_grant: dict[GrantId, _GrantBounds] = {}
        self._spends: dict[_SpendKey, list[Watch]] = defaultdict(list)
        for watch in watches:
            if watch.kind in OF_SPEND:
                self._spends[watch.group_key, watch.window].append(watch)
        self._windows: dict[str, list[CapWindow]] = defaultdict(list)
        for key, window in self._spends:
            self._windows[key].append(window)
        self._is_unconfirmed = any(
            watch.confirms_with("") and _bounds(watch, "", states) is _NOTHING for watch in watches
        )
        # Of values without a state, which no watch names; and of the others, as they are asked for.
        self._of_key = {
            key: _within((one for one in of_key if not one.group_value), None, states)
            for key, of_key in self._spends.items()
        }
        keys = {watch.alert_id: watch.group_key for of_key in self._spends.values() for watch in of_key}
        self._special = {(keys[alert_id], value) for alert_id, value in states if alert_id in keys} | {
            (key, watch.group_value) for (key, _), of_key in self._spends.items() for watch in of_key
        }
        self._of_value: dict[tuple[GroupValue, CapWindow], Bounds] = {}

    def hold(
        self, account: Account, spenders: Collection[GroupValue], *, at: datetime, anchor: datetime | None
    ) -> bool:
        """Whether nothing has crossed, if nothing but the balance and the spends of these group values has changed."""
        if self._is_unconfirmed:
            return False
        if self._remaining is not _EVERYTHING and not self._remaining.hold(account.remaining(at).micros):
            return False
        if self._percentage is not _EVERYTHING:
            percentage = percentage_left(account, at)
            if percentage is not None and not self._percentage.hold(percentage.micros):
                return False
        for kind, bounds in self._uncovered.items():
            if not bounds.hold(uncovered(account, kind, at=at, anchor=anchor).micros):
                return False
        if self._expiring and not self._hold_of_grants(account, at):
            return False
        if self._seats and not self._hold_of_seats(account, at):
            return False
        if self._spends:
            for one in spenders:
                for window in self._windows.get(one[0], ()):
                    spend = account.spends.get(one, Spend())
                    value = spent(spend, at=at, anchor=anchor, window=window, zone=account.time_zone)
                    if not self._of(one, window).hold(value.micros):
                        return False
        return True

    def _hold_of_grants(self, account: Account, at: datetime) -> bool:
        """Whether nothing has crossed that is left of the grants that have changed since the account was saved."""
        for grant_id in set(account.changed_grants):
            grant = account.grants[grant_id]
            if grant.expire_time is None or grant.slot_id is not None:
                continue
            if at < grant.expire_time - self._expiring_within:
                continue
            kept = self._of_grant.get(grant_id)
            if kept is None or not kept.start <= at < kept.end:
                kept = self._of_grant[grant_id] = self._bounds_of_grant(grant, grant.expire_time, at)
            if not kept.bounds.hold(left(grant).micros):
                return False
        return True

    def _hold_of_seats(self, account: Account, at: datetime) -> bool:
        """Whether nothing has crossed that is left of the seats whose grants have changed."""
        for name in (
            one for slot_id in changed_slots(account) for one in self._seats_in(account, slot_id, at)
        ):
            bounds = self._of_seat.get(name)
            if bounds is None:
                watching = (one for one in self._seats if one.watches_value(*name))
                bounds = self._of_seat[name] = _within(watching, name[1], self.states)
            seat = left_of_seat(account, name, at)
            if seat is not None and not bounds.hold(seat.micros):
                return False
        return True

    def _seats_in(self, account: Account, slot_id: SlotId, at: datetime) -> frozenset[SeatName]:
        """Return who occupies a slot. It is looked up once among the seats of the account, which may be many."""
        kept = self._of_slot.get(slot_id)
        if kept is None or not kept.start <= at < kept.end:
            names = frozenset(seats_of(account, at, slot_ids=(slot_id,)))
            spans = (one for spans in account.seats.values() for one in spans if one.slot_id == slot_id)
            turns = (turn for one in spans for turn in (one.start_time, one.end_time) if turn is not None)
            kept = _SlotOccupants(at, min((turn for turn in turns if turn > at), default=_NEVER), names)
            if names:
                self._of_slot[slot_id] = kept
        return kept.names

    def _bounds_of_grant(self, grant: Grant, expire_time: datetime, at: datetime) -> "_GrantBounds":
        watching = [one for one in self._expiring if expires_soon(grant, one, at)]
        starts = [expire_time - one.within for one in self._expiring]
        return _GrantBounds(
            start=at,
            end=min((one for one in (*starts, expire_time) if one > at), default=_NEVER),
            bounds=_within(watching, grant.grant_id, self.states),
        )

    def _of(self, group_value: GroupValue, window: CapWindow) -> Bounds:
        key, value = group_value
        if group_value not in self._special:
            return self._of_key[key, window]
        bounds = self._of_value.get((group_value, window))
        if bounds is None:
            watching = (one for one in self._spends[key, window] if one.watches_value(key, value))
            bounds = self._of_value[group_value, window] = _within(watching, value, self.states)
        return bounds


def bounds_of(account: Account) -> WatchBounds:
    """Return the bounds of an account's watches, from the cache if possible."""
    kept: WatchBounds | None = account.bounds.get("")
    if kept is None or kept.watches is not account.watches or kept.states is not account.watch_states:
        kept = account.bounds[""] = WatchBounds(account.watches, account.watch_states)
    return kept


def _within(watches: Iterable[Watch], group_value: str | None, states: States) -> Bounds:
    """Return the values at which none of these watches crosses. group_value None: of one without a state."""
    low, high = _EVERYTHING
    is_watched = False
    for watch in watches:
        of_watch = (
            _quiet(watch, in_alarm=False) if group_value is None else _bounds(watch, group_value, states)
        )
        low, high = max(low, of_watch.low), min(high, of_watch.high)
        is_watched = True
    return Bounds(low, high) if is_watched else _EVERYTHING


def _bounds(watch: Watch, group_value: str, states: States) -> Bounds:
    """Return the values at which a watch does not cross; _NOTHING if its first observation is a crossing anyway."""
    state = states.get((watch.alert_id, group_value))
    if state is None:
        return _quiet(watch, in_alarm=False) if is_one_of_many(watch, group_value) else _NOTHING
    return _quiet(watch, in_alarm=state.in_alarm) if state.version == watch.version else _NOTHING


def _quiet(watch: Watch, *, in_alarm: bool) -> Bounds:
    """Return the values at which a watch stays as it is: Watch.is_in_alarm, of all values at once."""
    threshold, rearm = watch.threshold.micros, watch.rearm.micros
    if watch.kind in LOW:
        return Bounds(-_FAR, rearm) if in_alarm else Bounds(threshold + 1, _FAR)
    return Bounds(rearm, _FAR) if in_alarm else Bounds(-_FAR, threshold - 1)
