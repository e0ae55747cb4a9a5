# SPDX-License-Identifier: Apache-2.0
"""Named seats: which seat ids have a seat, and who may draw shared credits.

Source: services/contract/README.md, "Named seats".
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from services.contract.domain.errors.seats import SeatAlreadyAssigned, SeatNotAssigned
from services.contract.domain.ids import SeatId

SEAT_IDS_PER_CHANGE_MAX = 1_000


class SharedPoolAccess(Enum):
    """Which seat ids may draw the customer's shared credits, behind the credits of their own seat."""

    NOBODY = "NOBODY"
    EVERYONE = "EVERYONE"
    LISTED = "LISTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedPool:
    """seat_ids: of LISTED only; they need not have a seat."""

    access: SharedPoolAccess = SharedPoolAccess.NOBODY
    seat_ids: tuple[SeatId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSeats:
    """How the seats of a subscription are named. seat_group_key: the property of usage whose value is the seat id."""

    seat_group_key: str
    shared_pool: SharedPool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatTransfer:
    """A seat that changes hands, with the rest of its credits."""

    from_seat_id: SeatId
    to_seat_id: SeatId


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatNames:
    """The seat ids of one change. In this order: unassign, the change of quantity, transfers, assign."""

    assign: tuple[SeatId, ...] = ()
    unassign: tuple[SeatId, ...] = ()
    transfers: tuple[SeatTransfer, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.assign or self.unassign or self.transfers)

    @property
    def assigned_delta(self) -> int:
        """How many more seats are assigned after it than before."""
        return len(self.assign) - len(self.unassign)

    @property
    def seat_ids(self) -> tuple[SeatId, ...]:
        moved = (seat_id for one in self.transfers for seat_id in (one.from_seat_id, one.to_seat_id))
        return (*self.unassign, *moved, *self.assign)

    def reversed(self) -> "SeatNames":
        """Return the seat ids of the opposite change."""
        back = tuple(
            SeatTransfer(from_seat_id=one.to_seat_id, to_seat_id=one.from_seat_id)
            for one in reversed(self.transfers)
        )
        return SeatNames(assign=self.unassign, unassign=self.assign, transfers=back)

    def steps(self, *, effective_time: datetime, sequence: int) -> Iterator["SeatStep"]:
        """Yield what becomes of each seat id. sequence: of the change."""

        def step(seat_id: SeatId, is_assigned: bool, other: SeatId | None = None) -> SeatStep:
            return SeatStep(
                seat_id=seat_id,
                effective_time=effective_time,
                sequence=sequence,
                is_assigned=is_assigned,
                other_seat_id=other,
            )

        yield from (step(one, False) for one in self.unassign)
        for one in self.transfers:
            yield step(one.from_seat_id, False, one.to_seat_id)
            yield step(one.to_seat_id, True, one.from_seat_id)
        yield from (step(one, True) for one in self.assign)


NO_NAMES: Final = SeatNames()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatStep:
    """A seat id gets a seat, or loses it. other_seat_id: of a transfer, the id at its other end."""

    seat_id: SeatId
    effective_time: datetime
    sequence: int
    is_assigned: bool
    other_seat_id: SeatId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatCounts:
    """The seats of a subscription at an instant, and how many of them are assigned."""

    quantity: int
    assigned: int


def refuse_conflicts(steps: Iterable[SeatStep]) -> None:
    """Raise SeatAlreadyAssigned if an id would get a second seat, SeatNotAssigned if one without a seat would lose it.

    steps: all of each id that occurs, in any order. So a backdated step is refused if a later one contradicts it.
    """
    by_id: defaultdict[SeatId, list[SeatStep]] = defaultdict(list)
    for step in steps:
        by_id[step.seat_id].append(step)
    for seat_id, its_steps in by_id.items():
        is_assigned = False
        for step in sorted(its_steps, key=lambda one: (one.effective_time, one.sequence)):
            if step.is_assigned == is_assigned:
                conflict = SeatAlreadyAssigned if is_assigned else SeatNotAssigned
                raise conflict(seat_id=seat_id, at=step.effective_time.isoformat())
            is_assigned = step.is_assigned


def names_of(steps: Iterable[SeatStep]) -> SeatNames:
    """Return the seat ids of one change from its steps, in the order of the change."""
    steps = tuple(steps)
    plain = [one for one in steps if one.other_seat_id is None]
    return SeatNames(
        assign=tuple(one.seat_id for one in plain if one.is_assigned),
        unassign=tuple(one.seat_id for one in plain if not one.is_assigned),
        transfers=tuple(
            SeatTransfer(from_seat_id=one.seat_id, to_seat_id=one.other_seat_id)
            for one in steps
            if one.other_seat_id is not None and not one.is_assigned
        ),
    )
