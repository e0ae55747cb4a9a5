# SPDX-License-Identifier: Apache-2.0
"""Searches for an order of several callers' calls that fits their answers about one number and respects real time."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Observed:
    """A call that changed the number by `change` and returned its value `after`. began, ended: in seconds."""

    name: str
    began: float
    ended: float
    change: int
    after: int


def total_order(start: int, observed: Sequence[Observed]) -> list[Observed]:
    """Return an order in which the number, starting at `start`, has after each call the value that the call returned.

    A call that ended before another began comes before it. Raises AssertionError, with the calls that cannot be placed,
    when there is no such order.
    """
    calls = sorted(observed, key=lambda one: one.began)
    tried: set[tuple[int, int]] = set()
    longest: list[int] = []
    paths = [(0, start, list[int]())]
    while paths:
        done, value, path = paths.pop()
        if (done, value) in tried:
            continue
        tried.add((done, value))
        if len(path) == len(calls):
            return [calls[number] for number in path]
        longest = max(longest, path, key=len)
        for number in _next(calls, done, value):
            paths.append((done | 1 << number, calls[number].after, [*path, number]))
    left = [one for number, one in enumerate(calls) if number not in longest]
    raise AssertionError(f"{len(longest)} of {len(calls)} calls can be placed; then none of {left[:10]}")


def _next(calls: Sequence[Observed], done: int, value: int) -> list[int]:
    """Return which calls may come next. A call that changes nothing comes at once if it can: it constrains no other."""
    left = [number for number in range(len(calls)) if not done >> number & 1]
    first_end = min(calls[number].ended for number in left)
    fitting = [
        number
        for number in left
        if calls[number].began <= first_end and value + calls[number].change == calls[number].after
    ]
    without_change = [number for number in fitting if not calls[number].change]
    return without_change[:1] or fitting
