# SPDX-License-Identifier: Apache-2.0
"""Seats over time: dated changes; changes of the same instant in the order received.

Source: services/contract/README.md, "Seats".
"""

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from services.contract.domain.errors.seats import SeatsBelowZero, TooFewSeats
from services.contract.domain.ids import SeatChangeId, SubscriptionId

SEATS_MAX = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatChange:
    """A dated change of the seats. With `new_quantity` it is an absolute count, otherwise `quantity_delta` adds.

    sequence: position among the subscription's changes as received, from 1. quantity_delta: seats added (> 0) or
    removed (< 0); of an absolute count the difference that it made when it was received, for information only.
    new_quantity: the seats from `effective_time` until the next change, whatever arrives later; None: a delta.
    assigned_delta: how many more seats are assigned after it than before.
    """

    seat_change_id: SeatChangeId
    subscription_id: SubscriptionId
    sequence: int
    effective_time: datetime
    quantity_delta: int
    create_time: datetime
    new_quantity: int | None = None
    assigned_delta: int = 0

    def applied_to(self, quantity: int) -> int:
        """Return the seats after the change, if there were `quantity` before it."""
        return quantity + self.quantity_delta if self.new_quantity is None else self.new_quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The seats of one subscription: `opening_quantity`, then changes by effective_time and sequence.

    opening_assigned: how many of the opening seats are assigned.
    """

    opening_quantity: int
    changes: tuple[SeatChange, ...] = ()
    opening_assigned: int = 0

    def quantity_at(self, at: datetime) -> int:
        """Return the seats in force at `at`, including changes of that instant."""
        quantity = self.opening_quantity
        for change in self.changes:
            if change.effective_time > at:
                break
            quantity = change.applied_to(quantity)
        return quantity

    def assigned_at(self, at: datetime) -> int:
        """Return how many seats are assigned at `at`, including changes of that instant."""
        changes = (one.assigned_delta for one in self.changes if one.effective_time <= at)
        return self.opening_assigned + sum(changes)

    def levels_after(self, at: datetime) -> Iterator[tuple[datetime, int]]:
        """Yield each later instant with changes, and the seats in force after all of its changes."""
        quantity = self.quantity_at(at)
        later = [change for change in self.changes if change.effective_time > at]
        for position, change in enumerate(later):
            quantity = change.applied_to(quantity)
            is_last = position + 1 == len(later) or later[position + 1].effective_time > change.effective_time
            if is_last:
                yield change.effective_time, quantity

    def has_change_at(self, at: datetime) -> bool:
        return any(change.effective_time == at for change in self.changes)

    def with_change(self, change: SeatChange) -> "Timeline":
        """Return the timeline with one more change.

        Raises SeatsBelowZero if any point would be below zero, TooFewSeats if more were assigned than there are.
        """
        changes = list(self.changes)
        insort(changes, change, key=_order)
        return replace(self, changes=tuple(changes))._checked(change.subscription_id)

    def without(self, change: SeatChange) -> "Timeline":
        """Return the timeline as if a change had never been received. Raises as with_change."""
        changes = tuple(one for one in self.changes if one.sequence != change.sequence)
        return replace(self, changes=changes)._checked(change.subscription_id)

    def _checked(self, subscription_id: SubscriptionId) -> "Timeline":
        assigned = self.opening_assigned
        for one, quantity in self.running():
            assigned += one.assigned_delta
            if quantity < 0:
                raise SeatsBelowZero(
                    subscription_id=subscription_id,
                    at=one.effective_time.isoformat(),
                    quantity=str(quantity),
                )
            if quantity < assigned:
                raise TooFewSeats(
                    subscription_id=subscription_id,
                    at=one.effective_time.isoformat(),
                    quantity=str(quantity),
                    assigned=str(assigned),
                )
        return self

    def until(self, end: datetime | None) -> "Timeline":
        """Return the timeline without the changes at or after `end`; None: the whole timeline."""
        if end is None:
            return self
        return replace(self, changes=tuple(change for change in self.changes if change.effective_time < end))

    def running(self) -> Iterator[tuple[SeatChange, int]]:
        """Yield each change in order, with the quantity right after it."""
        quantity = self.opening_quantity
        for change in self.changes:
            quantity = change.applied_to(quantity)
            yield change, quantity

    def peak(self) -> int:
        """Return the highest quantity on the timeline."""
        return max((quantity for _, quantity in self.running()), default=self.opening_quantity)


def _order(change: SeatChange) -> tuple[datetime, int]:
    return change.effective_time, change.sequence
