# SPDX-License-Identifier: Apache-2.0
"""One line of prices: the rates of one product, billing frequency and choice of dimension values. Pure.

A line is a sequence by effective_time in which at most one rate is in force at any instant; only neighbours can
overlap. Source: services/catalog/README.md, "Rates".
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.catalog.domain.errors import RateOverlaps
from services.catalog.domain.rate import Rate


def insert_into_line(line: Sequence[Rate], rate: Rate, *, end_previous: bool) -> list[Rate]:
    """Return the line with one more rate in it.

    With `end_previous` an earlier open-ended rate ends where the new rate begins. Raises RateOverlaps with the
    conflicting rate.
    """
    position = bisect_right(line, rate.effective_time, key=lambda other: other.effective_time)
    before, after = list(line[:position]), list(line[position:])
    if before and before[-1].reaches_past(rate.effective_time):
        previous = before[-1]
        if not (end_previous and previous.end_time is None and previous.effective_time < rate.effective_time):
            raise _overlap(rate, previous)
        before[-1] = replace(previous, end_time=rate.effective_time, ended_by_rate_id=rate.rate_id)
    if after and rate.reaches_past(after[0].effective_time):
        raise _overlap(rate, after[0])
    return [*before, rate, *after]


def remove_from_line(line: Sequence[Rate], rate: Rate) -> list[Rate]:
    """Return the line without one of its rates.

    A rate that it had ended by end_previous continues until the next one begins, as if that one had ended it.
    """
    position = _position(line, rate)
    before, after = list(line[:position]), list(line[position + 1 :])
    if ended_by(line, rate) is not None:
        following = after[0] if after else None
        before[-1] = replace(
            before[-1],
            end_time=None if following is None else following.effective_time,
            ended_by_rate_id=None if following is None else following.rate_id,
        )
    return [*before, *after]


def end_in_line(line: Sequence[Rate], rate: Rate, end_time: datetime) -> list[Rate]:
    """Return the line with another end of one of its rates. Raises RateOverlaps if the next one begins earlier."""
    position = _position(line, rate)
    ended = replace(rate, end_time=end_time, ended_by_rate_id=None)
    following = list(line[position + 1 :])
    if following and ended.reaches_past(following[0].effective_time):
        raise _overlap(ended, following[0])
    return [*line[:position], ended, *following]


def ended_by(line: Sequence[Rate], rate: Rate) -> Rate | None:
    """Return the rate that a rate of the line has ended by end_previous, if any. It is the one before it."""
    position = _position(line, rate)
    previous = line[position - 1] if position else None
    return previous if previous is not None and previous.ended_by_rate_id == rate.rate_id else None


def _position(line: Sequence[Rate], rate: Rate) -> int:
    return bisect_left(line, rate.effective_time, key=lambda other: other.effective_time)


def _overlap(rate: Rate, other: Rate) -> RateOverlaps:
    return RateOverlaps(
        product_id=rate.product_id,
        effective_time=rate.effective_time.isoformat(),
        other_rate_id=other.rate_id,
        other_effective_time=other.effective_time.isoformat(),
        other_end_time="" if other.end_time is None else other.end_time.isoformat(),
    )
