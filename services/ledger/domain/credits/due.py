# SPDX-License-Identifier: Apache-2.0
"""Changes by the clock alone: holds and grants expire, periods start, and dated seat changes take effect.

No job has to run on time: the first operation that reads an account brings it up to date, in the order in which
events fell due. So settling in two steps or in one gives the same account.
Source: services/ledger/README.md, "What falls due".
"""

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum

from meshkit.evolve import evolve
from meshkit.mapping import with_items
from meshkit.period import period_at
from services.ledger.domain.credits import adjusting, recording
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.burn_down import Draw
from services.ledger.domain.credits.free_credits import FreeAllowance, FreeCredits
from services.ledger.domain.credits.grant import (
    Grant,
    GrantId,
    ScheduleId,
    SlotId,
    give_back,
    void_held,
)
from services.ledger.domain.credits.proration import ONE, Seats
from services.ledger.domain.credits.schedule import Schedule, grant_of_period, rollover_of
from services.ledger.domain.credits.seats import Slot
from services.ledger.domain.crossings import alarm
from services.ledger.domain.gate import overage
from services.ledger.domain.gate.hold import Hold, HoldId, HoldState, end_hold
from services.ledger.domain.gate.spend_cap import hold_more
from services.ledger.domain.gate.subjects import held_by

