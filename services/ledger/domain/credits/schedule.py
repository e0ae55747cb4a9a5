# SPDX-License-Identifier: Apache-2.0
"""Grant schedules: each issues a grant every period, for the seats it is linked to.

Source: services/ledger/README.md, "Credits of a period".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from operator import attrgetter

from meshkit.period import Period, nth_period, period_index
from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import (
    CreditTypeId,
    Grant,
    GrantId,
    GrantKind,
    ProductId,
    ScheduleId,
)
from services.ledger.domain.credits.proration import SeatChange, Seats, change_times, period_credits

# A million credits per seat and period. Multiplied by a million seats, it still fits into int64.
UNIT_AMOUNT_MAX = Credits(10**12)


class GrantFrequency(Enum):
    """How often a schedule grants; the value is in months."""

    MONTHLY = 1
    ANNUAL = 12


class PeriodProration(Enum):
    """Which of a schedule's cut periods are prorated. The others are granted in full."""

    FIRST_AND_LAST = "FIRST_AND_LAST"
    FIRST = "FIRST"
    LAST = "LAST"
    NONE = "NONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Issues `unit_amount` per seat (or once, without a subscription) for each period from `start_time` on.

    end_time: the first instant after the schedule; None: open-ended. commit_duration: lifetime of a grant in periods.
    """

    schedule_id: ScheduleId
    contract_id: str
    subscription_id: str | None
    product_id: ProductId
    credit_type_id: CreditTypeId
    unit_amount: Credits
    frequency: GrantFrequency
    anchor: datetime
    start_time: datetime
    end_time: datetime | None
    priority: int
    prorates_increases: bool
    period_proration: PeriodProration
    commit_duration: int
    scope_product_ids: frozenset[ProductId]

    @property
    def first_index(self) -> int:
        """The number, counted from the anchor, of the period that contains `start_time`."""
        return self.index_at(self.start_time)

    def index_at(self, at: datetime) -> int:
        """Return the number of the period that contains `at`."""
        return period_index(self.anchor, self.frequency.value, at)

    def index_of(self, grant: Grant) -> int:
        """Return the number of the period that one of its grants was issued for."""
        assert grant.period_start is not None
        return self.index_at(grant.period_start)

    def nominal_period(self, index: int) -> Period:
        return nth_period(self.anchor, self.frequency.value, index)

    def active_period(self, index: int) -> Period | None:
        """Return the part of a period that lies inside the schedule; None if there is none."""
        nominal = self.nominal_period(index)
        start = max(nominal.start, self.start_time)
        end = nominal.end if self.end_time is None else min(nominal.end, self.end_time)
        return Period(start, end) if start < end else None

    def change_times(self, index: int, seats: Seats) -> list[datetime]:
        """Return the instants inside a period at which the seats change."""
        active = self.active_period(index)
        return change_times(seats, active) if active else []


@dataclass(frozen=True, slots=True)
class ScheduleCredits:
    """What one schedule adds to its period's grant for a seat change."""

    schedule_id: ScheduleId
    credit_type_id: CreditTypeId
    amount: Credits


def credits_of_period(schedule: Schedule, index: int, seats: Seats, *, through: datetime) -> Credits:
    """Return the total credits of a period, as known `through` an instant. The period must have an active part."""
    active = schedule.active_period(index)
    assert active is not None
    nominal = schedule.nominal_period(index)
    return period_credits(
        schedule.unit_amount,
        seats,
        nominal=nominal,
        active=active,
        shared=_shared(schedule.period_proration, active=active, nominal=nominal),
        prorates_increases=schedule.prorates_increases,
        through=through,
    )


def grant_of_period(schedule: Schedule, index: int, seats: Seats, *, grant_id: GrantId) -> Grant:
    """Return the grant that a period starts with; later seats of the period are added by adjustments."""
    active = schedule.active_period(index)
    assert active is not None
    return Grant(
        grant_id=grant_id,
        kind=GrantKind.INCLUDED,
        product_id=schedule.product_id,
        priority=schedule.priority,
        effective_time=active.start,
        expire_time=schedule.nominal_period(index + schedule.commit_duration - 1).end,
        create_time=active.start,
        granted=credits_of_period(schedule, index, seats, through=active.start),
        scope_product_ids=schedule.scope_product_ids,
        schedule_id=schedule.schedule_id,
        period_start=active.start,
    )


def _shared(proration: PeriodProration, *, active: Period, nominal: Period) -> Period:
    """Return the part of a period that is granted: the nominal period without those cuts that are prorated.

    A period cut at both ends is both the first and the last; each cut counts if the schedule prorates there.
    """
    match proration:
        case PeriodProration.FIRST_AND_LAST:
            return active
        case PeriodProration.FIRST:
            return Period(active.start, nominal.end)
        case PeriodProration.LAST:
            return Period(nominal.start, active.end)
        case PeriodProration.NONE:
            return nominal


def credits_known_in_time(schedule: Schedule, index: int, seats: Seats, *, through: datetime) -> Credits:
    """Return what a period grants if each change is known when it was accepted: the most that it brings at any time.

    It does not depend on when, or in which order, the changes arrived. The period must have an active part.
    """
    active = schedule.active_period(index)
    assert active is not None
    known = seats.accepted_before(active.start)
    most = credits_of_period(schedule, index, known, through=active.start)
    later = [one for one in seats.changes if one.accept_time is not None and one.accept_time >= active.start]
    for change in sorted(later, key=attrgetter("accept_time", "sequence")):
        assert change.accept_time is not None
        just_before = credits_of_period(schedule, index, known, through=change.accept_time)
        known = known.with_change(change)
        most = max(most, just_before, credits_of_period(schedule, index, known, through=change.accept_time))
    return max(most, credits_of_period(schedule, index, known, through=through))


def credits_of_change(
    schedule: Schedule, seats: Seats, change: SeatChange, *, at: datetime, counted: Mapping[int, Credits]
) -> Credits:
    """Return what a change received at `at` would add to its period: the same amount that due.settle then adds.

    A change dated before `at` adds to every living grant that it reaches. counted: what each of these counts so far, by
    the index of its period; it may be more than what its seats bring now, because nothing is taken back.
    """
    through = max(change.effective_time, at)
    indices = {*counted, schedule.index_at(through)}
    return Credits(
        sum(
            _added(schedule, index, seats, change, through=through, counted=counted.get(index)).micros
            for index in indices
            if schedule.active_period(index) is not None
        )
    )


def _added(
    schedule: Schedule,
    index: int,
    seats: Seats,
    change: SeatChange,
    *,
    through: datetime,
    counted: Credits | None,
) -> Credits:
    before = credits_of_period(schedule, index, seats, through=through)
    after = credits_of_period(schedule, index, seats.with_change(change), through=through)
    return max(Credits(0), after - max(before, counted or Credits(0)))
