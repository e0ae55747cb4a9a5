# SPDX-License-Identifier: Apache-2.0
"""Schedules in every rhythm; terms that change for later periods, early ends, and rests that roll over."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Credits
from services.ledger.domain.credits.entry import EntryKind
from services.ledger.domain.credits.grant import Grant, GrantKind
from services.ledger.domain.credits.schedule import Edition, GrantFrequency, Rollover, Schedule
from services.ledger.domain.usage.funding import payable
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import (
    AUGUST,
    JULY,
    JUNE,
    PROPERTY,
    TICK,
    a_schedule,
    an_ask,
    some_seats,
    when,
)

SEPTEMBER, OCTOBER = when("09-01"), when("10-01")
HALF = Rollover(fraction_millionths=500_000, cap=None, duration=1)


def edited(schedule: Schedule, at: datetime, **terms: object) -> Schedule:
    edition = Edition(at, replace(schedule.terms, **terms))  # type: ignore[arg-type]
    return replace(schedule, editions=(*schedule.editions, edition))


def granted(books: Books) -> list[tuple[datetime, Credits]]:
    """Return what each included grant was issued with, by its start."""
    grants = sorted(books.stored.grants.values(), key=lambda one: one.effective_time)
    return [(one.effective_time, one.granted) for one in grants if one.kind is GrantKind.INCLUDED]


def rolled(books: Books) -> list[Grant]:
    return [one for one in books.stored.grants.values() if one.kind is GrantKind.ROLLOVER]


@pytest.mark.parametrize(
    ("frequency", "every", "starts"),
    [
        (GrantFrequency.DAILY, 1, ["06-01", "06-02", "06-03"]),
        (GrantFrequency.DAILY, 10, ["06-01", "06-11", "06-21"]),
        (GrantFrequency.WEEKLY, 1, ["06-01", "06-08", "06-15"]),
        (GrantFrequency.WEEKLY, 2, ["06-01", "06-15", "06-29"]),
        (GrantFrequency.MONTHLY, 2, ["06-01", "08-01", "10-01"]),
        (GrantFrequency.QUARTERLY, 1, ["06-01", "09-01", "12-01"]),
    ],
    ids=lambda value: value.name if isinstance(value, GrantFrequency) else str(value),
)
def test_a_schedule_grants_in_its_rhythm(frequency: GrantFrequency, every: int, starts: list[str]) -> None:
    books = Books()
    books.tell_schedule(a_schedule(7, frequency=frequency, every=every), some_seats(3), at=JUNE)

    books.settle(when(starts[-1]))

    assert granted(books) == [(when(start), Credits.of(21)) for start in starts]
    assert books.available(when(starts[-1])) == Credits.of(21)
    books.check()


def test_golden_a_seat_added_on_the_third_day_of_a_week_brings_five_sevenths() -> None:
    books = Books()
    books.tell_schedule(a_schedule(70, frequency=GrantFrequency.WEEKLY), some_seats(1), at=JUNE)

    added = books.tell_seats(some_seats(1, (when("06-10"), 1)).changes[0], at=when("06-10"))

    assert added == Credits.of(50)


def test_a_year_of_days_that_nobody_looks_at_is_granted_at_the_first_look() -> None:
    books = Books()
    books.tell_schedule(a_schedule(1, frequency=GrantFrequency.DAILY, per_seat=False), at=JUNE)

    books.settle(JUNE + timedelta(days=365))

    assert len(books.stored.grants) == 366
    assert books.available(JUNE + timedelta(days=365)) == Credits.of(1)
    books.check()


def test_golden_an_edit_changes_the_periods_that_begin_after_it_and_no_others() -> None:
    books = Books()
    schedule = edited(a_schedule(100), when("07-02"), unit_amount=Credits.of(250), commit_duration=2)
    books.tell_schedule(schedule, some_seats(4), at=JUNE)

    books.settle(SEPTEMBER)

    assert granted(books) == [
        (JUNE, Credits.of(400)),
        (JULY, Credits.of(400)),
        (AUGUST, Credits.of(1_000)),
        (SEPTEMBER, Credits.of(1_000)),
    ]
    assert books.available(SEPTEMBER) == Credits.of(2_000)  # August's lives two months


def test_an_edit_at_the_instant_at_which_a_period_begins_changes_that_period() -> None:
    schedule = edited(a_schedule(100), JULY, unit_amount=Credits.of(250))

    assert [schedule.terms_of(index).unit_amount for index in (0, 1)] == [Credits.of(100), Credits.of(250)]
    missed = edited(a_schedule(100), JULY + TICK, unit_amount=Credits.of(250))
    assert [missed.terms_of(index).unit_amount for index in (1, 2)] == [Credits.of(100), Credits.of(250)]


def test_the_latest_of_several_edits_counts() -> None:
    once = edited(a_schedule(100), JULY, unit_amount=Credits.of(250))
    twice = edited(once, JULY, unit_amount=Credits.of(50))

    assert twice.terms_of(1).unit_amount == Credits.of(50)


@pytest.mark.parametrize(("more", "left"), [(250, 1_000), (50, 200)])
def test_an_edit_that_arrives_late_reaches_the_period_that_began_after_its_acceptance(
    more: int, left: int
) -> None:
    books = Books()
    books.tell_schedule(a_schedule(100), some_seats(4), at=JUNE)
    books.settle(JULY)

    books.tell_edit(JULY, at=when("07-02"), accepted=when("06-20"), unit_amount=Credits.of(more))

    assert books.available(when("07-02")) == Credits.of(left)
    books.check()


def test_golden_half_of_the_rest_lives_on_for_a_month() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100, rollover=HALF, priority=3), some_seats(4), at=JUNE)
    books.debit(an_ask(301), at=JUNE)

    assert books.available(JULY - TICK) == Credits.of(99)
    assert books.available(JULY) == Credits.of("449.5")
    books.settle(JULY)
    [one] = rolled(books)
    assert (one.effective_time, one.expire_time, one.priority) == (JULY, AUGUST, 3)
    assert [(entry.kind, entry.amount) for entry in books.entries[-3:]] == [
        (EntryKind.EXPIRY, -Credits.of(99)),
        (EntryKind.GRANT, Credits.of("49.5")),
        (EntryKind.GRANT, Credits.of(400)),
    ]
    assert one.rolled_from == books.entries[-3].grant_id == books.entries[-2].cause_id
    # What rolled over does so once: of July's 449.5, half of the 400 goes on.
    assert books.available(AUGUST) == Credits.of(600)
    books.check()


def test_the_rest_is_cut_at_the_cap_and_rounded_down_to_the_micro() -> None:
    rule = Rollover(fraction_millionths=333_333, cap=Credits.of(30), duration=1)

    assert rule.of(Credits.of(400)) == Credits.of(30)
    assert rule.of(Credits.of(90)) == Credits(29_999_970)
    assert rule.of(Credits(2)) == Credits(0)


def test_what_rolls_over_lives_as_many_periods_as_its_rule_says() -> None:
    books = Books()
    rule = replace(HALF, duration=2)
    books.tell_schedule(a_schedule(100, per_seat=False, rollover=rule, end=SEPTEMBER), at=JUNE)

    # 50 of June until September, 50 of July until October.
    assert [books.available(at) for at in (JULY, AUGUST)] == [Credits.of(150), Credits.of(200)]
    assert [books.available(at) for at in (SEPTEMBER, OCTOBER)] == [Credits.of(50), Credits(0)]


def test_nothing_rolls_over_from_a_spent_grant_nor_when_the_schedule_has_ended() -> None:
    spent, ended = Books(), Books()
    for books, end in ((spent, None), (ended, JULY)):
        books.tell_schedule(a_schedule(100, per_seat=False, rollover=HALF, end=end), at=JUNE)
    spent.debit(an_ask(100), at=JUNE)

    for books in (spent, ended):
        books.settle(JULY)
        assert rolled(books) == []


def test_what_is_held_when_the_grant_expires_does_not_roll_over() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100, per_seat=False, rollover=HALF), at=JUNE)
    hold = books.authorize(an_ask(60), at=JULY - TICK)

    assert books.available(JULY) == Credits.of(120)  # half of 40, and July's 100
    books.release(hold.hold_id, at=JULY)  # type: ignore[union-attr]
    assert books.available(JULY) == Credits.of(120)
    books.check()


def test_late_usage_is_paid_by_what_did_not_roll_over_only() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100, per_seat=False, rollover=replace(HALF, cap=Credits.of(10))), at=JUNE)
    books.settle(JULY)

    june = next(one for one in books.stored.grants.values() if one.period_start == JUNE)

    assert (june.expired, june.rolled_over, payable(june, at=JULY)) == (
        Credits.of(100),
        Credits.of(10),
        Credits.of(90),
    )


def test_an_edit_of_the_rollover_leaves_the_grants_that_have_begun() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100, per_seat=False), at=JUNE)
    books.tell_edit(when("06-15"), at=when("06-14"), accepted=when("06-14"), rollover=HALF)

    assert books.available(JULY) == Credits.of(100)
    assert books.available(AUGUST) == Credits.of(150)


@PROPERTY
@given(st.integers(0, 10**12), st.integers(1, 1_000_000), st.one_of(st.none(), st.integers(1, 10**12)))
def test_no_more_rolls_over_than_was_left(rest: int, fraction: int, cap: int | None) -> None:
    rule = Rollover(fraction_millionths=fraction, cap=None if cap is None else Credits(cap), duration=1)

    assert 0 <= rule.of(Credits(rest)).micros <= rest * fraction / 1_000_000
    assert cap is None or rule.of(Credits(rest)).micros <= cap
