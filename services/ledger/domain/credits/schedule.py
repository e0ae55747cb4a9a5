# SPDX-License-Identifier: Apache-2.0
"""Grant schedules: each issues a grant every period, for the seats it is linked to.

Source: services/ledger/README.md, "Credits of a period".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from operator import attrgetter

from meshkit.period import Cadence, Period
from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import (
    CreditTypeId,
    Grant,
    GrantId,
    GrantKind,
    ProductId,
    ScheduleId,
    SlotId,
)
from services.ledger.domain.credits.proration import SeatChange, Seats, change_times, period_credits

# A million credits per seat and period. Multiplied by a million seats, it still fits into int64.
UNIT_AMOUNT_MAX = Credits(10**12)


class GrantFrequency(Enum):
    """How often a schedule grants: every period of this length, or of several of them (Schedule.interval_count)."""

    DAILY = Cadence(days=1)
    WEEKLY = Cadence(days=7)
    MONTHLY = Cadence(months=1)
    QUARTERLY = Cadence(months=3)
    ANNUAL = Cadence(months=12)


class Allocation(Enum):
    """Who draws the credits of a schedule: anyone's usage, or of each seat only its own."""

    POOLED = "POOLED"
    INDIVIDUAL = "INDIVIDUAL"


class PeriodProration(Enum):
    """Which of a schedule's cut periods are prorated. The others are granted in full."""

    FIRST_AND_LAST = "FIRST_AND_LAST"
    FIRST = "FIRST"
    LAST = "LAST"
    NONE = "NONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollover:
    """What an unused rest becomes when its grant expires: a grant of a part of it.

    fraction_millionths: of the rest; 1,000,000 is all of it. cap: the most; None: no limit. duration: of the new grant,
    in periods of the schedule.
    """

    fraction_millionths: int
    cap: Credits | None
    duration: int

    def of(self, rest: Credits) -> Credits:
        """Return how much of a rest rolls over, rounded down to the micro."""
        rolled = Credits(rest.micros * self.fraction_millionths // 1_000_000)
        return rolled if self.cap is None else min(rolled, self.cap)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantTerms:
    """How much a period grants, and what its grant is like. commit_duration: lifetime of a grant in periods."""

    unit_amount: Credits
    priority: int
    prorates_increases: bool
    period_proration: PeriodProration
    commit_duration: int
    scope_product_ids: frozenset[ProductId]
    rollover: Rollover | None = None


@dataclass(frozen=True, slots=True)
class Edition:
    """The terms of a schedule for the periods that begin at `effective_time` or later, until the next edition."""

    effective_time: datetime
    terms: GrantTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Issues an amount per seat (or once, without a subscription) for each period from `start_time` on.

    interval_count: how many periods of the frequency make one of the schedule. end_time: the first instant after the
    schedule; None: open-ended. terms: of the first periods. editions: of later ones, by effective_time.
    slot_id: of what an INDIVIDUAL schedule grants to one slot (for_slot), the slot. is_free: nothing is charged for the
    periods that begin before charge_time; None: for any.
    """

    schedule_id: ScheduleId
    contract_id: str
    subscription_id: str | None
    product_id: ProductId
    credit_type_id: CreditTypeId
    frequency: GrantFrequency
    interval_count: int = 1
    anchor: datetime
    start_time: datetime
    end_time: datetime | None
    terms: GrantTerms
    editions: tuple[Edition, ...] = ()
    allocation: Allocation = Allocation.POOLED
    slot_id: SlotId | None = None
    is_free: bool = False
    charge_time: datetime | None = None

    @property
    def cadence(self) -> Cadence:
        return self.frequency.value.times(self.interval_count)

    @property
    def first_index(self) -> int:
        """The number, counted from the anchor, of the period that contains `start_time`."""
        return self.index_at(self.start_time)

    def index_at(self, at: datetime) -> int:
        """Return the number of the period that contains `at`."""
        return self.cadence.index_at(self.anchor, at)

    def index_of(self, grant: Grant) -> int:
        """Return the number of the period that one of its grants was issued for."""
        assert grant.period_start is not None
        return self.index_at(grant.period_start)

    def nominal_period(self, index: int) -> Period:
        return self.cadence.nth_period(self.anchor, index)

    def active_period(self, index: int) -> Period | None:
        """Return the part of a period that lies inside the schedule; None if there is none."""
        nominal = self.nominal_period(index)
        start = max(nominal.start, self.start_time)
        end = nominal.end if self.end_time is None else min(nominal.end, self.end_time)
        return Period(start, end) if start < end else None

    def terms_of(self, index: int) -> GrantTerms:
        """Return the terms of a period: those in force when it begins."""
        start = max(self.nominal_period(index).start, self.start_time)
        in_force = [one.terms for one in self.editions if one.effective_time <= start]
        return in_force[-1] if in_force else self.terms

    def is_free_at(self, period_start: datetime) -> bool:
        """Whether nothing is charged for a period that begins then."""
        return self.is_free and (self.charge_time is None or period_start < self.charge_time)

    def covers(self, product_id: ProductId, at: datetime) -> bool:
        """Whether the terms in force at `at` let usage of a product draw the credits."""
        in_force = [one.terms for one in self.editions if one.effective_time <= at]
        scope = (in_force[-1] if in_force else self.terms).scope_product_ids
        return not scope or product_id in scope

    def for_slot(self, slot_id: SlotId) -> "Schedule":
        """Return the schedule of one slot, with an id that names the slot. It counts the seat of that slot."""
        number = slot_id.rpartition("#")[2]
        return replace(self, schedule_id=ScheduleId(f"{self.schedule_id}#{number}"), slot_id=slot_id)

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
    nominal, terms = schedule.nominal_period(index), schedule.terms_of(index)
    return period_credits(
        terms.unit_amount,
        seats,
        nominal=nominal,
        active=active,
        shared=_shared(terms.period_proration, active=active, nominal=nominal),
        prorates_increases=terms.prorates_increases,
        through=through,
    )


def grant_of_period(schedule: Schedule, index: int, seats: Seats, *, grant_id: GrantId) -> Grant:
    """Return the grant that a period starts with; later seats of the period are added by adjustments."""
    active = schedule.active_period(index)
    assert active is not None
    terms = schedule.terms_of(index)
    return Grant(
        grant_id=grant_id,
        kind=GrantKind.INCLUDED,
        product_id=schedule.product_id,
        priority=terms.priority,
        effective_time=active.start,
        expire_time=schedule.nominal_period(index + terms.commit_duration - 1).end,
        create_time=active.start,
        granted=credits_of_period(schedule, index, seats, through=active.start),
        scope_product_ids=terms.scope_product_ids,
        schedule_id=schedule.schedule_id,
        period_start=active.start,
        slot_id=schedule.slot_id,
    )


def rollover_of(schedule: Schedule, grant: Grant, *, new_grant_id: Callable[[], GrantId]) -> Grant | None:
    """Return the grant that the rest of an expiring grant becomes; None if nothing rolls over.

    Nothing does once the schedule has ended. Source: services/ledger/README.md, "Rollover".
    """
    rule = schedule.terms_of(schedule.index_of(grant)).rollover
    assert grant.expire_time is not None
    index = schedule.index_at(grant.expire_time)
    if rule is None or schedule.active_period(index) is None or not rule.of(grant.rest):
        return None
    return Grant(
        grant_id=new_grant_id(),
        kind=GrantKind.ROLLOVER,
        product_id=grant.product_id,
        priority=grant.priority,
        effective_time=grant.expire_time,
        expire_time=schedule.nominal_period(index + rule.duration - 1).end,
        create_time=grant.expire_time,
        granted=rule.of(grant.rest),
        scope_product_ids=grant.scope_product_ids,
        rolled_from=grant.grant_id,
        slot_id=grant.slot_id,
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
