# SPDX-License-Identifier: Apache-2.0
"""Seats over time, and the credits they bring to one period."""

from datetime import datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.period import Period
from meshkit.quantity import Credits
from services.ledger.domain.credits.proration import Seats, period_credits
from tests.unit.ledger.builders import (
    AUGUST,
    JULY,
    JUNE,
    PROPERTY,
    TICK,
    a_count,
    a_seat_change,
    some_seats,
    when,
)

MONTH = Period(JULY, AUGUST)
UNIT = Credits.of(100)

# Unit amounts that leave something to round in almost every share.
UNITS = st.builds(Credits, st.integers(1, 10**9))
INSIDE = st.datetimes(datetime(2025, 7, 1, 0, 0, 0, 1), datetime(2025, 7, 31, 23, 59, 59, 999_999)).map(
    lambda at: at.replace(tzinfo=JULY.tzinfo)
)


@st.composite
def valid_seats(draw: st.DrawFn) -> Seats:
    """Seats whose quantity is never below zero, with changes before, in and after July, some at one instant."""
    initial = draw(st.integers(0, 5))
    instants = sorted(
        draw(
            st.lists(
                st.one_of(INSIDE, st.sampled_from([JUNE, JULY, AUGUST, when("07-03"), when("07-20")])),
                max_size=6,
            )
        )
    )
    quantity, changes = initial, []
    for instant in instants:
        delta = draw(st.integers(-quantity, 5).filter(bool))
        quantity += delta
        changes.append((instant, delta))
    return some_seats(initial, *changes)


def july_credits(
    seats: Seats, *, unit: Credits = UNIT, prorated: bool = True, through: datetime = AUGUST
) -> Credits:
    return period_credits(
        unit,
        seats,
        nominal=MONTH,
        active=MONTH,
        shared=MONTH,
        prorates_increases=prorated,
        through=through,
    )


def test_a_change_counts_from_its_own_instant_on() -> None:
    seats = some_seats(4, (when("07-03"), 1))

    assert seats.quantity_at(when("07-03") - TICK) == 4
    assert seats.quantity_at(when("07-03")) == 5


def test_changes_told_out_of_order_are_put_in_order() -> None:
    seats = some_seats(4, (when("07-20"), 2), (when("07-03"), 1))

    assert [change.quantity_delta for change in seats.changes] == [1, 2]


def test_changes_of_one_instant_stand_in_the_order_received() -> None:
    late = a_seat_change(1, when("07-03"), sequence=2)
    early = a_seat_change(-1, when("07-03"), sequence=1)

    assert Seats(4, ()).with_change(late).with_change(early).changes == (early, late)


def test_golden_a_count_holds_until_the_next_change_whatever_comes_later_about_before() -> None:
    seats = Seats(4, ()).with_change(a_count(2, JULY, sequence=1))

    both = seats.with_change(a_count(5, when("06-10"), sequence=2))

    assert [both.quantity_at(at) for at in (JUNE, when("06-10"), JULY - TICK, JULY)] == [4, 5, 5, 2]
    assert july_credits(both) == Credits.of(200)


def test_golden_an_earlier_count_does_not_move_a_later_one() -> None:
    seats = Seats(4, ()).with_change(a_count(5, when("07-20"), sequence=1))

    both = seats.with_change(a_count(6, when("07-10"), sequence=2))

    assert [both.quantity_at(when(day)) for day in ("07-09", "07-10", "07-19", "07-20")] == [4, 6, 6, 5]
    # 2 seats for 22 of 31 days; the count of 20 July is below the mark.
    assert july_credits(both) == Credits.of(400) + Credits(141_935_483)


def test_a_difference_counts_on_from_a_count_and_is_lost_behind_one() -> None:
    seats = Seats(4, ()).with_change(a_count(2, when("07-10"), sequence=1))

    before = seats.with_change(a_seat_change(3, when("07-05"), sequence=2))
    after = seats.with_change(a_seat_change(3, when("07-15"), sequence=2))

    assert [before.quantity_at(when(day)) for day in ("07-05", "07-10")] == [7, 2]
    assert [after.quantity_at(when(day)) for day in ("07-10", "07-15")] == [2, 5]


def test_counts_of_one_instant_are_replaced_in_the_order_received() -> None:
    seats = Seats(4, ()).with_change(a_count(9, when("07-16 12:00"), sequence=1))

    replaced = seats.with_change(a_count(5, when("07-16 12:00"), sequence=2))

    assert july_credits(replaced) == Credits.of(450)


@pytest.mark.parametrize(
    ("at", "micros"),
    [
        (JULY + TICK, 99_999_999),
        (when("07-03"), 93_548_387),
        (when("07-16 12:00"), 50_000_000),
        (when("07-31"), 3_225_806),
        (AUGUST - TICK, 0),
    ],
)
def test_a_rise_brings_the_share_that_is_left_down_to_the_micro(at: datetime, micros: int) -> None:
    assert july_credits(some_seats(4, (at, 1))) == Credits.of(400) + Credits(micros)


def test_a_rise_brings_the_whole_if_increases_are_not_prorated() -> None:
    assert july_credits(some_seats(4, (AUGUST - TICK, 1)), prorated=False) == Credits.of(500)


def test_a_change_at_the_start_counts_whole_and_one_at_the_end_not_at_all() -> None:
    assert july_credits(some_seats(4, (JULY, 1))) == Credits.of(500)
    assert july_credits(some_seats(4, (AUGUST, 1))) == Credits.of(400)


