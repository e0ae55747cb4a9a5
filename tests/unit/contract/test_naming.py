# SPDX-License-Identifier: Apache-2.0
"""Named seats: an id has one seat or none at every instant, and there is a seat for each."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contract.domain.errors.seats import (
    SeatAlreadyAssigned,
    SeatNotAssigned,
    SeatsBelowZero,
    TooFewSeats,
)
from services.contract.domain.ids import SeatId
from services.contract.domain.seats.naming import (
    SeatNames,
    SeatStep,
    SeatTransfer,
    names_of,
    refuse_conflicts,
)
from services.contract.domain.seats.timeline import SeatChange, Timeline
from tests.unit.contract.builders import JUNE, a_change, day

ANN, BOB = SeatId("ann"), SeatId("bob")
IDS = [SeatId(one) for one in ("ann", "bob", "cleo", "dan")]


def a_step(number: int, *, is_assigned: bool, sequence: int = 1, seat_id: SeatId = ANN) -> SeatStep:
    return SeatStep(
        seat_id=seat_id, effective_time=day(6, number), sequence=sequence, is_assigned=is_assigned
    )


def naming(number: int, delta: int, assigned: int, sequence: int) -> SeatChange:
    return replace(a_change(day(6, number), delta, sequence), assigned_delta=assigned)


def test_an_id_may_get_and_lose_its_seat_again_and_again() -> None:
    refuse_conflicts(a_step(number, is_assigned=number % 2 == 1) for number in (4, 2, 1, 3))


@pytest.mark.parametrize("first", [1, 2])
def test_steps_of_one_instant_count_in_the_order_received(first: int) -> None:
    steps = [
        a_step(1, is_assigned=True, sequence=first),
        a_step(1, is_assigned=False, sequence=3 - first),
    ]

    if first == 1:
        refuse_conflicts(steps)
    else:
        with pytest.raises(SeatNotAssigned):
            refuse_conflicts(steps)


def test_a_second_seat_and_a_seat_that_is_not_there_are_named_with_their_instant() -> None:
    with pytest.raises(SeatAlreadyAssigned) as twice:
        refuse_conflicts([a_step(3, is_assigned=True), a_step(2, is_assigned=True)])
    with pytest.raises(SeatNotAssigned) as never:
        refuse_conflicts([a_step(2, is_assigned=True), a_step(3, is_assigned=False, seat_id=BOB)])

    assert twice.value.metadata == {"seat_id": "ann", "at": day(6, 3).isoformat()}
    assert never.value.metadata == {"seat_id": "bob", "at": day(6, 3).isoformat()}


def test_a_change_is_read_back_from_its_steps() -> None:
    names = SeatNames(
        assign=(SeatId("z"), SeatId("a")),
        unassign=(BOB,),
        transfers=(SeatTransfer(from_seat_id=ANN, to_seat_id=SeatId("m")),),
    )

    assert names_of(names.steps(effective_time=JUNE, sequence=7)) == names
    assert names.assigned_delta == 1
    assert names_of([]) == SeatNames()


def test_there_is_a_seat_for_each_id_at_every_point_of_the_timeline() -> None:
    timeline = Timeline(opening_quantity=3, opening_assigned=2).with_change(naming(20, -1, 0, 1))

    assert timeline.with_change(naming(10, 1, 1, 2)).assigned_at(day(6, 20)) == 3
    with pytest.raises(TooFewSeats) as refusal:
        timeline.with_change(naming(10, 0, 1, 2))
    assert refusal.value.metadata == {
        "subscription_id": "sub_1",
        "at": day(6, 20).isoformat(),
        "quantity": "2",
        "assigned": "3",
    }
    assert timeline.with_change(naming(20, 0, -1, 2)).assigned_at(day(6, 20)) == 1
    assert timeline.with_change(naming(20, 0, -1, 2)).assigned_at(day(6, 20) - timedelta(days=1)) == 2


@given(
    st.lists(
        st.tuples(
            st.integers(1, 30),
            st.integers(-2, 2),
            st.sets(st.sampled_from(IDS)),
            st.sets(st.sampled_from(IDS)),
        ),
        max_size=12,
    )
)
def test_whatever_is_accepted_leaves_every_instant_with_distinct_ids_and_seats_for_them(
    wishes: list[tuple[int, int, set[SeatId], set[SeatId]]],
) -> None:
    """Compared with who has a seat on each day, replayed from the accepted changes alone."""
    timeline = Timeline(opening_quantity=2)
    accepted: list[tuple[SeatChange, SeatNames]] = []
    steps: list[SeatStep] = []
    for number, delta, assign, unassign in wishes:
        names = SeatNames(assign=tuple(assign - unassign), unassign=tuple(unassign - assign))
        change = naming(number, delta, names.assigned_delta, len(accepted) + 1)
        new = list(names.steps(effective_time=change.effective_time, sequence=change.sequence))
        try:
            refuse_conflicts([*steps, *new])
            timeline = timeline.with_change(change)
        except (SeatAlreadyAssigned, SeatNotAssigned, TooFewSeats, SeatsBelowZero):
            continue
        steps += new
        accepted.append((change, names))
    quantity, seated = 2, set[SeatId]()
    for change, names in sorted(accepted, key=lambda one: (one[0].effective_time, one[0].sequence)):
        assert set(names.unassign) <= seated
        seated -= set(names.unassign)
        quantity += change.quantity_delta
        assert not seated & set(names.assign)
        seated |= set(names.assign)
        assert len(seated) <= quantity
