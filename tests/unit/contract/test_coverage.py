# SPDX-License-Identifier: Apache-2.0
"""What a period must have charged, what is still owed of it, and the laws that hold whatever happens."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.period import Period
from services.contract.domain.billing.coverage import Charge, owed, owed_from
from services.contract.domain.errors.seats import SeatsBelowZero
from services.contract.domain.seats.timeline import Timeline
from tests.unit.contract.builders import JUNE, a_change, a_timeline, day

YEAR = Period(JUNE, day(6, 1, 2026))


def _charge(seats: int, start: datetime, end: datetime = YEAR.end) -> Charge:
    return Charge(seats=seats, span=Period(start, end))


def _share(charge: Charge) -> Fraction:
    return YEAR.fraction_left(charge.span.start) - YEAR.fraction_left(charge.span.end)


def _cost(charges: tuple[Charge, ...]) -> Fraction:
    """In seats for the whole period."""
    return sum((charge.seats * _share(charge) for charge in charges), Fraction(0))


def test_a_period_begins_with_the_seats_in_force_at_its_start() -> None:
    timeline = a_timeline(4, (JUNE, 2), (JUNE, -1))

    assert owed(timeline, YEAR, (), is_prorated=True) == (_charge(5, JUNE),)


def test_no_seats_owe_nothing() -> None:
    assert owed(a_timeline(0), YEAR, (), is_prorated=True) == ()


def test_an_increase_owes_what_is_left_of_the_period() -> None:
    timeline = a_timeline(4, (day(7, 3), 1))

    assert owed(timeline, YEAR, (_charge(4, JUNE),), is_prorated=True) == (_charge(1, day(7, 3)),)


def test_down_and_up_again_owes_only_above_the_high_water_mark() -> None:
    paid = (_charge(4, JUNE), _charge(1, day(7, 3)))
    back = a_timeline(4, (day(7, 3), 1), (day(7, 10), -1), (day(7, 20), 1))
    above = a_timeline(4, (day(7, 3), 1), (day(7, 10), -1), (day(7, 20), 2))

    assert owed(back, YEAR, paid, is_prorated=True) == ()
    assert owed(above, YEAR, paid, is_prorated=True) == (_charge(1, day(7, 20)),)


def test_only_rises_up_to_an_instant_count_when_one_is_named() -> None:
    timeline = a_timeline(4, (day(7, 3), 1), (day(8, 1), 1))
    paid = (_charge(4, JUNE),)

    assert owed(timeline, YEAR, paid, is_prorated=True, through=day(7, 3)) == (_charge(1, day(7, 3)),)
    assert owed(timeline, YEAR, paid, is_prorated=True, through=day(7, 2)) == ()


def test_a_change_at_the_period_s_end_belongs_to_the_next() -> None:
    timeline = a_timeline(4, (YEAR.end, 1))

    assert owed(timeline, YEAR, (_charge(4, JUNE),), is_prorated=True) == ()


def test_a_backdated_increase_owes_from_its_own_time_on() -> None:
    timeline = a_timeline(4, (day(7, 20), 1), (day(7, 10), 1))
    paid = (_charge(4, JUNE), _charge(1, day(7, 20)))

    assert owed(timeline, YEAR, paid, is_prorated=True) == (_charge(1, day(7, 10)),)


def test_a_backdated_increase_that_a_fall_swallows_owes_where_the_mark_rises_later() -> None:
    paid = (_charge(4, JUNE), _charge(1, day(7, 20)))
    timeline = a_timeline(4, (day(7, 5), -1), (day(7, 20), 2), (day(7, 10), 1))

    assert owed(timeline, YEAR, paid, is_prorated=True) == (_charge(1, day(7, 20)),)


def test_what_is_paid_from_later_on_is_owed_only_until_then() -> None:
    # The increase of 20 July was paid, then undone by a backdated decrease, then made anew from 12 July.
    timeline = a_timeline(4, (day(7, 20), 1), (day(7, 19), -1), (day(7, 12), 1))
    paid = (_charge(4, JUNE), _charge(1, day(7, 20)))

    assert owed(timeline, YEAR, paid, is_prorated=True) == (_charge(1, day(7, 12), day(7, 20)),)


def test_a_surplus_is_never_refunded() -> None:
    timeline = a_timeline(4, (day(7, 20), 1), (day(7, 5), -1))
    paid = (_charge(4, JUNE), _charge(1, day(7, 20)))

    assert owed(timeline, YEAR, paid, is_prorated=True) == ()


def test_without_proration_seats_are_counted_whenever_they_come() -> None:
    paid = (_charge(4, JUNE), _charge(1, JUNE))
    backdated = a_timeline(4, (day(7, 20), 1), (day(7, 10), 1))
    undone = a_timeline(4, (day(7, 20), 1), (day(7, 5), -1), (day(7, 30), 1))

    assert owed(backdated, YEAR, paid, is_prorated=False) == (_charge(1, JUNE),)
    assert owed(undone, YEAR, paid, is_prorated=False) == ()


CUT = Period(JUNE, day(9, 1))


def test_a_cut_period_owes_only_the_time_before_the_cut() -> None:
    timeline = a_timeline(4, (day(7, 3), 1), (day(9, 1), 1))

    assert owed(timeline, CUT, (), is_prorated=True) == (
        _charge(4, JUNE, CUT.end),
        _charge(1, day(7, 3), CUT.end),
    )
    assert owed(timeline, CUT, (), is_prorated=False) == (_charge(5, JUNE, CUT.end),)


@pytest.mark.parametrize("is_prorated", [True, False])
def test_a_later_cut_owes_the_difference_and_an_earlier_one_nothing(is_prorated: bool) -> None:
    timeline = a_timeline(4, (day(7, 3), 1))
    paid = owed(timeline, CUT, (), is_prorated=is_prorated)

    assert owed(timeline, YEAR, paid, is_prorated=is_prorated) == (_charge(5, CUT.end),)
    assert owed(timeline, Period(JUNE, day(8, 1)), paid, is_prorated=is_prorated) == ()


@pytest.mark.parametrize("is_prorated", [True, False])
def test_the_first_instant_that_owes_something_is_named(is_prorated: bool) -> None:
    timeline = a_timeline(4, (day(7, 3), 1), (day(8, 1), 1))
    at_start = owed(timeline, YEAR, (), is_prorated=is_prorated, through=JUNE)
    everything = owed(timeline, YEAR, (), is_prorated=is_prorated)

    assert owed_from(timeline, YEAR, (), is_prorated=is_prorated) == JUNE
    assert owed_from(timeline, YEAR, at_start, is_prorated=is_prorated) == day(7, 3)
    assert owed_from(timeline, YEAR, everything, is_prorated=is_prorated) is None
    assert owed_from(a_timeline(0), YEAR, (), is_prorated=is_prorated) is None


@given(
    st.integers(0, 5),
    st.lists(st.tuples(st.integers(0, 364), st.integers(-3, 4)), max_size=6),
    st.lists(st.integers(1, 365), min_size=1, max_size=6),
    st.booleans(),
)
def test_however_often_an_end_is_moved_the_latest_one_so_far_is_charged(
    opening: int, moves: list[tuple[int, int]], ends: list[int], is_prorated: bool
) -> None:
    timeline = a_timeline(opening)
    for sequence, (at, delta) in enumerate(moves, start=1):
        with suppress(SeatsBelowZero):
            timeline = timeline.with_change(a_change(JUNE + timedelta(days=at), delta, sequence))
    paid: tuple[Charge, ...] = ()
    for end in ends:
        paid += owed(timeline, Period(JUNE, JUNE + timedelta(days=end)), paid, is_prorated=is_prorated)

    latest = Period(JUNE, JUNE + timedelta(days=max(ends)))
    assert owed(timeline, latest, paid, is_prorated=is_prorated) == ()
    assert _cost(paid) == _cost(owed(timeline, latest, (), is_prorated=is_prorated))


MOVES = st.lists(st.tuples(st.integers(0, 364), st.integers(-3, 4), st.integers(0, 364)), max_size=10)
"""Changes: the day each takes effect, its delta, and the day it is received."""


Received = tuple[Timeline, tuple[Charge, ...], tuple[Charge, ...], tuple[int, int]]


def _received(
    timeline: Timeline, moves: list[tuple[int, int, int]], *, is_prorated: bool = True
) -> Iterator[Received]:
    """Receive changes in the order of the days they come; yield the timeline, what is paid, what was charged."""
    paid: tuple[Charge, ...] = owed(timeline, YEAR, (), is_prorated=is_prorated, through=JUNE)
    for sequence, (effective, delta, come) in enumerate(sorted(moves, key=lambda move: move[2]), start=1):
        try:
            timeline = timeline.with_change(a_change(JUNE + timedelta(days=effective), delta, sequence))
        except SeatsBelowZero:
            continue
        now = JUNE + timedelta(days=come)
        charged = owed(timeline, YEAR, paid, is_prorated=is_prorated, through=now)
        paid = (*paid, *charged)
        yield timeline, paid, charged, (effective, delta)


@given(st.integers(0, 5), MOVES)
def test_one_change_never_charges_more_than_its_seats_for_what_was_left_when_it_took_effect(
    opening: int, moves: list[tuple[int, int, int]]
) -> None:
    # Received in the order of effect, so that no rise dated ahead falls due beside the change.
    in_order = [(effective, delta, effective) for effective, delta, _ in moves]
    for _, _, charged, (effective, delta) in _received(a_timeline(opening), in_order):
        left = YEAR.fraction_left(JUNE + timedelta(days=effective))
        assert _cost(charged) <= max(delta, 0) * left


@given(st.integers(0, 5), MOVES)
def test_a_period_never_charges_more_than_its_highest_seats_for_the_whole_of_it(
    opening: int, moves: list[tuple[int, int, int]]
) -> None:
    highest = opening
    for timeline, paid, _, _ in _received(a_timeline(opening), moves):
        highest = max(highest, timeline.quantity_at(JUNE), *(q for _, q in timeline.levels_after(JUNE)), 0)
        assert _cost(paid) <= highest


@given(st.integers(0, 5), MOVES)
def test_what_is_paid_always_covers_what_the_timeline_must_have_charged(
    opening: int, moves: list[tuple[int, int, int]]
) -> None:
    for timeline, paid, _, _ in _received(a_timeline(opening), moves):
        everything = (*paid, *owed(timeline, YEAR, paid, is_prorated=True))

        assert owed(timeline, YEAR, everything, is_prorated=True) == ()
        assert _cost(everything) >= _cost(owed(timeline, YEAR, (), is_prorated=True))


@given(
    st.integers(0, 5), st.lists(st.tuples(st.integers(0, 364), st.integers(1, 4)), max_size=8), st.randoms()
)
def test_increases_alone_cost_the_same_in_whatever_order_they_are_received(
    opening: int, rises: list[tuple[int, int]], chance: Random
) -> None:
    shuffled = sorted(rises, key=lambda _: chance.random())
    in_time, out_of_time = (
        sum(
            (_cost(charged) for _, _, charged, _ in _received(a_timeline(opening), moves)),
            Fraction(0),
        )
        for moves in (
            [(at, delta, 364) for at, delta in rises],
            [(at, delta, 364) for at, delta in shuffled],
        )
    )

    assert (
        in_time
        == out_of_time
        == sum(delta * YEAR.fraction_left(JUNE + timedelta(days=at)) for at, delta in rises)
    )


@given(st.integers(0, 5), st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(0, 364))
def test_an_increase_split_within_its_instant_costs_the_same(opening: int, parts: list[int], at: int) -> None:
    whole = list(_received(a_timeline(opening), [(at, sum(parts), at)]))
    split = list(_received(a_timeline(opening), [(at, part, at) for part in parts]))

    assert _cost(whole[-1][1]) == _cost(split[-1][1])


@given(st.integers(0, 5), st.lists(st.tuples(st.integers(0, 364), st.integers(1, 4)), min_size=1, max_size=6))
def test_an_increase_split_over_time_costs_at_most_what_it_costs_all_at_once(
    opening: int, parts: list[tuple[int, int]]
) -> None:
    first = min(at for at, _ in parts)
    whole = list(_received(a_timeline(opening), [(first, sum(delta for _, delta in parts), first)]))
    split = list(_received(a_timeline(opening), [(at, delta, at) for at, delta in parts]))

    assert _cost(split[-1][1]) <= _cost(whole[-1][1])


@given(st.integers(0, 5), MOVES, st.booleans())
def test_charges_are_positive_and_lie_in_the_period(
    opening: int, moves: list[tuple[int, int, int]], is_prorated: bool
) -> None:
    for _, _, charged, _ in _received(a_timeline(opening), moves, is_prorated=is_prorated):
        for charge in charged:
            assert charge.seats > 0
            assert YEAR.start <= charge.span.start < charge.span.end <= YEAR.end


@given(st.integers(0, 5), MOVES)
def test_without_proration_the_seats_paid_are_the_highest_ever_seen(
    opening: int, moves: list[tuple[int, int, int]]
) -> None:
    highest = opening
    at_once = [(effective, delta, 364) for effective, delta, _ in moves]
    for timeline, paid, _, _ in _received(a_timeline(opening), at_once, is_prorated=False):
        highest = max(highest, timeline.quantity_at(JUNE), *(q for _, q in timeline.levels_after(JUNE)), 0)
        assert sum(charge.seats for charge in paid) == highest
