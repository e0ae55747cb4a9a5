# SPDX-License-Identifier: Apache-2.0
"""Golden figures of the rules on time: periods are counted from the anchor."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.period import Cadence, Period, add_months, nth_period, period_at, period_index

TICK = timedelta(microseconds=1)

instants = st.datetimes(
    min_value=datetime(1970, 1, 1), max_value=datetime(2200, 12, 31), timezones=st.just(UTC)
)
months = st.sampled_from([1, 2, 3, 6, 12, 24])


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_monthly_from_31_january_2024_clamps_and_returns_to_the_31st() -> None:
    anchor = day("2024-01-31")

    starts = [nth_period(anchor, 1, index).start for index in range(5)]

    assert starts == [
        day("2024-01-31"),
        day("2024-02-29"),
        day("2024-03-31"),
        day("2024-04-30"),
        day("2024-05-31"),
    ]


def test_annual_from_29_february_2024_is_28_february_until_the_next_leap_year() -> None:
    anchor = day("2024-02-29")

    starts = [nth_period(anchor, 12, index).start for index in range(5)]

    assert starts == [
        day("2024-02-29"),
        day("2025-02-28"),
        day("2026-02-28"),
        day("2027-02-28"),
        day("2028-02-29"),
    ]


def test_the_guides_year_has_333_of_365_days_left_on_3_july() -> None:
    year = nth_period(day("2025-06-01"), 12, 0)

    assert year == Period(day("2025-06-01"), day("2026-06-01"))
    assert year.fraction_left(day("2025-07-03")) == Fraction(333, 365)


def test_the_guides_july_has_29_of_31_days_left_on_3_july() -> None:
    july = period_at(day("2025-06-01"), 1, day("2025-07-03"))

    assert july == Period(day("2025-07-01"), day("2025-08-01"))
    assert july.fraction_left(day("2025-07-03")) == Fraction(29, 31)


@pytest.mark.parametrize(
    ("at", "index"),
    [
        (day("2024-01-31"), 0),
        (day("2024-02-29") - TICK, 0),
        (day("2024-02-29"), 1),
        (day("2024-03-31") - TICK, 1),
        (day("2024-03-31"), 2),
        (day("2024-01-31") - TICK, -1),
        (day("2023-12-31"), -1),
        (day("2023-12-31") - TICK, -2),
        (day("2025-01-30"), 11),
        (day("2025-01-31"), 12),
    ],
)
def test_a_boundary_belongs_to_the_period_it_starts(at: datetime, index: int) -> None:
    assert period_index(day("2024-01-31"), 1, at) == index


def test_an_anchor_in_the_middle_of_a_day_keeps_its_time_of_day() -> None:
    anchor = datetime(2024, 1, 31, 17, 30, 0, 5, tzinfo=UTC)

    assert add_months(anchor, 1) == datetime(2024, 2, 29, 17, 30, 0, 5, tzinfo=UTC)
    assert period_index(anchor, 1, datetime(2024, 2, 29, 17, 30, 0, 4, tzinfo=UTC)) == 0
    assert period_index(anchor, 1, datetime(2024, 2, 29, 17, 30, 0, 5, tzinfo=UTC)) == 1


@pytest.mark.parametrize(
    ("months", "expected"), [(-1, "2023-12-31"), (-11, "2023-02-28"), (-23, "2022-02-28")]
)
def test_months_count_backwards_too(months: int, expected: str) -> None:
    assert add_months(day("2024-01-31"), months) == day(expected)


@pytest.mark.parametrize("months", [12 * 7_976, -12 * 2_024])
def test_a_year_beyond_the_calendar_is_refused(months: int) -> None:
    with pytest.raises(OverflowError, match="is the year"):
        add_months(day("2024-01-31"), months)


def test_a_period_contains_its_start_and_not_its_end() -> None:
    june = Period(day("2025-06-01"), day("2025-07-01"))

    assert june.contains(june.start)
    assert june.contains(june.end - TICK)
    assert not june.contains(june.end)
    assert not june.contains(june.start - TICK)


def test_the_fraction_left_runs_from_one_to_zero_and_no_further() -> None:
    june = Period(day("2025-06-01"), day("2025-07-01"))

    assert june.fraction_left(june.start) == 1
    assert june.fraction_left(june.end) == 0
    assert june.fraction_left(june.end - TICK) == Fraction(1, 30 * 86_400 * 1_000_000)
    for outside in (june.start - TICK, june.end + TICK):
        with pytest.raises(ValueError, match="outside"):
            june.fraction_left(outside)


@pytest.mark.parametrize("end", ["2025-06-01", "2025-05-31"])
def test_an_empty_or_reversed_period_is_refused(end: str) -> None:
    with pytest.raises(ValueError, match="cannot end"):
        Period(day("2025-06-01"), day(end))


@given(instants, months, instants)
def test_the_period_at_an_instant_contains_it(anchor: datetime, months_each: int, at: datetime) -> None:
    assert period_at(anchor, months_each, at).contains(at)


@given(instants, months, st.integers(-300, 300))
def test_periods_follow_each_other_without_gap_or_overlap(
    anchor: datetime, months_each: int, index: int
) -> None:
    one, next_one = nth_period(anchor, months_each, index), nth_period(anchor, months_each, index + 1)

    assert one.end == next_one.start
    assert period_index(anchor, months_each, one.start) == index
    assert period_index(anchor, months_each, one.end - TICK) == index
    assert period_index(anchor, months_each, one.end) == index + 1


@given(instants, st.integers(-600, 600))
def test_a_boundary_has_the_anchors_day_or_the_months_last(anchor: datetime, count: int) -> None:
    boundary = add_months(anchor, count)

    assert boundary.time() == anchor.time()
    assert boundary.day == anchor.day or (
        boundary.day < anchor.day and (boundary + timedelta(days=1)).day == 1
    )


@given(instants, months, st.lists(st.fractions(0, 1), max_size=5))
def test_any_split_of_a_period_sums_to_the_whole(
    anchor: datetime, months_each: int, cuts: list[Fraction]
) -> None:
    period = nth_period(anchor, months_each, 0)
    length = (period.end - period.start) // TICK
    at = sorted({period.start, period.end, *(period.start + int(cut * length) * TICK for cut in cuts)})

    parts = [period.fraction_left(one) - period.fraction_left(other) for one, other in pairwise(at)]

    assert sum(parts) == 1


def test_every_two_weeks_is_counted_from_the_anchor_across_a_leap_day() -> None:
    fortnight = Cadence(days=14)

    assert fortnight.nth_period(day("2024-02-20"), 1) == Period(day("2024-03-05"), day("2024-03-19"))
    assert [
        fortnight.index_at(day("2024-02-20"), day("2024-03-05") + tick) for tick in (-TICK, 0 * TICK)
    ] == [0, 1]
    assert fortnight.index_at(day("2024-02-20"), day("2024-02-19")) == -1


def test_every_two_months_is_counted_in_months() -> None:
    assert Cadence(months=2).nth_period(day("2024-12-31"), 1) == Period(day("2025-02-28"), day("2025-04-30"))
    assert Cadence(months=2).index_at(day("2024-12-31"), day("2025-02-28")) == 1


@given(instants, st.integers(-400, 400), st.integers(1, 40))
def test_periods_of_days_follow_each_other_and_hold_their_instants(
    anchor: datetime, index: int, days: int
) -> None:
    cadence = Cadence(days=days)
    period, following = cadence.nth_period(anchor, index), cadence.nth_period(anchor, index + 1)

    assert period.end == following.start == period.start + timedelta(days=days)
    assert (cadence.index_at(anchor, period.start), cadence.index_at(anchor, period.end - TICK)) == (
        index,
        index,
    )


@pytest.mark.parametrize(("months", "days"), [(0, 0), (1, 1), (-1, 0), (0, -1)])
def test_a_cadence_is_of_months_or_of_days(months: int, days: int) -> None:
    with pytest.raises(ValueError, match="periods cannot be"):
        Cadence(months=months, days=days)
