# SPDX-License-Identifier: Apache-2.0
"""Seats over time, and the credits that they bring to one period of a schedule.

Source: services/ledger/README.md, "Credits of a period".
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import reduce
from itertools import groupby
from operator import attrgetter

from meshkit.period import Period
from meshkit.quantity import Credits


@dataclass(frozen=True, slots=True)
class SeatChange:
    """A dated change of quantity; `sequence` orders the changes of one instant as they were received.

    quantity_delta: seats added or removed. new_quantity: the seats in force from then on, instead of a difference.
    accept_time: when Contract accepted it; None: of one that was stored before this was recorded.
    """

    effective_time: datetime
    sequence: int
    seat_change_id: str
    quantity_delta: int = 0
    new_quantity: int | None = None
    accept_time: datetime | None = None

    def quantity_after(self, quantity: int) -> int:
        """Return the seats in force after this change, if there were `quantity` before it."""
        return quantity + self.quantity_delta if self.new_quantity is None else self.new_quantity


@dataclass(frozen=True, slots=True)
class Seats:
    """The quantity of a subscription over time: initial, then dated changes in order."""

    initial_quantity: int
    changes: tuple[SeatChange, ...]

    def with_change(self, change: SeatChange) -> "Seats":
        in_order = sorted((*self.changes, change), key=attrgetter("effective_time", "sequence"))
        return Seats(self.initial_quantity, tuple(in_order))

    def without_change(self, change: SeatChange) -> "Seats":
        others = (one for one in self.changes if one.seat_change_id != change.seat_change_id)
        return Seats(self.initial_quantity, tuple(others))

    def accepted_before(self, at: datetime) -> "Seats":
        """Return the seats as far as they were accepted before `at`, or nobody knows when."""
        known = (one for one in self.changes if one.accept_time is None or one.accept_time < at)
        return Seats(self.initial_quantity, tuple(known))

    def quantity_at(self, at: datetime) -> int:
        """Return the seats in force at `at`, changes of that very instant included."""
        in_force = (change for change in self.changes if change.effective_time <= at)
        return _after(in_force, self.initial_quantity)


def _after(changes: Iterable[SeatChange], quantity: int) -> int:
    return reduce(lambda seats, change: change.quantity_after(seats), changes, quantity)


ONE = Seats(1, ())  # counted by a schedule without a subscription


def period_credits(
    unit_amount: Credits,
    seats: Seats,
    *,
    nominal: Period,
    active: Period,
    shared: Period,
    prorates_increases: bool,
    through: datetime,
) -> Credits:
    """Return what one period of a schedule grants for its seats, as known `through` an instant.

    That is the quantity at the start of `active`, plus each increase above the highest quantity so far (the high-water
    mark), prorated by what is left of `active` as a part of the `nominal` period, or as much as the seats at the start
    bring. A decrease takes nothing back. A negative quantity, which Contract refuses, would count as 0: a negative
    grant would block the pool for good. shared: the part of the `nominal` period for which the seats at the start bring
    credits: all of it, or what is left of a cut period.
    Each division rounds down to the micro, so the parts of a split increase sum to at most the whole.
    """
    share = _share(shared, nominal)
    high_water = max(0, seats.quantity_at(active.start))
    micros = _share_of(unit_amount, high_water, share)
    for effective_time, quantity in _levels(seats, active):
        if effective_time <= through and quantity > high_water:
            left = _share(Period(effective_time, active.end), nominal) if prorates_increases else share
            micros += _share_of(unit_amount, quantity - high_water, left)
            high_water = quantity
    return Credits(micros)


def _levels(seats: Seats, active: Period) -> Iterator[tuple[datetime, int]]:
    """Yield each instant inside a period, after its start, at which seats change, and the quantity after that instant.

    Seats added and removed at one instant do not count.
    """
    quantity = seats.quantity_at(active.start)
    inside = (c for c in seats.changes if active.start < c.effective_time < active.end)
    for effective_time, changes in groupby(inside, key=attrgetter("effective_time")):
        quantity = _after(changes, quantity)
        yield effective_time, quantity


def change_times(seats: Seats, active: Period) -> list[datetime]:
    """Return the instants inside a period, after its start, at which the quantity changes."""
    return sorted({c.effective_time for c in seats.changes if active.start < c.effective_time < active.end})


def _share_of(unit_amount: Credits, quantity: int, share: Fraction) -> int:
    return math.floor(unit_amount.micros * quantity * share)


def _share(part: Period, whole: Period) -> Fraction:
    return Fraction(_microseconds(part), _microseconds(whole))


def _microseconds(period: Period) -> int:
    length = period.end - period.start
    return (length.days * 86_400 + length.seconds) * 1_000_000 + length.microseconds
