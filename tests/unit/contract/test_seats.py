# SPDX-License-Identifier: Apache-2.0
"""Seats over time."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contract.domain.errors import SeatsBelowZero
from services.contract.domain.seats.timeline import Timeline
from tests.unit.contract.builders import JUNE, a_change, a_timeline, day

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


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3)), max_size=12))
def test_a_refused_change_leaves_a_timeline_that_was_never_below_zero(changes: list[tuple[int, int]]) -> None:
    timeline = Timeline(opening_quantity=2)
    for sequence, (days, delta) in enumerate(changes, start=1):
        change = a_change(JUNE + timedelta(days=days), delta, sequence)
        try:
            timeline = timeline.with_change(change)
        except SeatsBelowZero:
            assert change not in timeline.changes
        assert all(quantity >= 0 for _, quantity in timeline.running())
