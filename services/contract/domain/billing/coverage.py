# SPDX-License-Identifier: Apache-2.0
"""What must be charged for a billing period, and what of it is still owed.

Source: services/contract/README.md, "Money for seats".

A seat is paid until the end of the period, or of the contract if that is earlier. So the seats to be paid at an instant
are the highest quantity so far, the high-water mark. Earlier charges cover the period in the same way. What is owed is
the part of the mark above that cover. It is never negative, so nothing is ever refunded.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from meshkit.period import Period
from services.contract.domain.seats.timeline import Timeline

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Seats charged for a span of one billing period: the time that the charge pays for.

    < 0: seats that were charged before, and that are not paid for in the span any more, because they were given back.
    """

    seats: int
    span: Period


def share_of(span: Period, billing_period: Period) -> Fraction:
    """Return the share of a billing period that a span in it takes, exactly."""
    return Fraction(_microseconds(span), _microseconds(billing_period))


def seat_periods(charges: Sequence[Charge], billing_period: Period) -> Fraction:
    """Return how many seats for the whole billing period the charges amount to, exactly."""
    seat_time = sum(charge.seats * _microseconds(charge.span) for charge in charges)
    return Fraction(seat_time, _microseconds(billing_period))


def levels(charges: Sequence[Charge], billing_period: Period) -> Iterator[tuple[int, Fraction]]:
    """Yield how many seats are charged for at once, and for which share of the billing period."""
    steps: defaultdict[datetime, int] = defaultdict(int)
    for charge in charges:
        steps[charge.span.start] += charge.seats
        steps[charge.span.end] -= charge.seats
    level, instants = 0, sorted(steps)
    for start, end in pairwise(instants):
        level += steps[start]
        if level > 0:
            yield level, share_of(Period(start, end), billing_period)


def level_at(charges: Sequence[Charge], at: datetime) -> int:
    """Return how many seats are charged for at an instant."""
    return sum(charge.seats for charge in charges if charge.span.contains(at))


def paid_span(billing_period: Period, share: Fraction, end: datetime) -> Period:
    """Return the span up to `end` that a charged share of a billing period pays for."""
    length = share * _microseconds(billing_period)
    assert length.denominator == 1
    return Period(end - length.numerator * _MICROSECOND, end)


def owed(
    timeline: Timeline,
    span: Period,
    paid: Sequence[Charge],
    *,
    is_prorated: bool,
    needed: Sequence[Charge] = (),
    through: datetime | None = None,
) -> tuple[Charge, ...]:
    """Return what must be charged in addition to `paid` for the seats of a billing period, by start of span.

    span: the part of the billing period that the contract covers. needed: what it needs at least, because it was used.
    through: only rises up to this instant count; None: all known rises. is_prorated: if True, a seat costs the time
    from its rise on; if False, a seat costs the whole span whenever it is added.
    """
    rises = list(_rises(timeline, span, through))
    if rises and not is_prorated:
        rises = [(span.start, sum(seats for _, seats in rises))]
    mark = [Charge(seats=seats, span=Period(at, span.end)) for at, seats in rises]
    required = (*mark, *beyond(needed, mark, span)) if needed else mark
    return beyond(required, paid, span)


def owed_from(
    timeline: Timeline,
    span: Period,
    paid: Sequence[Charge],
    *,
    is_prorated: bool,
    needed: Sequence[Charge] = (),
) -> datetime | None:
    """Return the first instant at which anything is owed in addition to `paid`; None: never."""
    instants = [at for at, _ in _rises(timeline, span, None)]
    # More is owed the more rises count.
    first = bisect_left(
        instants,
        True,
        key=lambda at: bool(owed(timeline, span, paid, is_prorated=is_prorated, needed=needed, through=at)),
    )
    return instants[first] if first < len(instants) else None


def _rises(timeline: Timeline, span: Period, through: datetime | None) -> Iterator[tuple[datetime, int]]:
    """Yield each instant at which the high-water mark rises, and by how much, from the start of the span."""
    mark = timeline.quantity_at(span.start)
    if mark > 0:
        yield span.start, mark
    for at, quantity in timeline.levels_after(span.start):
        if at >= span.end or (through is not None and at > through):
            break
        if quantity > mark:
            yield at, quantity - mark
            mark = quantity


def beyond(required: Sequence[Charge], paid: Sequence[Charge], span: Period) -> tuple[Charge, ...]:
    """Return the area where what is required is above what is paid, as few rectangles of seats × span, by start."""
    area = _rectangles(required, paid, span)
    return tuple(sorted(area, key=lambda charge: (charge.span.start, charge.span.end)))


def _rectangles(required: Sequence[Charge], paid: Sequence[Charge], span: Period) -> Iterator[Charge]:
    lacking: defaultdict[datetime, int] = defaultdict(int)
    for sign, charges in ((1, required), (-1, paid)):
        for charge in charges:
            lacking[charge.span.start] += sign * charge.seats
            lacking[charge.span.end] -= sign * charge.seats
    level, gap = 0, 0
    begun: list[tuple[datetime, int]] = []
    for at in sorted(moment for moment in lacking if moment < span.end):
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
        yield Charge(seats=seats, span=Period(start, span.end))


def _microseconds(span: Period) -> int:
    return (span.end - span.start) // _MICROSECOND
