# SPDX-License-Identifier: Apache-2.0
"""A void seat change: what it had brought is voided as far as it is unspent, and how much of it was unused.

Source: services/ledger/README.md, "Void seat changes".
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from meshkit.period import Period
from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.adjusting import excess_of, living_grants, take_back_from
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ScheduleId
from services.ledger.domain.credits.plan_change import PaidPeriod, UnusedShare, to_come_of
from services.ledger.domain.credits.proration import SeatChange, Seats
from services.ledger.domain.credits.schedule import Schedule, credits_known_in_time

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatChangeVoid:
    """A seat change that does not count any more. From Contract.

    paid: if it was in effect when it was voided, the billing period that was open then, as far as its contract covers
    it, and the seats that the change brought to it.
    """

    request_id: str
    fingerprint: bytes
    customer_id: CustomerId
    subscription_id: str
    seat_change_id: str
    paid: PaidPeriod | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodPart:
    """What a change had brought to one period of a schedule, and what of that was voided.

    time: the time of the seats that brought it. is_open: its grant is alive.
    """

    time: Period
    is_open: bool
    granted: Credits
    voided: Credits

    @property
    def kept(self) -> Period | None:
        """The end of the time, as much of it as the part of the credits that was used; all of it once that is over."""
        used = self.granted - self.voided
        if not used:
            return None
        if not self.is_open:
            return self.time
        length = (self.time.end - self.time.start) // _MICROSECOND
        kept = length * used.micros // self.granted.micros
        return Period(self.time.end - kept * _MICROSECOND, self.time.end) if kept else None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidedSchedule:
    """What a change had brought by one schedule. to_come: what it would still have brought to the paid period."""

    schedule_id: ScheduleId
    credit_type_id: CreditTypeId
    parts: tuple[PeriodPart, ...]
    to_come: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidedCredits:
    """A schedule's credits for the paid period: granted for the change, voided, and still to come."""

    schedule_id: ScheduleId
    credit_type_id: CreditTypeId
    granted: Credits
    voided: Credits
    to_come: Credits


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatChangeVoided:
    """What a void has done. unused: None without schedules. kept: the time whose credits stay granted."""

    voided: tuple[VoidedCredits, ...]
    unused: UnusedShare | None
    kept: tuple[Period, ...]
    apply_time: datetime


def void_credits(
    account: Account, schedule: Schedule, change: SeatChange, before: Seats, after: Seats, *, at: datetime
) -> tuple[Account, tuple[PeriodPart, ...]]:
    """Void what a change had brought to a schedule's living grants, as far as it is unspent; return all of it.

    before, after: the seats with the change, and without it. The account must be up to date at `at`.
    """
    living = {schedule.index_of(grant): grant for grant in living_grants(account, schedule)}
    parts = []
    for index, time in _periods(schedule, change, at):
        known = credits_known_in_time(schedule, index, before, through=at)
        without = credits_known_in_time(schedule, index, after, through=at)
        grant = living.get(index)
        granted = known - without if grant is None else excess_of(grant, known, without)
        if granted <= Credits(0):
            continue
        voided = Credits(0) if grant is None else min(granted, grant.rest)
        if grant is not None and voided:
            account = take_back_from(account, grant, schedule, voided, at=at)
        parts.append(PeriodPart(time=time, is_open=grant is not None, granted=granted, voided=voided))
    return account, tuple(parts)


def void_of_unread(
    schedule: Schedule, change: SeatChange, before: Seats, after: Seats, *, at: datetime, count: int
) -> tuple[PeriodPart, ...]:
    """Return what a change had brought to slots that nobody has used: all of it is unused, unless it has expired.

    before, after: the seats of one of the slots. count: of how many. Nothing is stored for them.
    """
    parts = []
    for index, time in _periods(schedule, change, at):
        known = credits_known_in_time(schedule, index, before, through=at)
        without = credits_known_in_time(schedule, index, after, through=at)
        granted = Credits(count * (known - without).micros)
        if granted > Credits(0):
            last = index + schedule.terms_of(index).commit_duration - 1
            is_open = schedule.nominal_period(last).end > at
            voided = granted if is_open else Credits(0)
            parts.append(PeriodPart(time=time, is_open=is_open, granted=granted, voided=voided))
    return tuple(parts)


def to_come(schedule: Schedule, paid: PaidPeriod, *, at: datetime) -> Credits:
    """Return what the paid seats would still have brought until the end of the paid period, or of the schedule."""
    end = paid.period.end if schedule.end_time is None else min(paid.period.end, schedule.end_time)
    if end <= paid.period.start:
        return Credits(0)
    until = replace(paid, period=Period(paid.period.start, end))
    return to_come_of(schedule, schedule.index_at(at) + 1, until)


def seat_change_voided(
    paid: PaidPeriod, schedules: Iterable[VoidedSchedule], *, at: datetime
) -> SeatChangeVoided:
    """Return the answer to a void: the least unused share of the schedules, and the time that is kept by that one.

    What was used of periods that began after the paid one, because the void arrived late, counts against it.
    """
    voided: list[VoidedCredits] = []
    least: tuple[UnusedShare, tuple[Period, ...]] | None = None
    for one in schedules:
        of_paid = [part for part in one.parts if part.time.start < paid.period.end]
        later = [part for part in one.parts if part.time.start >= paid.period.end]
        granted, taken = _sum(part.granted for part in of_paid), _sum(part.voided for part in of_paid)
        voided.append(
            VoidedCredits(
                schedule_id=one.schedule_id,
                credit_type_id=one.credit_type_id,
                granted=Credits(granted),
                voided=Credits(taken),
                to_come=one.to_come,
            )
        )
        whole = granted + one.to_come.micros
        if not whole:
            continue
        unused = max(0, taken + one.to_come.micros - _sum(part.granted - part.voided for part in later))
        if least is None or unused * least[0].denominator < least[0].numerator * whole:
            kept = tuple(span for part in of_paid if (span := part.kept) is not None)
            least = UnusedShare(paid.subscription_id, unused, whole), kept
    return SeatChangeVoided(
        voided=tuple(voided),
        unused=None if least is None else least[0],
        kept=() if least is None else least[1],
        apply_time=at,
    )


def unknown_change(paid: PaidPeriod, *, at: datetime) -> SeatChangeVoided:
    """Return the answer to a void of a change that the Ledger does not know: nothing is known to be unused."""
    return SeatChangeVoided(
        voided=(),
        unused=UnusedShare(paid.subscription_id, 0, 1),
        kept=(paid.period,),
        apply_time=at,
    )


def _periods(schedule: Schedule, change: SeatChange, at: datetime) -> Iterator[tuple[int, Period]]:
    """Yield the periods that have begun and that a change may bring credits to, each with the time that brings them."""
    first = max(schedule.first_index, schedule.index_at(change.effective_time))
    for index in range(first, schedule.index_at(at) + 1):
        active = schedule.active_period(index)
        if active is None or active.end <= change.effective_time:
            continue
        start = active.start
        if schedule.terms_of(index).prorates_increases:
            start = max(start, change.effective_time)
        yield index, Period(start, active.end)


def _sum(amounts: Iterable[Credits]) -> int:
    return sum(amount.micros for amount in amounts)
