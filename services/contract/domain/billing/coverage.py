# SPDX-License-Identifier: Apache-2.0
"""What must be charged for a billing period, and what of it is still owed.

Source: services/contract/README.md, "Money for seats".

A seat is paid until the end of the period. So the seats to be paid at an instant are the highest quantity so far,
the high-water mark. Earlier charges cover the period in the same way. What is owed is the part of the mark above
that cover. It is never negative, so nothing is ever refunded.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from meshkit.period import Period
from services.contract.domain.seats.timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Seats (> 0) charged for a span of one billing period."""

    seats: int
    span: Period


def owed(
    timeline: Timeline,
    billing_period: Period,
    paid: Sequence[Charge],
    *,
    is_prorated: bool,
    through: datetime | None = None,
) -> tuple[Charge, ...]:
    """Return what must be charged in addition to `paid` for the seats of a period, by start of span.

    through: only rises up to this instant count; None: all known rises.
    is_prorated: if True, a seat costs only its span, so the cover is compared at every instant; if False, a seat
    costs the whole period whenever it is added, so the numbers of seats are compared.
    """
    rises = list(_rises(timeline, billing_period, through))
    owing = _uncovered(rises, paid, billing_period) if is_prorated else _unpaid(rises, paid, billing_period)
    return tuple(sorted(owing, key=lambda charge: (charge.span.start, charge.span.end)))


def _rises(timeline: Timeline, period: Period, through: datetime | None) -> Iterator[tuple[datetime, int]]:
    """Yield each instant at which the high-water mark rises, and by how much, from the start of the period."""
    mark = timeline.quantity_at(period.start)
    if mark > 0:
        yield period.start, mark
    for at, quantity in timeline.levels_after(period.start):
        if at >= period.end or (through is not None and at > through):
            break
        if quantity > mark:
            yield at, quantity - mark
            mark = quantity


def _uncovered(
    rises: Sequence[tuple[datetime, int]], paid: Sequence[Charge], period: Period
) -> Iterator[Charge]:
    """Yield the area where the mark is above what is paid, as few rectangles of seats × span."""
    lacking: defaultdict[datetime, int] = defaultdict(int)
    for at, seats in rises:
        lacking[at] += seats
    for charge in paid:
        lacking[charge.span.start] -= charge.seats
        lacking[charge.span.end] += charge.seats
    level, gap = 0, 0
    begun: list[tuple[datetime, int]] = []
    for at in sorted(moment for moment in lacking if moment < period.end):
        level += lacking[at]
        while gap > max(level, 0):
            start, seats = begun.pop()
            ending = min(seats, gap - max(level, 0))
            gap -= ending
            yield Charge(seats=ending, span=Period(start, at))
            if ending < seats:
                begun.append((start, seats - ending))
        if level > gap:
            begun.append((at, level - gap))
            gap = level
    for start, seats in begun:
        yield Charge(seats=seats, span=Period(start, period.end))


def _unpaid(
    rises: Sequence[tuple[datetime, int]], paid: Sequence[Charge], period: Period
) -> Iterator[Charge]:
    covered = sum(charge.seats for charge in paid)
    mark = 0
    for at, seats in rises:
        beyond = mark + seats - max(mark, covered)
        mark += seats
        if beyond > 0:
            yield Charge(seats=beyond, span=Period(at, period.end))
