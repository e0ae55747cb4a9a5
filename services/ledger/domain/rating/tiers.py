# SPDX-License-Identifier: Apache-2.0
"""Graduated prices: each part of a usage period's quantity has the price of the tier in which it lies."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import lcm

from meshkit.quantity import Quantity, Ratio, floor_div

TIERS_MAX = 20


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier: micro-credits per quantity in it. up_to: its largest quantity, inclusive; None: it has no end."""

    up_to: Quantity | None
    ratio: Ratio


@dataclass(frozen=True, slots=True)
class GraduatedPrice:
    """Tiers in ascending order; only the last one has no end. Raises ValueError otherwise.

    Costs are integers with one denominator for all tiers. In the methods a position and a quantity are integers over
    `scale`, and a scaled cost is micro-credits × scale × denominator.
    Source: services/ledger/README.md, "Rating".
    """

    tiers: tuple[Tier, ...]
    # Calculated from the tiers once, because the gate quotes far more often than prices change.
    denominator: int = field(init=False, repr=False, compare=False)
    is_metered: bool = field(init=False, repr=False, compare=False)
    never_rises: bool = field(init=False, repr=False, compare=False)
    _starts: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _prices: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _costs: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = [0, *(tier.up_to.micros for tier in self.tiers if tier.up_to is not None)]
        ends_well = bool(self.tiers) and self.tiers[-1].up_to is None
        if not ends_well or len(starts) != len(self.tiers) or any(a >= b for a, b in pairwise(starts)):
            raise ValueError("tiers must ascend, and only the last one has no end")
        denominator = lcm(*(tier.ratio.denominator_micros for tier in self.tiers))
        prices = [
            tier.ratio.numerator_micros * denominator // tier.ratio.denominator_micros for tier in self.tiers
        ]
        costs = [0]
        for (start, end), price in zip(pairwise(starts), prices, strict=False):
            costs.append(costs[-1] + (end - start) * price)
        self._derive("denominator", denominator)
        self._derive("is_metered", prices[-1] < max(prices))
        self._derive("never_rises", all(a >= b for a, b in pairwise(prices)))
        self._derive("_starts", tuple(starts))
        self._derive("_prices", tuple(prices))
        self._derive("_costs", tuple(costs))

    def scaled_cost(self, position: int, scale: int) -> int:
        """Return the exact cost of all quantity up to a position."""
        tier = bisect_right(self._starts, position // scale) - 1
        in_tier = position - self._starts[tier] * scale
        return self._costs[tier] * scale + in_tier * self._prices[tier]

    def scaled_dearest(self, start: int, quantity: int, *, scale: int, stride: int) -> int:
        """Return the greatest exact cost of `quantity` from any position start, start + stride, ….

        quantity: a multiple of stride.
        """
        if not self.is_metered:
            return quantity * self._prices[-1]
        positions = [start]
        if not self.never_rises:
            positions += (at for at in self._turns(quantity, scale=scale, stride=stride) if at > start)
        return max(self.scaled_cost(at + quantity, scale) - self.scaled_cost(at, scale) for at in positions)

    def scaled_reach(self, start: int, scaled_credits: int, *, scale: int) -> int | None:
        """Return the largest quantity that costs at most this from `start`; None if there is none.

        If a price rises, some position above `start` may be dearer: at each edge of a tier, and where the quantity ends
        at an edge. Then the result is the least of these, which is rounded and may be a little too large or too small.
        """
        positions = [start]
        if not self.never_rises:
            for edge in self._starts[1:]:
                ends_here = self._position_at(self.scaled_cost(edge * scale, scale) - scaled_credits, scale)
                positions += (at for at in (edge * scale, ends_here) if at is not None and at > start)
        ends = (
            (at, self._position_at(self.scaled_cost(at, scale) + scaled_credits, scale)) for at in positions
        )
        return min((end - at for at, end in ends if end is not None), default=None)

    def _position_at(self, scaled_cost: int, scale: int) -> int | None:
        """Return the largest position that costs at most this; None if there is none."""
        tier = bisect_right(self._costs, scaled_cost // scale) - 1
        if tier < 0 or self._prices[tier] == 0:
            return None
        in_tier = floor_div(scaled_cost - self._costs[tier] * scale, self._prices[tier])
        return self._starts[tier] * scale + in_tier

    def _turns(self, quantity: int, *, scale: int, stride: int) -> Iterator[int]:
        """Yield the positions between which the cost of `quantity` changes evenly: one end of it is at a tier's edge.

        An edge between two positions stands for both.
        """
        for edge in self._starts[1:]:
            below = edge * scale - edge * scale % stride
            for at in (below, below + stride):
                yield from (at, at - quantity)

    def _derive(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