EVENTS_MAX = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleProgress:
    """A schedule, the seats it counts, and up to which period it has issued grants.

    next_index: the next period to issue. latest: the grant of the period before; only replicas of the previous version
    read it.
    """

    schedule: Schedule
    seats: Seats | None
    next_index: int
    latest: GrantId | None

    @property
    def counted_seats(self) -> Seats:
        return self.seats if self.seats is not None else ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class DueSources:
    """What can fall due in an account, other than its grants and holds.

    first_unread: the first instant at which a hold or grant that is not in the account may fall due; None: never.
    schedules: those of the pool, if anything is due in it, and those of the account's slots that are due.
    anchor: start of the customer's usage periods; None without a contract.
    rechecks: seats or terms may have changed for instants that are settled, so what they granted is compared again.
    free: the free credits of the customer's contracts that count since free_since.
    """

    schedules: Mapping[ScheduleId, ScheduleProgress]
    first_unread: datetime | None
    anchor: datetime | None
    rechecks: bool = False
    free: tuple[FreeCredits, ...] = ()

    def free_since(self, account: Account, *, at: datetime) -> datetime | None:
        """Return since when free credits must be known to settle an account at `at`; None: none are granted."""
        schedules = [one for one in self.schedules.values() if one.schedule.is_free]
        if self.anchor is None or not schedules:
            return None
        starts = [at] if self.rechecks else []
        for progress in schedules:
            active = progress.schedule.active_period(progress.next_index)
            if active is not None and active.start <= at:
                starts.append(active.start)
            # What seats bring to a grant counts in the usage period in which the grant's period began.
            if self.rechecks or any(one.effective_time <= at for one in progress.counted_seats.changes):
                living = adjusting.living_grants(account, progress.schedule)
                starts += [one.period_start for one in living if one.period_start is not None]
        return period_at(self.anchor, 1, min(starts)).start if starts else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An account as read. sources: what may have fallen due in it; None: nothing has."""

    account: Account
    sources: DueSources | None


@dataclass(frozen=True, slots=True)
class SettledAccount:
    """An account that is up to date, the progress of its schedules, and what more of free credits would be granted."""

    account: Account
    schedules: Mapping[ScheduleId, ScheduleProgress]
    free: FreeAllowance


class _Rank(IntEnum):
    """The order of events of one instant: held credits return, then grants expire, then new credits are granted."""

    HOLD_EXPIRES = 0
    GRANT_EXPIRES = 1
    PERIOD_STARTS = 2
    SEATS_CHANGE = 3
    LOOK = 4  # writes nothing by itself, but a watched value may have changed


# When, what, of what, and of a change of seats the grant that it may raise.
_Event = tuple[datetime, _Rank, str, str]


def bring_up_to_date(
    reading: Reading, *, at: datetime, new_grant_id: Callable[[], GrantId]
) -> SettledAccount:
    """Return the account up to date at `at`, whether or not anything has fallen due."""
    if reading.sources is None:
        return SettledAccount(reading.account, {}, FreeAllowance(anchor=None))
    return settle(reading.account, reading.sources, at=at, new_grant_id=new_grant_id)


def settle(
    account: Account, sources: DueSources, *, at: datetime, new_grant_id: Callable[[], GrantId]
) -> SettledAccount:
    """Return the account after everything that fell due up to and including `at`, in order.

    The account must contain all open grants that fall due at or before `at`, and all holds that are HELD and expire
    then.
    Watches are observed after every instant that was not settled before, and at `at`.
    """
    schedules = dict(sources.schedules)
    free = FreeAllowance(sources.free, anchor=sources.anchor)
    slot_ids = {one.schedule.slot_id for one in schedules.values() if one.schedule.slot_id is not None}
    events = list(_first_events(account, sources))
    heapq.heapify(events)
    for _ in range(EVENTS_MAX):
        if not events or events[0][0] > at:
            break
        event = heapq.heappop(events)
        due_time = event[0]
        account, later = _carry_out(account, schedules, free, event, at, new_grant_id)
        for one in later:
            heapq.heappush(events, one)
        is_last_of_instant = not events or events[0][0] != due_time
        # What a new pool would have been in the past concerns nobody.
        if is_last_of_instant and account.settled_time is not None and account.is_news(due_time):
            account = alarm.observe(account, at=due_time, anchor=sources.anchor)
    account = alarm.observe(account, at=at, anchor=sources.anchor)
    account = alarm.forget_ended_grants(account, at=at)
    window_end = alarm.next_window_end(account, at=at, anchor=sources.anchor)
    upcoming: dict[SlotId | None, list[datetime]] = {slot_id: [] for slot_id in (None, *slot_ids)}
    for event in events:
        upcoming[_slot_of(account, schedules, event)].append(event[0])
    upcoming[None] += [one for one in (sources.first_unread, window_end) if one is not None]
    settled_time = at if account.settled_time is None else max(at, account.settled_time)
    account = evolve(account, settled_time=settled_time, next_due_time=min(upcoming.pop(None), default=None))
    if upcoming:
        slots = {
            slot_id: replace(account.slots.get(slot_id, Slot()), next_due_time=min(times, default=None))
            for slot_id, times in upcoming.items()
            if slot_id is not None
        }
        account = evolve(account, slots=with_items(account.slots, slots))
    return SettledAccount(account, schedules, free)


def _slot_of(
    account: Account, schedules: Mapping[ScheduleId, ScheduleProgress], event: _Event
) -> SlotId | None:
    """Return the slot that an event is of; None for one of the pool."""
    _, rank, key, _ = event
    match rank:
        case _Rank.GRANT_EXPIRES:
            return account.grants[GrantId(key)].slot_id
        case _Rank.PERIOD_STARTS | _Rank.SEATS_CHANGE:
            return schedules[ScheduleId(key)].schedule.slot_id
        case _Rank.HOLD_EXPIRES | _Rank.LOOK:
            return None


def _first_events(account: Account, sources: DueSources) -> Iterator[_Event]:
    for hold in account.holds.values():
        if hold.state is HoldState.HELD:
            yield hold.expire_time, _Rank.HOLD_EXPIRES, hold.hold_id, ""
    compared = None if sources.rechecks else account.settled_time
    slot_ids = {one.schedule.slot_id for one in sources.schedules.values()}
    for grant in account.grants.values():
        if grant.slot_id is not None and grant.slot_id not in slot_ids:
            continue
        yield from _grant_events(account, grant)
        progress = sources.schedules.get(grant.schedule_id) if grant.schedule_id is not None else None
        if progress is not None and not grant.is_closed:
            # A slot may have been settled earlier than its pool.
            yield from _seat_events(progress, grant, after=compared if grant.slot_id is None else None)
    for progress in sources.schedules.values():
        yield from _period_start(progress)
    for window_end in alarm.window_ends(account, anchor=sources.anchor):
        yield window_end, _Rank.LOOK, "", ""


def _grant_events(account: Account, grant: Grant) -> Iterator[_Event]:
    if account.is_news(grant.effective_time) and grant.slot_id is None:
        yield grant.effective_time, _Rank.LOOK, grant.grant_id, ""
    if grant.expire_time is not None and not grant.is_closed:
        yield grant.expire_time, _Rank.GRANT_EXPIRES, grant.grant_id, ""
        for look in alarm.looks_before_expiry(account, grant):
            if account.is_news(look):
                yield look, _Rank.LOOK, grant.grant_id, ""


def _period_start(progress: ScheduleProgress) -> Iterator[_Event]:
    active = progress.schedule.active_period(progress.next_index)
    if active is not None:
        yield active.start, _Rank.PERIOD_STARTS, progress.schedule.schedule_id, ""


def _seat_events(
    progress: ScheduleProgress, grant: Grant, *, after: datetime | None = None
) -> Iterator[_Event]:
    for instant in adjusting.instants(progress.schedule, progress.counted_seats, grant):
        if after is None or instant > after:
            yield instant, _Rank.SEATS_CHANGE, progress.schedule.schedule_id, grant.grant_id


def _carry_out(
    account: Account,
    schedules: dict[ScheduleId, ScheduleProgress],
    free: FreeAllowance,
    event: _Event,
    at: datetime,
    new_grant_id: Callable[[], GrantId],
) -> tuple[Account, list[_Event]]:
    due_time, rank, key, grant_id = event
    match rank:
        case _Rank.HOLD_EXPIRES:
            return _expire_hold(account, account.holds[HoldId(key)], at=at), []
        case _Rank.GRANT_EXPIRES:
            grant = account.grants[GrantId(key)]
            rolled = _rollover(schedules, grant, new_grant_id)
            account = _expire_grant(account, grant, at=at)
            if rolled is None:
                return account, []
            return recording.roll_over(account, rolled, at=at), list(_grant_events(account, rolled))
        case _Rank.PERIOD_STARTS:
            progress = schedules[ScheduleId(key)]
            index = progress.next_index
            grant = grant_of_period(progress.schedule, index, progress.counted_seats, grant_id=new_grant_id())
            grant = free.of_new(progress.schedule, grant)
            started = replace(progress, next_index=index + 1, latest=grant.grant_id)
            schedules[ScheduleId(key)] = started
            later = [*_grant_events(account, grant), *_period_start(started), *_seat_events(started, grant)]
            return recording.issue(account, grant, at=at), later
        case _Rank.SEATS_CHANGE:
            progress = schedules[ScheduleId(key)]
            grant = account.grants[GrantId(grant_id)]
            return adjusting.raise_to_seats(
                account, grant, progress.schedule, progress.counted_seats, free, due_time=due_time, at=at
            ), []
        case _Rank.LOOK:
            return account, []


def _rollover(
    schedules: Mapping[ScheduleId, ScheduleProgress], grant: Grant, new_grant_id: Callable[[], GrantId]
) -> Grant | None:
    progress = schedules.get(grant.schedule_id) if grant.schedule_id is not None else None
    return None if progress is None else rollover_of(progress.schedule, grant, new_grant_id=new_grant_id)


def _expire_grant(account: Account, grant: Grant, *, at: datetime) -> Account:
    return recording.lose_rest(account, grant, effective_time=grant.expire_time or at, at=at)


def _expire_hold(account: Account, hold: Hold, *, at: datetime) -> Account:
    return return_draws(account, end_hold(hold, HoldState.EXPIRED), ended_time=hold.expire_time, at=at)


def return_draws(account: Account, hold: Hold, *, ended_time: datetime, at: datetime) -> Account:
    """Return all draws of a hold to their grants, and its overage. What an expired or voided grant gets is lost."""
    for draw in hold.draws:
        account = give_back_draw(account, hold, draw, ended_time=ended_time, at=at)
    spends = {
        subject: hold_more(account.spends[subject], -amount)
        for subject, amount in held_by(account, hold).items()
    }
    return overage.released(account.with_changes(holds=[hold], spends=spends), hold)


def comes_back(account: Account, hold: Hold, draw: Draw) -> bool:
    """Whether all credits that a hold reserved can be drawn again once they are returned (give_back_draw)."""
    grant = account.grants[draw.grant_id]
    return not grant.is_closed and not grant.voided_of_return(draw.amount, hold.create_time)


def give_back_draw(
    account: Account, hold: Hold, draw: Draw, *, ended_time: datetime, at: datetime
) -> Account:
    """Return credits that a hold reserved to their grant at `ended_time`.

    They are lost in the same step if the grant has expired, or was voided after the hold was taken; if it rolled to
    another grant by a change of plan, they go there. What is owed of the grant is voided first.
    """
    grant = account.grants[draw.grant_id]
    lost = grant.voided_of_return(draw.amount, hold.create_time)
    if lost:
        voided = void_held(grant, lost)
        account = recording.write_void(
            account, voided, lost, effective_time=ended_time, cause_id=draw.grant_id, at=at
        )
        rolled = _rolled_to(account, grant, at=ended_time)
        if rolled is not None:
            return recording.roll_in(
                account, rolled, lost, effective_time=ended_time, cause_id=draw.grant_id, at=at
            )
        if lost == draw.amount:
            return account
        grant = voided
    grant = give_back(grant, draw.amount - lost)
    if not grant.is_closed:
        return account.with_changes(grants=[grant])
    return recording.lose_rest(account, grant, effective_time=ended_time, at=at)


def _rolled_to(account: Account, grant: Grant, *, at: datetime) -> Grant | None:
    """Return the grant that a voided one rolled to, unless that is over or voided itself."""
    if grant.void is None or grant.void.rolls_to is None:
        return None
    rolled = account.grants.get(grant.void.rolls_to)  # one that is closed may not be read
    is_alive = rolled is not None and not rolled.is_closed and rolled.void is None and not rolled.is_over(at)
    return rolled if is_alive else None
