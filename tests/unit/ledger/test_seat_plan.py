# SPDX-License-Identifier: Apache-2.0
"""Slots over time: which of them a change opens or ends, and who occupies which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from meshkit.period import Period
from meshkit.quantity import Credits
from services.ledger.domain.credits.proration import SeatChange, Seats, period_credits
from services.ledger.domain.credits.seat_plan import NamedChange, SeatMoves, SeatPlan, plan_seats
from tests.unit.ledger.builders import JULY, JUNE, PROPERTY, when

DAY = timedelta(days=1)
LATE = when("06-30")


def a_change(
    number: int,
    day: int,
    delta: int = 0,
    *,
    assign: Sequence[str] = (),
    unassign: Sequence[str] = (),
    transfers: Sequence[tuple[str, str]] = (),
    new_quantity: int | None = None,
) -> NamedChange:
    """Return a change on a day of June, counted from 1."""
    change = SeatChange(JUNE + (day - 1) * DAY, number, f"chg_{number}", delta, new_quantity)
    moves = SeatMoves(assign=tuple(assign), unassign=tuple(unassign), transfers=tuple(transfers))
    return NamedChange(change, moves)


def planned(
    *changes: NamedChange,
    seats: int = 3,
    rests: Mapping[int, int] | None = None,
    at: datetime = LATE,
    known: SeatPlan | None = None,
) -> SeatPlan:
    return plan_seats(
        changes,
        known or SeatPlan(seats),
        at=at,
        rests={number: Credits.of(rest) for number, rest in (rests or {}).items()},
        rest_of_unread=lambda seats: Credits.of(100 * seats.quantity_at(at)),
    )


def slots_at(plan: SeatPlan, at: datetime) -> dict[str, int]:
    return {span.seat_id: span.slot for span in plan.spans if span.is_in_force(at)}


def open_at(plan: SeatPlan, at: datetime) -> set[int]:
    top = max([plan.initial_quantity, *(turn.last for turn in plan.turns)])
    return {number for number in range(1, top + 1) if plan.seats_of(number).quantity_at(at)}


def test_ids_take_the_lowest_of_slots_with_equal_rests() -> None:
    plan = planned(a_change(1, 1, assign=["ann", "bob"]))

    assert slots_at(plan, JUNE) == {"ann": 1, "bob": 2}


def test_an_id_takes_the_free_slot_with_the_largest_rest() -> None:
    first = planned(a_change(1, 1, assign=["ann"]), rests={1: 30, 2: 60, 3: 59})
    tie = planned(a_change(1, 1, assign=["ann"]), rests={1: 59, 2: 60, 3: 60})

    assert slots_at(first, JUNE) == {"ann": 2}
    assert slots_at(tie, JUNE) == {"ann": 2}


def test_a_slot_that_nobody_used_is_preferred_to_one_that_was_drawn_from() -> None:
    plan = planned(a_change(1, 1, assign=["ann"]), rests={1: 99, 2: 99})

    assert slots_at(plan, JUNE) == {"ann": 3}


def test_an_increase_opens_new_slots_and_one_change_is_one_range() -> None:
    plan = planned(a_change(1, 3, 10_000), seats=2)

    assert [(turn.first, turn.last, turn.opens) for turn in plan.turns] == [(3, 10_002, True)]
    assert plan.seats_of(10_002).quantity_at(when("06-03")) == 1
    assert plan.seats_of(10_002).quantity_at(when("06-03") - timedelta.resolution) == 0
    assert plan.seats_of(10_003).quantity_at(JULY) == 0


def test_a_decrease_ends_the_highest_free_slot_and_not_one_that_is_occupied() -> None:
    plan = planned(
        a_change(1, 1, assign=["ann", "bob", "carol"]),
        a_change(2, 2, unassign=["bob"]),
        a_change(3, 3, -1),
    )

    assert open_at(plan, when("06-03")) == {1, 3}
    assert slots_at(plan, when("06-03")) == {"ann": 1, "carol": 3}


def test_a_change_unassigns_before_it_ends_seats_and_assigns_after_it_adds_some() -> None:
    down = planned(a_change(1, 1, assign=["ann", "bob"]), a_change(2, 2, -1, unassign=["bob"]), seats=2)
    up = planned(a_change(1, 1, assign=["ann"]), a_change(2, 2, 1, assign=["bob"]), seats=1)

    assert (open_at(down, when("06-02")), slots_at(down, when("06-02"))) == ({1}, {"ann": 1})
    assert (open_at(up, when("06-02")), slots_at(up, when("06-02"))) == ({1, 2}, {"ann": 1, "bob": 2})


def test_what_ended_last_is_opened_first() -> None:
    plan = planned(a_change(1, 2, -1), a_change(2, 3, -1), a_change(3, 4, 1))

    assert open_at(plan, when("06-03")) == {1}
    assert open_at(plan, when("06-04")) == {1, 2}


def test_a_transfer_keeps_the_slot_and_the_old_id_has_none() -> None:
    plan = planned(a_change(1, 1, assign=["ann"]), a_change(2, 2, transfers=[("ann", "bob")]))

    assert slots_at(plan, when("06-02")) == {"bob": 1}
    assert slots_at(plan, when("06-02") - timedelta.resolution) == {"ann": 1}


def test_an_id_that_has_a_seat_keeps_it_and_one_too_many_has_none() -> None:
    plan = planned(a_change(1, 1, assign=["ann"]), a_change(2, 2, assign=["ann", "bob"]), seats=1)

    assert slots_at(plan, when("06-02")) == {"ann": 1}
    assert [span.start_time for span in plan.spans] == [JUNE]


def test_a_choice_that_was_made_stays_whatever_the_rests_are_later() -> None:
    changes = [a_change(1, 1, assign=["ann"])]
    known = planned(*changes, rests={1: 10, 2: 100, 3: 50})

    later = planned(*changes, a_change(2, 2, assign=["bob"]), rests={1: 99, 2: 0, 3: 50}, known=known)

    assert slots_at(later, when("06-02")) == {"ann": 2, "bob": 1}


def test_a_choice_for_a_time_that_has_not_come_is_made_again() -> None:
    changes = [a_change(1, 20, assign=["ann"])]
    known = planned(*changes, rests={1: 10, 2: 100, 3: 50}, at=when("06-10"))

    later = planned(*changes, rests={1: 99, 2: 0, 3: 50}, at=when("06-11"), known=known)

    assert slots_at(known, when("06-20")) == {"ann": 2}
    assert slots_at(later, when("06-20")) == {"ann": 1}


def test_an_assignment_that_is_told_late_leaves_slots_alone_that_were_taken_meanwhile() -> None:
    changes = [a_change(1, 10, assign=["ann"])]
    known = planned(*changes)

    later = planned(*changes, a_change(2, 5, assign=["bob"]), known=known)

    assert slots_at(later, when("06-10")) == {"ann": 1, "bob": 2}


@dataclass(frozen=True)
class Notices:
    """What a Contract could send: never more ids than seats at any instant, and no id twice."""

    seats: int
    changes: list[NamedChange]


@st.composite
def notices(draw: st.DrawFn) -> Notices:
    """Draw changes in the order of their times, so that what is allowed is easy to see."""
    seats = quantity = draw(st.integers(0, 4))
    assigned: set[str] = set()
    changes = []
    for number in range(1, draw(st.integers(1, 10)) + 1):
        leaving = draw(st.lists(st.sampled_from(sorted(assigned)), unique=True)) if assigned else []
        assigned -= set(leaving)
        delta = draw(st.integers(len(assigned) - quantity, 3))
        quantity += delta
        free = [name for name in "abcdef" if name not in assigned]
        arriving = (
            draw(st.lists(st.sampled_from(free), unique=True, max_size=quantity - len(assigned)))
            if free
            else []
        )
        assigned |= set(arriving)
        day = draw(st.integers(3 * number - 2, 3 * number))
        changes.append(a_change(number, day, delta, assign=arriving, unassign=leaving))
    return Notices(seats, changes)


@given(told=notices(), drawn=st.dictionaries(st.integers(1, 8), st.integers(0, 99)), today=st.integers(1, 30))
@PROPERTY
def test_whatever_is_told_slots_are_as_many_as_seats_and_each_id_has_one(
    told: Notices, drawn: dict[int, int], today: int
) -> None:
    """Each notice is planned when it arrives: those dated up to today at their time, the others today."""
    plan = SeatPlan(told.seats)
    for count, one in enumerate(told.changes, start=1):
        at = min(one.change.effective_time, JUNE + (today - 1) * DAY)
        plan = planned(*told.changes[:count], known=plan, rests=drawn, at=at)

    seats = Seats(told.seats, tuple(one.change for one in told.changes))
    for day in range(31):
        at = JUNE + day * DAY
        names: set[str] = set()
        for one in told.changes:
            if one.change.effective_time <= at:
                names = (names - set(one.moves.unassign)) | set(one.moves.assign)
        slots = slots_at(plan, at)
        assert len(open_at(plan, at)) == seats.quantity_at(at)
        assert slots.keys() == names
        assert len(set(slots.values())) == len(slots)
        assert set(slots.values()) <= open_at(plan, at)


@given(
    told=notices(), order=st.randoms(use_true_random=False), days=st.lists(st.integers(1, 30), min_size=10)
)
@PROPERTY
def test_in_whatever_order_changes_arrive_all_ids_have_their_seats_in_the_end(
    told: Notices, order: Random, days: list[int]
) -> None:
    arriving = list(told.changes)
    order.shuffle(arriving)
    plan = SeatPlan(told.seats)
    for count, today in zip(range(1, len(arriving) + 1), sorted(days), strict=False):
        plan = planned(*arriving[:count], known=plan, at=JUNE + (today - 1) * DAY)

    for day in range(31):
        at = JUNE + day * DAY
        names: set[str] = set()
        for one in told.changes:
            if one.change.effective_time <= at:
                names = (names - set(one.moves.unassign)) | set(one.moves.assign)
        slots = slots_at(plan, at)
        assert slots.keys() == names
        assert len(set(slots.values())) == len(slots)
        assert len([span for span in plan.spans if span.is_in_force(at)]) == len(slots)


@given(told=notices(), unit=st.integers(1, 100), prorates=st.booleans())
@PROPERTY
def test_slots_bring_together_what_as_many_seats_bring_but_for_the_rounding_of_each(
    told: Notices, unit: int, prorates: bool
) -> None:
    plan = planned(*told.changes, seats=told.seats)
    june = Period(JUNE, JULY)

    def brought(seats: Seats) -> int:
        return period_credits(
            Credits.of(unit),
            seats,
            nominal=june,
            active=june,
            shared=june,
            prorates_increases=prorates,
            through=JULY,
        ).micros

    top = max([plan.initial_quantity, *(turn.last for turn in plan.turns)])
    slots = sum(brought(plan.seats_of(number)) for number in range(1, top + 1))
    together = brought(Seats(told.seats, tuple(one.change for one in told.changes)))
    assert together - top <= slots <= together
