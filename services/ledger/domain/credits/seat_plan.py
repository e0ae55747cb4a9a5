# SPDX-License-Identifier: Apache-2.0
"""Which slots a subscription with named seats has over time, and which seat id occupies which of them.

A pure function of all changes of the subscription and of the choices that were made so far. An increase reopens the
slots that ended last, and then opens new ones; a decrease ends free slots, the highest first; an id that gets a seat
takes the free slot with the largest rest. So a slot never loses its credits to another one, and a free slot is ended
before one that is occupied. Source: services/ledger/README.md, "Named seats".
"""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits.proration import SeatChange, Seats

# The slots of one subscription are counted from 1.
SlotNumber = int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatMoves:
    """What a change does to seat ids, in this order: they lose their seats, pass them on, get seats."""

    unassign: tuple[str, ...] = ()
    transfers: tuple[tuple[str, str], ...] = ()
    assign: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.unassign or self.transfers or self.assign)


NO_MOVES = SeatMoves()


@dataclass(frozen=True, slots=True)
class NamedChange:
    """A change of a subscription with named seats."""

    change: SeatChange
    moves: SeatMoves


@dataclass(frozen=True, slots=True)
class SlotTurn:
    """Slots from `first` to `last` that a change opens or ends."""

    change: SeatChange
    first: SlotNumber
    last: SlotNumber
    opens: bool

    def concerns(self, number: SlotNumber) -> bool:
        return self.first <= number <= self.last


@dataclass(frozen=True, slots=True)
class SeatSpan:
    """A seat id occupies a slot over `[start_time, end_time)`; None: until further notice."""

    seat_id: str
    slot: SlotNumber
    start_time: datetime
    end_time: datetime | None = None

    def is_in_force(self, at: datetime) -> bool:
        return self.start_time <= at and (self.end_time is None or at < self.end_time)


@dataclass(frozen=True, slots=True)
class SeatPlan:
    """The slots of a subscription over time. initial_quantity: slots 1 to this one exist from its start."""

    initial_quantity: int
    turns: tuple[SlotTurn, ...] = ()
    spans: tuple[SeatSpan, ...] = ()

    @property
    def slots_max(self) -> int:
        """The number of the highest slot that there ever was."""
        return max([self.initial_quantity, *(turn.last for turn in self.turns)])

    def seats_of(self, number: SlotNumber) -> Seats:
        """Return the seat of one slot over time: 0 or 1."""
        turns = [turn for turn in self.turns if turn.concerns(number)]
        return Seats(
            1 if number <= self.initial_quantity else 0,
            tuple(
                replace(turn.change, quantity_delta=1 if turn.opens else -1, new_quantity=None)
                for turn in turns
            ),
        )

    def differing_from(self, other: "SeatPlan") -> list[tuple[SlotNumber, SlotNumber]]:
        """Return the slots whose seats differ from those in another plan, as ranges."""
        return [
            (first, last)
            for first, last in self.alike(other)
            if self.seats_of(first) != other.seats_of(first)
        ]

    def alike(self, other: "SeatPlan") -> list[tuple[SlotNumber, SlotNumber]]:
        """Return all slots of two plans as ranges, first and last, of slots with equal seats in each of the plans."""
        firsts = {1}
        for plan in (self, other):
            firsts.add(plan.initial_quantity + 1)
            for turn in plan.turns:
                firsts |= {turn.first, turn.last + 1}
        ordered = sorted(firsts)
        return [(first, after - 1) for first, after in itertools.pairwise(ordered)]


