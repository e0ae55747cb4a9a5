# SPDX-License-Identifier: Apache-2.0
"""Schedules: which grant each period brings, cut periods, and what a seat change would bring."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import Grant, GrantId, GrantKind
from services.ledger.domain.credits.proration import ONE, Seats
from services.ledger.domain.credits.schedule import (
    GrantFrequency,
    PeriodProration,
    Schedule,
    credits_of_change,
    credits_of_period,
    grant_of_period,
)
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import (
    AUGUST,
    JULY,
    JUNE,
    PROPERTY,
    TICK,
    a_schedule,
    a_seat_change,
    some_seats,
    when,
)

BOTH, FIRST, LAST, NONE = (
    PeriodProration.FIRST_AND_LAST,
    PeriodProration.FIRST,
    PeriodProration.LAST,
    PeriodProration.NONE,
)
SEPTEMBER = when("09-01")
ANNUAL = GrantFrequency.ANNUAL

# Months from 1 June at 62 credits. July has 31 days: half of it is 31 credits from, and until, 16 July 12:00.
MID_JULY = when("07-16 12:00")
EIGHTH = when("07-08 18:00")  # a quarter of July is over
# Each row: mode, start, end, then what June, July and August bring; None: no period at all.
CUTS: list[tuple[str, PeriodProration, datetime, datetime | None, tuple[int | str | None, ...]]] = [
    ("nothing is cut, open-ended", BOTH, JUNE, None, (62, 62, 62)),
    ("nothing is cut, ends with a period", BOTH, JUNE, AUGUST, (62, 62, None)),
    ("both cut, both shared", BOTH, when("06-16"), when("08-16 12:00"), (31, 62, 31)),
    ("both cut, the first shared", FIRST, when("06-16"), when("08-16 12:00"), (31, 62, 62)),
    ("both cut, the last shared", LAST, when("06-16"), when("08-16 12:00"), (62, 62, 31)),
    ("both cut, neither shared", NONE, when("06-16"), when("08-16 12:00"), (62, 62, 62)),
    ("starts in July, shared", FIRST, MID_JULY, None, (None, 31, 62)),
    ("starts in July, whole", LAST, MID_JULY, None, (None, 62, 62)),
    ("ends in July, shared", LAST, JUNE, MID_JULY, (62, 31, None)),
    ("ends in July, whole", FIRST, JUNE, MID_JULY, (62, 62, None)),
    ("cut at both ends, both shared", BOTH, EIGHTH, MID_JULY, (None, "15.5", None)),
    ("cut at both ends, for its start", FIRST, EIGHTH, MID_JULY, (None, "46.5", None)),
    ("cut at both ends, for its end", LAST, EIGHTH, MID_JULY, (None, 31, None)),
    ("cut at both ends, for neither", NONE, EIGHTH, MID_JULY, (None, 62, None)),
    ("over before it begins", BOTH, MID_JULY, MID_JULY, (None, None, None)),
]


def grant_at(schedule: Schedule, index: int, seats: Seats = ONE) -> Grant:
    return grant_of_period(schedule, index, seats, grant_id=GrantId("grt_1"))


@pytest.mark.parametrize(
    ("mode", "start", "end", "brings"), [row[1:] for row in CUTS], ids=[row[0] for row in CUTS]
)
def test_a_cut_period_brings_its_share_where_the_schedule_says_so(
    mode: PeriodProration, start: datetime, end: datetime | None, brings: tuple[int | str | None, ...]
) -> None:
    schedule = a_schedule(62, anchor=JUNE, start=start, end=end, period_proration=mode)

    for index, amount in enumerate(brings):
        if amount is None:
            is_inside = index >= schedule.first_index and schedule.active_period(index) is not None
            assert not is_inside
        else:
            assert grant_at(schedule, index).granted == Credits.of(amount)


def test_the_books_of_a_schedule_cut_at_both_ends_have_its_grants_and_no_others() -> None:
    books = Books()
    schedule = a_schedule(62, per_seat=False, start=when("06-16"), end=when("08-16 12:00"))

    books.tell_schedule(schedule, at=JUNE)
    books.settle(when("12-01"), settles=True)

    grants = sorted(books.stored.grants.values(), key=lambda grant: grant.effective_time)
    assert [(one.effective_time, one.expire_time, one.granted) for one in grants] == [
        (when("06-16"), JULY, Credits.of(31)),
        (JULY, AUGUST, Credits.of(62)),
        (AUGUST, SEPTEMBER, Credits.of(31)),
    ]
    assert books.stored.next_due_time is None
    books.check()


def test_a_grant_of_a_schedule_is_told_by_its_period() -> None:
    schedule = a_schedule(100, priority=7, only_for=[])

    grant = grant_at(schedule, 1, some_seats(4))

    assert (grant.kind, grant.priority, grant.cost_basis_micros) == (GrantKind.INCLUDED, 7, 0)
    assert (grant.schedule_id, grant.period_start) == (schedule.schedule_id, JULY)
    assert (grant.effective_time, grant.expire_time) == (JULY, AUGUST)


@pytest.mark.parametrize(("periods", "expire_time"), [(1, JULY), (2, AUGUST), (3, SEPTEMBER)])
def test_a_grant_lives_for_its_commit_duration(periods: int, expire_time: datetime) -> None:
    assert grant_at(a_schedule(commit_duration=periods), 0).expire_time == expire_time


def test_grants_that_live_two_periods_are_there_together() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100, per_seat=False, commit_duration=2), at=JUNE)

    assert books.available(JULY - TICK) == Credits.of(100)
    assert books.available(JULY) == Credits.of(200)
    assert books.available(AUGUST) == Credits.of(200)
    assert books.available(SEPTEMBER) == Credits.of(200)


def test_months_from_the_31st_begin_on_the_last_day_of_shorter_months() -> None:
    schedule = a_schedule(anchor=datetime(2024, 1, 31, tzinfo=UTC))

    starts = [grant_at(schedule, index).effective_time for index in range(5)]

    assert starts == [
        datetime(2024, *day, tzinfo=UTC) for day in ((1, 31), (2, 29), (3, 31), (4, 30), (5, 31))
    ]


def test_years_from_29_february_come_back_to_it() -> None:
    schedule = a_schedule(anchor=datetime(2024, 2, 29, tzinfo=UTC), frequency=ANNUAL)

    ends = [grant_at(schedule, index).expire_time for index in range(4)]

    assert ends == [
        datetime(*day, tzinfo=UTC) for day in ((2025, 2, 28), (2026, 2, 28), (2027, 2, 28), (2028, 2, 29))
    ]


def test_a_seat_added_to_a_year_brings_the_share_of_the_year_that_is_left() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100, frequency=ANNUAL), some_seats(4), at=JUNE)

    added = books.tell_seats(a_seat_change(1, when("07-03")), at=when("07-03"))

    assert added == Credits.of("91.232876")  # 100 × 333/365


def test_a_schedule_that_starts_before_its_anchor_counts_periods_backwards() -> None:
    schedule = a_schedule(30, anchor=JUNE, start=when("05-16 12:00"))

    assert schedule.first_index == -1
    assert grant_at(schedule, -1).granted == Credits.of(15)
    assert grant_at(schedule, -1).expire_time == JUNE


def test_a_month_without_seats_brings_an_empty_grant_that_seats_can_fill() -> None:
    books = Books()
    books.tell_schedule(a_schedule(100), some_seats(0), at=JUNE)

    added = books.tell_seats(a_seat_change(2, when("06-16")), at=when("06-16"))

    assert added == Credits.of(100)
    assert books.available(when("06-16")) == Credits.of(100)
    assert books.available(JULY) == Credits.of(200)


@PROPERTY
@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2026, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),
    st.sampled_from(GrantFrequency),
    st.integers(0, 40),
    st.integers(1, 4),
)
def test_periods_follow_each_other_without_gap_and_the_first_holds_the_start(
    anchor: datetime, frequency: GrantFrequency, months: int, periods: int
) -> None:
    start = anchor.replace(year=anchor.year + months // 12, day=min(anchor.day, 28))
    schedule = a_schedule(anchor=anchor, start=start, frequency=frequency, commit_duration=periods)
    first = schedule.first_index

    grants = [grant_at(schedule, index) for index in range(first, first + 3)]

    assert schedule.nominal_period(first).contains(start)
    assert grants[0].effective_time == start
    assert [one.expire_time for one in grants] == [
        schedule.nominal_period(index + periods - 1).end for index in range(first, first + 3)
    ]
    assert all(
        grant.effective_time == schedule.nominal_period(index).start
        for index, grant in enumerate(grants[1:], start=first + 1)
    )


@PROPERTY
@given(
    st.sampled_from(PeriodProration),
    st.datetimes(datetime(2025, 6, 1), datetime(2025, 8, 31)).map(lambda at: at.replace(tzinfo=UTC)),
    st.datetimes(datetime(2025, 6, 1), datetime(2025, 8, 31)).map(lambda at: at.replace(tzinfo=UTC)),
)
def test_no_cut_brings_more_than_the_whole_and_sharing_both_brings_the_least(
    mode: PeriodProration, one: datetime, other: datetime
) -> None:
    def in_all(mode: PeriodProration) -> int:
        schedule = a_schedule(
            Credits(99_999_997), start=min(one, other), end=max(one, other), period_proration=mode
        )
        active = [index for index in range(4) if schedule.active_period(index) is not None]
        return sum(
            credits_of_period(schedule, index, ONE, through=AUGUST).micros
            for index in active
            if index >= schedule.first_index
        )

    assert 0 <= in_all(BOTH) <= in_all(mode) <= in_all(NONE)


@PROPERTY
@given(
    st.integers(0, 3),
    st.lists(st.tuples(st.integers(0, 70), st.integers(-2, 4).filter(bool)), max_size=5),
    st.tuples(st.integers(0, 80), st.integers(-2, 4).filter(bool)),
    st.booleans(),
)
def test_a_preview_tells_what_the_change_then_brings(
    initial: int, earlier: list[tuple[int, int]], asked: tuple[int, int], prorated: bool
) -> None:
    days, delta = asked
    books = Books()
    schedule = a_schedule(100, prorates_increases=prorated)
    books.tell_schedule(schedule, some_seats(initial), at=JUNE)
    told_at = JUNE
    for sequence, (day, seats_more) in enumerate(sorted(earlier), start=1):
        told_at = JUNE.replace(month=6 + day // 30, day=1 + day % 30)
        books.tell_seats(a_seat_change(seats_more, told_at, sequence=sequence), at=told_at)
    effective_time = JUNE.replace(month=6 + days // 30, day=1 + days % 30)
    progress = books.schedules[schedule.schedule_id]
    counted = {
        schedule.index_of(grant): grant.counted
        for grant in books.stored.grants.values()
        if not grant.is_closed
    }
    change = a_seat_change(delta, effective_time, sequence=100)

    previewed = credits_of_change(schedule, progress.counted_seats, change, at=told_at, counted=counted)

    counts_from = max(told_at, effective_time)
    without = books.available(counts_from)
    books.tell_seats(change, at=told_at)
    assert max(Credits(0), books.available(counts_from) - without) == previewed
