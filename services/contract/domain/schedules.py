# SPDX-License-Identifier: Apache-2.0
"""Grant schedules: the rules by which the Ledger grants the credits that come with a contract, and how they change.

Source: services/contract/README.md, "Grant schedules".
"""

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, assert_never

from meshkit.errors import FieldViolation, InvalidFields
from meshkit.period import Cadence
from meshkit.quantity import Credits
from services.contract.domain.errors.contracts import (
    EditBeforeNow,
    EndBeforeNow,
    GrantScheduleEnded,
    TooManyEditions,
)
from services.contract.domain.ids import CreditTypeId, GrantScheduleId, ProductId, SubscriptionId

SCOPE_PRODUCTS_MAX = 50
# A grant lives at most so many of the frequency's periods.
PERIODS_MAX = 120
EDITIONS_MAX = 100
PRIORITY_MAX = 1_000
INCLUDED_PRIORITY_DEFAULT = 1
# A million credits per seat: times a million seats it still fits into int64.
UNIT_AMOUNT_MAX = Credits(10**12)
_TICK = timedelta(microseconds=1)


class GrantFrequency(Enum):
    """How often a schedule grants: every period of this length, or of several of them."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    QUARTERLY = "QUARTERLY"
    ANNUAL = "ANNUAL"

    @property
    def cadence(self) -> Cadence:
        """How long one period of this frequency is."""
        match self:
            case GrantFrequency.DAILY:
                return Cadence(days=1)
            case GrantFrequency.WEEKLY:
                return Cadence(days=7)
            case GrantFrequency.MONTHLY:
                return Cadence(months=1)
            case GrantFrequency.QUARTERLY:
                return Cadence(months=3)
            case GrantFrequency.ANNUAL:
                return Cadence(months=12)
            case _:
                assert_never(self)


class GrantAlignment(Enum):
    """What a schedule's periods are counted from: its own anchor, or that of its seats' billing periods."""

    OWN_ANCHOR = "OWN_ANCHOR"
    BILLING_PERIODS = "BILLING_PERIODS"


class Allocation(Enum):
    """Who may draw a schedule's credits. INDIVIDUAL: each seat's, the id that has the seat."""

    POOLED = "POOLED"
    INDIVIDUAL = "INDIVIDUAL"


class PeriodProration(Enum):
    """Which of a schedule's partial periods get a share of the credits instead of all of them."""

    FIRST_AND_LAST = "FIRST_AND_LAST"
    FIRST = "FIRST"
    LAST = "LAST"
    NONE = "NONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollover:
    """What the unused rest of a grant becomes when it expires. cap None: no limit. duration: in periods."""

    fraction_millionths: int
    cap: Credits | None
    duration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantTerms:
    """How much a period grants, and what its grant is like. unit_amount: per seat if linked to seats."""

    unit_amount: Credits
    priority: int
    prorates_increases: bool
    period_proration: PeriodProration
    commit_duration: int
    scope_product_ids: tuple[ProductId, ...]
    rollover: Rollover | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleEdition:
    """The terms of the periods that begin at `effective_time` or later, until the next edition."""

    effective_time: datetime
    terms: GrantTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantSchedule:
    """A rule that grants credits every period; the Ledger applies it.

    interval_count: how many periods of the frequency make one of the schedule. end_time: before its contract's end, if
    it has one. terms: of the first periods. editions: of later ones, in order.
    """

    grant_schedule_id: GrantScheduleId
    product_id: ProductId
    credit_type_id: CreditTypeId
    subscription_id: SubscriptionId | None
    frequency: GrantFrequency
    interval_count: int
    anchor_time: datetime
    end_time: datetime | None
    terms: GrantTerms
    editions: tuple[ScheduleEdition, ...] = ()
    allocation: Allocation = Allocation.POOLED

    def terms_from(self, at: datetime) -> GrantTerms:
        """Return the terms of a period that begins at `at`."""
        in_force = [one.terms for one in self.editions if one.effective_time <= at]
        return in_force[-1] if in_force else self.terms


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsEdit:
    """What an edit changes of the terms; None: nothing. removes_rollover: there is none from then on."""

    unit_amount: Credits | None
    priority: int | None
    prorates_increases: bool | None
    period_proration: PeriodProration | None
    commit_duration: int | None
    scope_product_ids: tuple[ProductId, ...] | None
    rollover: Rollover | None
    removes_rollover: bool

    @property
    def is_empty(self) -> bool:
        return not self._changed and not self.removes_rollover

    def of(self, terms: GrantTerms) -> GrantTerms:
        """Return the terms after the edit."""
        return replace(terms, **self._changed | ({"rollover": None} if self.removes_rollover else {}))

    @property
    def _changed(self) -> dict[str, Any]:
        names = (one.name for one in fields(GrantTerms))
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def edited(
    schedule: GrantSchedule, edit: TermsEdit, effective_time: datetime | None, *, at: datetime
) -> GrantSchedule:
    """Return a schedule with other terms for the periods that begin at `effective_time` or later (None: after now).

    A period that begins at `at` has begun. Editions of later instants stay; one of the same instant is replaced.
    Raises EditBeforeNow, GrantScheduleEnded, InvalidFields, TooManyEditions.
    """
    refuse_ended(schedule, at=at)
    _refuse_too_long(schedule, edit)
    if effective_time is not None and effective_time < at:
        raise EditBeforeNow(effective_time=effective_time.isoformat(), now_time=at.isoformat())
    start = max(effective_time or at, at + _TICK)
    edition = ScheduleEdition(effective_time=start, terms=edit.of(schedule.terms_from(start)))
    others = [one for one in schedule.editions if one.effective_time != start]
    if len(others) == EDITIONS_MAX:
        raise TooManyEditions(grant_schedule_id=schedule.grant_schedule_id, editions_max=EDITIONS_MAX)
    return replace(schedule, editions=tuple(sorted((*others, edition), key=lambda one: one.effective_time)))


def _refuse_too_long(schedule: GrantSchedule, edit: TermsEdit) -> None:
    """Raise InvalidFields if a grant would live more than PERIODS_MAX periods of the schedule's frequency."""
    every = schedule.interval_count
    most = PERIODS_MAX // every
    lives = {
        "commit_duration": edit.commit_duration,
        "rollover.duration": None if edit.rollover is None else edit.rollover.duration,
    }
    too_long = [
        FieldViolation(name, f"must be at most {most}, because the schedule's interval_count is {every}")
        for name, periods in lives.items()
        if periods is not None and periods > most
    ]
    if too_long:
        raise InvalidFields(too_long)


def with_end(
    schedule: GrantSchedule, end_time: datetime | None, *, removes_end: bool, at: datetime
) -> GrantSchedule:
    """Return a schedule that ends at `end_time` (None: now), or with its contract.

    Raises GrantScheduleEnded, EndBeforeNow.
    """
    refuse_ended(schedule, at=at)
    if removes_end:
        return replace(schedule, end_time=None)
    if end_time is not None and end_time < at:
        raise EndBeforeNow(end_time=end_time.isoformat(), now_time=at.isoformat())
    return replace(schedule, end_time=end_time or at)


def refuse_ended(schedule: GrantSchedule, *, at: datetime) -> None:
    """Raise GrantScheduleEnded if the schedule has ended by `at`."""
    if schedule.end_time is not None and schedule.end_time <= at:
        raise GrantScheduleEnded(
            grant_schedule_id=schedule.grant_schedule_id, end_time=schedule.end_time.isoformat()
        )
