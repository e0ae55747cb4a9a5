# SPDX-License-Identifier: Apache-2.0
"""What is added up in the model of usage: by any key of the uses, and towards a cap."""

from collections import defaultdict
from collections.abc import Callable
from types import SimpleNamespace as Thing
from typing import Any

from tests.simulation.usage_model import Book


def sums(book: Book, key: Callable[[Thing], Any]) -> dict[Any, tuple[int, ...]]:
    """Return units, credits, shortfall and times of what was used, by a key of the uses; None is left out."""
    found = defaultdict[Any, list[int]](lambda: [0, 0, 0, 0])
    for use, quantity, times in book.counts:
        found[key(use)][0] += quantity
        found[key(use)][3] += times
    for line in book.lines:
        found[key(line.use)][1] += line.left
        found[key(line.use)][2] += 0 if line.grant else line.left
    return {one: tuple(figures) for one, figures in found.items() if one is not None and any(figures)}


def used(book: Book, pool: str, user: str, is_daily: bool) -> int:
    """Return what counts towards a cap now."""
    window = (lambda at: at.date()) if is_daily else book.prices.period
    mine = lambda use: use.user == user and use.pool == pool  # noqa: E731
    held = sum(amount for hold in book.alive() if mine(hold.use) for _, amount in hold.draws)
    lines = [line for line in book.lines if window(line.use.time) == window(book.now)]
    return held + sum(line.left for line in lines if mine(line.use))