def test_what_is_not_known_yet_brings_nothing_yet() -> None:
    seats = some_seats(4, (when("07-03"), 1))

    assert july_credits(seats, through=when("07-03") - TICK) == Credits.of(400)
    assert july_credits(seats, through=when("07-03")) == Credits.of("493.548387")


def test_a_fall_takes_nothing_back_and_a_rise_up_to_the_mark_brings_nothing() -> None:
    up_down_up = some_seats(4, (when("07-03"), 1), (when("07-10"), -3), (when("07-20"), 3))

    assert july_credits(up_down_up) == Credits.of("493.548387")


def test_a_rise_past_the_mark_brings_only_what_is_above_it() -> None:
    seats = some_seats(4, (when("07-03"), 1), (when("07-10"), -3), (when("07-16 12:00"), 4))

    assert july_credits(seats) == Credits.of("493.548387") + Credits.of(50)


def test_seats_that_come_and_go_in_one_instant_bring_nothing() -> None:
    seats = some_seats(4, (when("07-03"), 1_000), (when("07-03"), -1_000))

    assert july_credits(seats) == Credits.of(400)


def test_fewer_seats_than_none_bring_nothing_and_take_nothing() -> None:
    below = some_seats(1, (when("06-15"), -3), (when("07-16 12:00"), 3))

    assert july_credits(below, through=JULY) == Credits(0)
    assert july_credits(below) == Credits.of(50)


@PROPERTY
@given(UNITS, st.integers(0, 5), INSIDE, st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_a_rise_in_parts_brings_no_more_than_the_whole_rise(
    unit: Credits, initial: int, at: datetime, parts: list[int]
) -> None:
    at_once = some_seats(initial, (at, sum(parts)))
    one_by_one = [
        july_credits(some_seats(initial, (at, level)), unit=unit) for level in accumulate(parts, initial=0)
    ]
    shares = [
        july_credits(some_seats(initial, (at, part)), unit=unit)
        - july_credits(some_seats(initial), unit=unit)
        for part in parts
    ]

    whole = july_credits(at_once, unit=unit) - july_credits(some_seats(initial), unit=unit)
    assert sum(share.micros for share in shares) <= whole.micros
    assert one_by_one == sorted(one_by_one)


@PROPERTY
@given(UNITS, INSIDE, INSIDE)
def test_a_later_rise_brings_no_more_than_an_earlier_one(
    unit: Credits, one: datetime, other: datetime
) -> None:
    early, late = min(one, other), max(one, other)

    assert july_credits(some_seats(1, (late, 1)), unit=unit) <= july_credits(
        some_seats(1, (early, 1)), unit=unit
    )


@PROPERTY
@given(valid_seats(), UNITS)
def test_what_is_granted_only_grows_with_time_and_never_passes_the_highest_quantity(
    seats: Seats, unit: Credits
) -> None:
    instants = [JULY, *(change.effective_time for change in seats.changes), AUGUST]
    levels = [seats.quantity_at(at) for at in instants if at in (JULY,) or JULY < at < AUGUST]

    granted = [july_credits(seats, unit=unit, through=at) for at in sorted(instants)]

    assert granted == sorted(granted)
    assert granted[0] == Credits(unit.micros * seats.quantity_at(JULY))
    assert Credits(0) <= granted[-1] <= Credits(unit.micros * max(levels))


@PROPERTY
@given(valid_seats(), UNITS)
def test_a_rise_not_above_the_mark_brings_nothing(seats: Seats, unit: Credits) -> None:
    inside = [change.effective_time for change in seats.changes if JULY < change.effective_time < AUGUST]
    last = max(inside, default=JULY) + timedelta(microseconds=1)
    mark = max(seats.quantity_at(at) for at in [JULY, *inside])
    back_up = mark - seats.quantity_at(last)

    again = seats.with_change(a_seat_change(back_up, last, sequence=100)) if back_up else seats
    above = again.with_change(a_seat_change(1, last + TICK, sequence=101))

    before = july_credits(seats, unit=unit, through=AUGUST - TICK)
    assert july_credits(again, unit=unit, through=AUGUST - TICK) == before
    assert (
        july_credits(above, unit=unit, prorated=False)
        == july_credits(seats, unit=unit, prorated=False) + unit
    )


@PROPERTY
@given(valid_seats(), UNITS)
def test_prorated_never_brings_more_than_in_full(seats: Seats, unit: Credits) -> None:
    assert july_credits(seats, unit=unit) <= july_credits(seats, unit=unit, prorated=False)


@PROPERTY
@given(UNITS, INSIDE, INSIDE, INSIDE, st.booleans(), st.integers(1, 5))
def test_in_a_cut_period_an_added_seat_brings_no_more_than_one_that_was_there_and_parts_no_more_than_the_whole(
    unit: Credits, one: datetime, two: datetime, added_at: datetime, prorated: bool, seats: int
) -> None:
    start, end = sorted((one, two))
    if start == end:
        end += TICK
    cut = Period(start, end)

    def brings(*changes: tuple[datetime, int]) -> int:
        return period_credits(
            unit,
            some_seats(1, *changes),
            nominal=MONTH,
            active=cut,
            shared=cut,
            prorates_increases=prorated,
            through=AUGUST,
        ).micros

    alone = brings()
    at = min(max(added_at, start + TICK), end)

    assert 0 <= brings((at, 1)) - alone <= alone
    # Rounding down each part separately, the parts together bring at most the whole.
    assert seats * (brings((at, 1)) - alone) <= brings((at, seats)) - alone
