# SPDX-License-Identifier: Apache-2.0
"""Seats over time."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contract.domain.errors.seats import SeatsBelowZero
from services.contract.domain.seats.timeline import Timeline
from tests.unit.contract.builders import JUNE, a_change, a_count, a_timeline, day

TICK = timedelta(microseconds=1)


def test_a_change_is_in_force_from_its_instant_on() -> None:
    timeline = a_timeline(4, (day(7, 3), 1))

    assert timeline.quantity_at(day(7, 3) - TICK) == 4
    assert timeline.quantity_at(day(7, 3)) == 5
    assert timeline.quantity_at(day(7, 3) + TICK) == 5


def test_changes_of_one_instant_apply_in_the_order_received() -> None:
    removed_first = a_timeline(3, (day(7, 3), -3), (day(7, 3), 5))

    assert [quantity for _, quantity in removed_first.running()] == [0, 5]
    with pytest.raises(SeatsBelowZero):
        a_timeline(3, (day(7, 3), -4), (day(7, 3), 5))


@pytest.mark.parametrize(("delta", "is_possible"), [(-3, True), (-4, True), (-5, False)])
def test_seats_may_fall_to_zero_and_no_further(delta: int, *, is_possible: bool) -> None:
    if is_possible:
        assert a_timeline(4, (day(7, 3), delta)).quantity_at(day(7, 3)) == 4 + delta
    else:
        with pytest.raises(SeatsBelowZero) as refusal:
            a_timeline(4, (day(7, 3), delta))
        assert refusal.value.metadata == {
            "subscription_id": "sub_1",
            "at": day(7, 3).isoformat(),
            "quantity": "-1",
        }


def test_a_backdated_decrease_may_not_push_a_later_point_below_zero() -> None:
    timeline = a_timeline(4, (day(7, 10), -3), (day(7, 20), 2))

    assert timeline.with_change(a_change(day(7, 3), -1, 3)).quantity_at(day(7, 10)) == 0
    with pytest.raises(SeatsBelowZero) as refusal:
        timeline.with_change(a_change(day(7, 3), -2, 3))
    assert refusal.value.metadata["at"] == day(7, 10).isoformat()


def test_a_decrease_in_the_future_counts_too() -> None:
    timeline = a_timeline(4, (day(12, 1), -4))

    with pytest.raises(SeatsBelowZero):
        timeline.with_change(a_change(day(7, 3), -1, 2))


def test_golden_an_absolute_count_holds_until_the_next_change() -> None:
    timeline = a_timeline(4).with_change(a_count(day(7, 1), 2)).with_change(a_count(day(6, 10), 5, 2))

    assert [timeline.quantity_at(at) for at in (day(6, 9), day(6, 10), day(7, 1) - TICK, day(7, 1))] == [
        4,
        5,
        5,
        2,
    ]


def test_golden_an_earlier_dated_count_that_arrives_later_does_not_shift_a_later_one() -> None:
    timeline = a_timeline(4).with_change(a_count(day(6, 20), 5)).with_change(a_count(day(6, 10), 6, 2))

    assert [timeline.quantity_at(at) for at in (JUNE, day(6, 10), day(6, 20) - TICK, day(6, 20))] == [
        4,
        6,
        6,
        5,
    ]


def test_a_delta_adds_to_the_count_before_it() -> None:
    timeline = a_timeline(4).with_change(a_count(day(6, 10), 2)).with_change(a_change(day(6, 20), 3, 2))

    assert timeline.quantity_at(day(6, 20)) == 5
    # An earlier delta changes only what is before the count.
    assert timeline.with_change(a_change(day(6, 5), 9, 3)).running().__next__()[1] == 13
    assert timeline.with_change(a_change(day(6, 5), 9, 3)).quantity_at(day(6, 20)) == 5


@pytest.mark.parametrize(("count", "is_possible"), [(3, True), (2, False)])
def test_a_count_may_not_push_a_later_delta_below_zero(count: int, *, is_possible: bool) -> None:
    timeline = a_timeline(4, (day(7, 10), -3))

    if is_possible:
        assert timeline.with_change(a_count(day(7, 3), count, 2)).quantity_at(day(7, 10)) == 0
    else:
        with pytest.raises(SeatsBelowZero) as refusal:
            timeline.with_change(a_count(day(7, 3), count, 2))
        assert refusal.value.metadata["at"] == day(7, 10).isoformat()


def test_what_is_dated_at_the_end_never_takes_effect() -> None:
    timeline = a_timeline(4, (day(7, 3), 1), (day(7, 10), 1))

    assert timeline.until(day(7, 10)).quantity_at(day(8, 1)) == 5
    assert timeline.until(day(7, 10) + TICK).quantity_at(day(8, 1)) == 6
    assert timeline.until(None) == timeline


def test_an_instant_shows_the_seats_once_it_is_over() -> None:
    timeline = a_timeline(4, (day(7, 3), 5), (day(7, 3), -4), (day(7, 10), -1))

    assert list(timeline.levels_after(JUNE)) == [(day(7, 3), 5), (day(7, 10), 4)]
    assert list(timeline.levels_after(day(7, 3))) == [(day(7, 10), 4)]
    assert timeline.peak() == 9


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(-3, 5)), unique_by=lambda c: c[0]), st.randoms())
def test_changes_of_different_instants_come_to_the_same_whatever_their_order(
    changes: list[tuple[int, int]], chance: Random
) -> None:
    dated = [(JUNE + timedelta(days=days), delta) for days, delta in changes]
    shuffled = sorted(dated, key=lambda _: chance.random())

    one, other = a_timeline(1_000, *dated), a_timeline(1_000, *shuffled)

    assert [(c.effective_time, quantity) for c, quantity in one.running()] == [
        (c.effective_time, quantity) for c, quantity in other.running()
    ]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3), st.booleans()), max_size=12))
def test_a_refused_change_leaves_a_timeline_that_was_never_below_zero(
    changes: list[tuple[int, int, bool]],
) -> None:
    timeline = Timeline(opening_quantity=2)
    for sequence, (days, number, is_count) in enumerate(changes, start=1):
        at = JUNE + timedelta(days=days)
        change = a_count(at, abs(number), sequence) if is_count else a_change(at, number, sequence)
        try:
            timeline = timeline.with_change(change)
        except SeatsBelowZero:
            assert change not in timeline.changes
        assert all(quantity >= 0 for _, quantity in timeline.running())