def plan_seats(
    changes: Sequence[NamedChange],
    known: SeatPlan,
    *,
    at: datetime,
    rests: Mapping[SlotNumber, Credits],
    rest_of_unread: Callable[[Seats], Credits],
) -> SeatPlan:
    """Return the plan with all changes. known: the plan so far, without some of the changes.

    What was chosen for instants up to `at` stays, as far as the changes allow it; the rest is chosen anew. rests: of
    slots that were read, now. rest_of_unread: of a slot that nobody has used, by its seats over time.
    """
    planner = _Planner(known, at=at, rests=rests, rest_of_unread=rest_of_unread)
    for one in sorted(changes, key=lambda one: (one.change.effective_time, one.change.sequence)):
        planner.carry_out(one)
    return planner.plan()


class _Planner:
    """Carries out changes in the order of their times."""

    def __init__(
        self,
        known: SeatPlan,
        *,
        at: datetime,
        rests: Mapping[SlotNumber, Credits],
        rest_of_unread: Callable[[Seats], Credits],
    ) -> None:
        self._rests = rests
        self._rest_of_unread = rest_of_unread
        self._initial = known.initial_quantity
        self._quantity = known.initial_quantity
        self._top = known.initial_quantity
        self._ended: list[SlotNumber] = []
        self._is_ended: set[SlotNumber] = set()
        self._occupied: dict[str, SeatSpan] = {}
        self._occupants: dict[SlotNumber, str] = {}
        self._turns: list[SlotTurn] = []
        # Of the slots that were opened or ended one by one, their turns; the others only have the one that opened them.
        self._history: dict[SlotNumber, tuple[SlotTurn, ...]] = {}
        self._spans: list[SeatSpan] = []
        # Slots that were read, the largest rest first. What is at the front and not free is dropped; it comes back when
        # its occupant leaves.
        self._read = [(Credits(0) - rest, number) for number, rest in rests.items()]
        heapq.heapify(self._read)
        # Slots that nobody has used, by their turns: of each, the lowest free one is a candidate.
        self._unread: dict[tuple[SlotTurn, ...], list[SlotNumber]] = {(): list(range(1, self._top + 1))}
        self._taken = {(one.seat_id, one.start_time): one.slot for one in known.spans if one.start_time <= at}
        self._entered_last: dict[SlotNumber, datetime] = {}
        for (_, start_time), slot in self._taken.items():
            self._entered_last[slot] = max(start_time, self._entered_last.get(slot, start_time))
        self._ended_before: dict[str, list[SlotNumber]] = defaultdict(list)
        for turn in known.turns:
            if not turn.opens and turn.change.effective_time <= at:
                self._ended_before[turn.change.seat_change_id] += range(turn.first, turn.last + 1)

    def plan(self) -> SeatPlan:
        return SeatPlan(self._initial, tuple(self._turns), (*self._spans, *self._occupied.values()))

    def carry_out(self, one: NamedChange) -> None:
        change, moves = one.change, one.moves
        for seat_id in moves.unassign:
            self._leave(seat_id, change.effective_time)
        before, self._quantity = self._quantity, max(0, change.quantity_after(self._quantity))
        if self._quantity > before:
            self._open(change, self._quantity - before)
        elif self._quantity < before:
            self._end(change, before - self._quantity)
        for from_id, to_id in moves.transfers:
            if to_id not in self._occupied and (slot := self._leave(from_id, change.effective_time)):
                self._enter(to_id, slot, change.effective_time)
        for seat_id in moves.assign:
            if seat_id not in self._occupied and (slot := self._choose(seat_id, change.effective_time)):
                self._enter(seat_id, slot, change.effective_time)

    def _leave(self, seat_id: str, at: datetime) -> SlotNumber | None:
        span = self._occupied.pop(seat_id, None)
        if span is None:
            return None
        del self._occupants[span.slot]
        if span.start_time < at:
            self._spans.append(replace(span, end_time=at))
        self._offer(span.slot)
        return span.slot

    def _enter(self, seat_id: str, slot: SlotNumber, at: datetime) -> None:
        self._occupied[seat_id] = SeatSpan(seat_id, slot, at)
        self._occupants[slot] = seat_id

    def _open(self, change: SeatChange, count: int) -> None:
        reopened = [self._ended.pop() for _ in range(min(count, len(self._ended)))]
        self._is_ended.difference_update(reopened)
        for turn in _turns(change, reopened, opens=True):
            self._turn(turn)
        if count > len(reopened):
            first, self._top = self._top + 1, self._top + count - len(reopened)
            turn = SlotTurn(change, first, self._top, opens=True)
            self._turns.append(turn)
            self._unread[(turn,)] = list(range(first, self._top + 1))

    def _end(self, change: SeatChange, count: int) -> None:
        """End slots: those that this change ended before, then free ones; occupied ones only if no other is left."""
        before = self._ended_before.get(change.seat_change_id, ())
        numbers = range(self._top, 0, -1)
        order = itertools.chain(
            (n for n in before if self._is_free(n)),
            (n for n in numbers if self._is_free(n)),
            (n for n in numbers if n in self._occupants),
        )
        chosen: dict[SlotNumber, None] = {}
        for number in order:
            if len(chosen) == count:
                break
            chosen[number] = None
        for turn in _turns(change, chosen, opens=False):
            self._turn(turn)
        # The lowest of them is reopened first.
        self._ended += sorted(chosen, reverse=True)
        self._is_ended.update(chosen)

    def _turn(self, turn: SlotTurn) -> None:
        self._turns.append(turn)
        for number in range(turn.first, turn.last + 1):
            self._history[number] = (*self._turns_of(number), turn)
            if turn.opens:
                self._offer(number)

    def _turns_of(self, number: SlotNumber) -> tuple[SlotTurn, ...]:
        known = self._history.get(number)
        if known is not None or number <= self._initial:
            return known or ()
        return (next(turn for turn in self._turns if turn.concerns(number)),)

    def _offer(self, number: SlotNumber) -> None:
        if number in self._rests:
            heapq.heappush(self._read, (Credits(0) - self._rests[number], number))
        else:
            heapq.heappush(self._unread.setdefault(self._turns_of(number), []), number)

    def _choose(self, seat_id: str, at: datetime) -> SlotNumber | None:
        chosen_before = self._taken.get((seat_id, at))
        if chosen_before is not None and self._is_free(chosen_before):
            return chosen_before
        while self._read and not self._is_available(self._read[0][1], at):
            heapq.heappop(self._read)
        candidates = [(Credits(0) - rest, -number) for rest, number in self._read[:1]]
        for turns, numbers in self._unread.items():
            while numbers and not self._is_candidate(numbers[0], turns, at):
                heapq.heappop(numbers)
            if numbers:
                seats = SeatPlan(self._initial, turns).seats_of(numbers[0])
                candidates.append((self._rest_of_unread(seats), -numbers[0]))
        if candidates:
            return -max(candidates)[1]
        return next((n for n in range(1, self._top + 1) if self._is_free(n)), None)

    def _is_candidate(self, number: SlotNumber, turns: tuple[SlotTurn, ...], at: datetime) -> bool:
        return (
            number not in self._rests and self._is_available(number, at) and self._turns_of(number) == turns
        )

    def _is_available(self, number: SlotNumber, at: datetime) -> bool:
        """Whether a slot is free, and nobody is known to enter it after `at`, as may be if a change comes late."""
        return self._is_free(number) and self._entered_last.get(number, at) <= at

    def _is_free(self, number: SlotNumber) -> bool:
        return number <= self._top and number not in self._is_ended and number not in self._occupants


def _turns(change: SeatChange, numbers: Iterable[SlotNumber], *, opens: bool) -> list[SlotTurn]:
    """Return the turns of these slots, neighbours together."""
    turns: list[SlotTurn] = []
    for number in sorted(numbers):
        if turns and turns[-1].last == number - 1:
            turns[-1] = replace(turns[-1], last=number)
        else:
            turns.append(SlotTurn(change, number, number, opens))
    return turns
