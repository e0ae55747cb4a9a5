# SPDX-License-Identifier: Apache-2.0
"""What a billing period must have charged, and what of it is still owed.

Source: services/contract/README.md, "Money for seats".

Seats are paid for to the end of the period, so what must be paid at an instant is the highest quantity so far:
the high-water mark. What was charged covers the period likewise. The owed part is where the mark stands above
the cover; it is never negative, so nothing is ever refunded.
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
    """Return what must be charged beside `paid` for the seats of a period, by start of span.

    through: only rises up to this instant count; None: all that are known.
    is_prorated: a seat costs the span it adds, so cover is compared instant by instant; otherwise it costs the
    whole period whenever it is added, so the number of seats is.
    """
    rises = list(_rises(timeline, billing_period, through))
    owing = _uncovered(rises, paid, billing_period) if is_prorated else _unpaid(rises, paid, billing_period)
    return tuple(sorted(owing, key=lambda charge: (charge.span.start, charge.span.end)))


def _rises(timeline: Timeline, period: Period, through: datetime | None) -> Iterator[tuple[datetime, int]]:
    """Yield when the high-water mark rises, and by how much; the first is the period's start."""
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
    """Yield, as few rectangles of seats × span, where the mark stands above what is paid."""
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
