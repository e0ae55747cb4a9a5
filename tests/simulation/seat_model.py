# SPDX-License-Identifier: Apache-2.0
"""An independent model of named seats: plain lists of slots, months and rests, in micros.

It knows one contract with 100 credits per seat and month, prorated by the microsecond. All that happens, happens now.
"""

from dataclasses import dataclass, field
from datetime import datetime

UNIT = 100_000_000


def month_of(at: datetime) -> datetime:
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_after(start: datetime) -> datetime:
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)


@dataclass
class ModelSlot:
    """A seat that was bought. rest: of the present month. had: whether the month has granted it anything yet."""

    is_open: bool = True
    occupant: str | None = None
    rest: int = 0
    had: bool = False


@dataclass
class SeatModel:
    """What a customer's seats and shared credits are. shares: who may draw shared credits; None: everyone.

    held: by hold, what it took from a slot and from the pool.
    """

    month: datetime
    shared: int
    shares: frozenset[str] | None
    slots: list[ModelSlot] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    held: dict[str, list[tuple[ModelSlot | None, datetime, int]]] = field(default_factory=dict)

    def advance(self, at: datetime) -> None:
        while month_after(self.month) <= at:
            self.month = month_after(self.month)
            for slot in self.slots:
                slot.rest, slot.had = (UNIT, True) if slot.is_open else (0, False)

    def open_seats(self) -> int:
        return sum(slot.is_open for slot in self.slots)

    def add(self, count: int, at: datetime) -> None:
        for _ in range(count):
            if self.ended:
                slot = self.slots[self.ended.pop()]
                slot.is_open = True
            else:
                slot = ModelSlot()
                self.slots.append(slot)
            if not slot.had:
                length = month_after(self.month) - self.month
                left = month_after(self.month) - at
                slot.rest += (
                    UNIT
                    * (left.days * 86_400_000_000 + left.seconds * 1_000_000 + left.microseconds)
                    // (length.days * 86_400_000_000)
                )
                slot.had = True

    def remove(self, count: int) -> None:
        """End free slots, the highest first; of one change, the lowest is reopened first."""
        for number in range(len(self.slots) - 1, -1, -1):
            slot = self.slots[number]
            if count and slot.is_open and slot.occupant is None:
                slot.is_open = False
                self.ended.append(number)
                count -= 1

    def slot_of(self, seat_id: str) -> ModelSlot | None:
        return next((slot for slot in self.slots if slot.occupant == seat_id), None)

    def assign(self, seat_id: str) -> None:
        free = [slot for slot in self.slots if slot.is_open and slot.occupant is None]
        max(free, key=lambda slot: slot.rest).occupant = seat_id  # the first one of equal ones

    def unassign(self, seat_id: str) -> None:
        slot = self.slot_of(seat_id)
        assert slot is not None
        slot.occupant = None

    def available(self, seat_id: str) -> int | None:
        """Return what a call of an id can draw; None if it has no seat."""
        slot = self.slot_of(seat_id)
        if slot is None:
            return None
        may_share = self.shares is None or seat_id in self.shares
        return slot.rest + (self.shared if may_share else 0)

    def draw(self, seat_id: str, amount: int) -> list[tuple[ModelSlot | None, datetime, int]]:
        """Take credits of an id that has them: of its slot first."""
        slot = self.slot_of(seat_id)
        assert slot is not None
        own = min(slot.rest, amount)
        slot.rest -= own
        self.shared -= amount - own
        return [(slot, self.month, own), (None, self.month, amount - own)]

    def give_back(self, hold_id: str, kept: int) -> None:
        """End a hold of which `kept` is captured: the last draws come back, unless their month is over."""
        for slot, month, amount in self.held.pop(hold_id):
            back = max(0, amount - kept)
            kept -= amount - back
            if slot is None:
                self.shared += back
            elif month == self.month:
                slot.rest += back
