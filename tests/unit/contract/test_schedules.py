# SPDX-License-Identifier: Apache-2.0
"""Edits and ends of grant schedules."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from meshkit.errors import InvalidFields
from meshkit.quantity import Credits
from services.contract.domain.errors.contracts import (
    EditBeforeNow,
    EndBeforeNow,
    GrantScheduleEnded,
    TooManyEditions,
)
from services.contract.domain.ids import CreditTypeId, GrantScheduleId, ProductId
from services.contract.domain.schedules import (
    EDITIONS_MAX,
    GrantFrequency,
    GrantSchedule,
    GrantTerms,
    PeriodProration,
    Rollover,
    TermsEdit,
    edited,
    with_end,
)
from tests.unit.contract.builders import JUNE, day

TICK = timedelta(microseconds=1)
NOW = day(6, 10)
ROLLOVER = Rollover(fraction_millionths=500_000, cap=None, duration=1)
SCHEDULE = GrantSchedule(
    grant_schedule_id=GrantScheduleId("sch_1"),
    product_id=ProductId("prd_1"),
    credit_type_id=CreditTypeId("crt_1"),
    subscription_id=None,
    frequency=GrantFrequency.MONTHLY,
    interval_count=1,
    anchor_time=JUNE,
    end_time=None,
    terms=GrantTerms(
        unit_amount=Credits.of(100),
        priority=1,
        prorates_increases=True,
        period_proration=PeriodProration.LAST,
        commit_duration=1,
        scope_product_ids=(ProductId("prd_9"),),
    ),
)
NOTHING = TermsEdit(
    unit_amount=None,
    priority=None,
    prorates_increases=None,
    period_proration=None,
    commit_duration=None,
    scope_product_ids=None,
    rollover=None,
    removes_rollover=False,
)


def amount(credits: int) -> TermsEdit:
    return replace(NOTHING, unit_amount=Credits.of(credits))


def amounts(schedule: GrantSchedule) -> list[tuple[datetime, Credits]]:
    return [(one.effective_time, one.terms.unit_amount) for one in schedule.editions]


def test_an_edit_changes_what_it_names_and_keeps_the_rest() -> None:
    edit = replace(NOTHING, prorates_increases=False, scope_product_ids=(), rollover=ROLLOVER)

    [edition] = edited(SCHEDULE, edit, None, at=NOW).editions

    assert edition.terms == replace(
        SCHEDULE.terms, prorates_increases=False, scope_product_ids=(), rollover=ROLLOVER
    )
    again = edited(
        edited(SCHEDULE, edit, None, at=NOW), replace(NOTHING, removes_rollover=True), None, at=NOW
    )
    assert again.editions[-1].terms == replace(edition.terms, rollover=None)


@pytest.mark.parametrize(
    ("asked", "counts_from"),
    [(None, NOW + TICK), (NOW, NOW + TICK), (NOW + TICK, NOW + TICK), (day(7, 1), day(7, 1))],
)
def test_an_edit_counts_for_periods_that_begin_after_now(
    asked: datetime | None, counts_from: datetime
) -> None:
    assert amounts(edited(SCHEDULE, amount(5), asked, at=NOW)) == [(counts_from, Credits.of(5))]


def test_an_edit_cannot_be_dated_back() -> None:
    with pytest.raises(EditBeforeNow):
        edited(SCHEDULE, amount(5), NOW - TICK, at=NOW)


def test_editions_stand_in_order_build_on_the_one_before_and_replace_one_of_the_same_instant() -> None:
    august = edited(SCHEDULE, amount(8), day(8, 1), at=NOW)
    both = edited(august, replace(NOTHING, priority=7), day(7, 1), at=NOW)
    replaced = edited(both, amount(9), day(8, 1), at=NOW)

    assert amounts(both) == [(day(7, 1), Credits.of(100)), (day(8, 1), Credits.of(8))]
    assert amounts(replaced) == [(day(7, 1), Credits.of(100)), (day(8, 1), Credits.of(9))]
    assert [one.terms.priority for one in edited(both, amount(1), day(7, 15), at=NOW).editions] == [7, 7, 1]


def test_a_schedule_has_at_most_a_hundred_editions() -> None:
    schedule = SCHEDULE
    for number in range(EDITIONS_MAX):
        schedule = edited(schedule, amount(5), NOW + timedelta(days=number + 1), at=NOW)

    with pytest.raises(TooManyEditions):
        edited(schedule, amount(5), NOW + timedelta(days=EDITIONS_MAX + 1), at=NOW)
    assert len(edited(schedule, amount(6), NOW + timedelta(days=1), at=NOW).editions) == EDITIONS_MAX


def test_a_grant_lives_at_most_120_of_the_frequencys_periods() -> None:
    every_other = replace(SCHEDULE, interval_count=2)
    longest = replace(NOTHING, commit_duration=60, rollover=replace(ROLLOVER, duration=60))

    assert edited(every_other, longest, None, at=NOW).editions[0].terms.commit_duration == 60
    too_long = replace(NOTHING, commit_duration=61, rollover=replace(ROLLOVER, duration=61))
    with pytest.raises(InvalidFields) as refusal:
        edited(every_other, too_long, None, at=NOW)
    assert [one.field for one in refusal.value.violations] == ["commit_duration", "rollover.duration"]


def test_an_end_is_moved_and_removed_until_it_has_passed() -> None:
    ending = with_end(SCHEDULE, day(6, 20), removes_end=False, at=NOW)

    assert ending.end_time == day(6, 20)
    assert with_end(ending, day(6, 15), removes_end=False, at=day(6, 12)).end_time == day(6, 15)
    assert with_end(ending, None, removes_end=True, at=day(6, 20) - TICK).end_time is None
    assert with_end(SCHEDULE, None, removes_end=False, at=NOW).end_time == NOW
    with pytest.raises(EndBeforeNow):
        with_end(SCHEDULE, NOW - TICK, removes_end=False, at=NOW)
    with pytest.raises(GrantScheduleEnded):
        with_end(ending, None, removes_end=True, at=day(6, 20))
    with pytest.raises(GrantScheduleEnded):
        edited(ending, amount(5), None, at=day(6, 20))
