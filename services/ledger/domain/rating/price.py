# SPDX-License-Identifier: Apache-2.0
"""Prices: what a quantity of usage costs, in credits of one type.

All functions are exact: they multiply first and divide once, at the end. A *position* is the quantity that a meter has
counted. Source: services/ledger/README.md, "Rating".
"""

from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from meshkit.quantity import INT64_MAX, MICROS, Credits, Quantity, Ratio, ceil_div, floor_div, half_up_div
from services.ledger.domain.rating.tiers import GraduatedPrice


@dataclass(frozen=True, slots=True)
class FlatPrice:
    """The numerator, in micro-credits, for every denominator of quantity, exactly in proportion."""

    ratio: Ratio


@dataclass(frozen=True, slots=True)
class PackagePrice:
    """The numerator, in micro-credits, for every started block of the denominator."""

    ratio: Ratio


Price = FlatPrice | GraduatedPrice | PackagePrice


class Rounding(Enum):
    """How a meter is rounded to whole units after its conversion."""

    UP = "UP"
    DOWN = "DOWN"
    HALF_UP = "HALF_UP"


@dataclass(frozen=True, slots=True)
class Conversion:
    """Turns the measured quantity of a meter into the quantity that is priced.

    ratio: priced micros per measured micros, such as 1 thousand per 1,000 tokens. rounding: to whole units; None keeps
    the exact fraction. Raises ValueError unless the ratio is > 0.
    """

    ratio: Ratio
    rounding: Rounding | None

    def __post_init__(self) -> None:
        if self.ratio.numerator_micros <= 0:
            raise ValueError(f"the ratio {self.ratio} must be > 0")


@dataclass(frozen=True, slots=True)
class Pricing:
    """The price of a rate with the conversion of its product."""

    price: Price
    conversion: Conversion | None


def cost_at(pricing: Pricing, position: Quantity) -> Credits:
    """Return the exact cost of a meter at a position (≥ 0), rounded up once. It is 0 at 0 and never falls."""
    price, conversion = pricing.price, pricing.conversion
    if conversion is None and type(price) is FlatPrice:
        return cost(position, price.ratio)
    priced, scale = _priced(conversion, position.micros)
    match price:
        case FlatPrice(ratio):
            return Credits(ceil_div(priced * ratio.numerator_micros, scale * ratio.denominator_micros))
        case PackagePrice(ratio):
            return Credits(ceil_div(priced, scale * ratio.denominator_micros) * ratio.numerator_micros)
        case GraduatedPrice():
            return Credits(ceil_div(price.scaled_cost(priced, scale), scale * price.denominator))
        case _:
            assert_never(price)


def cost_between(pricing: Pricing, before: Quantity, after: Quantity) -> Credits:
    """Return what the meter's move from `before` to `after` costs; negative if a correction moves it back."""
    return cost_at(pricing, after) - cost_at(pricing, before)


def quote(pricing: Pricing, meter: Quantity, quantity: Quantity) -> Credits:
    """Return the dearest exact cost of `quantity` from any position at or above `meter`, rounded up.

    So the later capture, at whatever position the meter has then, costs no more. With a rounding conversion the
    quantity counts as rounded up to whole units, which is the most units that it can add.
    """
    price, conversion = pricing.price, pricing.conversion
    if conversion is None and type(price) is FlatPrice:
        return cost(quantity, price.ratio)
    added, scale = _at_most_added(conversion, quantity.micros)
    match price:
        case FlatPrice(ratio):
            return Credits(ceil_div(added * ratio.numerator_micros, scale * ratio.denominator_micros))
        case PackagePrice(ratio):
            # A block may begin with the quantity, so no position costs more blocks than an empty meter.
            return Credits(ceil_div(added, scale * ratio.denominator_micros) * ratio.numerator_micros)
        case GraduatedPrice():
            start, _ = _priced(conversion, meter.micros)
            dearest = price.scaled_dearest(start, added, scale=scale, stride=_stride(conversion))
            return Credits(ceil_div(dearest, scale * price.denominator))
        case _:
            assert_never(price)


def affordable(pricing: Pricing, meter: Quantity, credits: Credits) -> Quantity:
    """Return the largest quantity whose quote at `meter` is at most `credits` (≥ 0); INT64_MAX micros if it is free."""
    price, conversion = pricing.price, pricing.conversion
    if conversion is None and type(price) is FlatPrice:
        return affordable_quantity(credits, price.ratio)
    scale = _scale(conversion)
    match price:
        case FlatPrice(ratio):
            return _affordable_in_proportion(conversion, ratio, credits)
        case PackagePrice(ratio):
            if ratio.numerator_micros == 0:
                return Quantity(INT64_MAX)
            blocks = floor_div(credits.micros, ratio.numerator_micros)
            return _measured_at_most(conversion, blocks * ratio.denominator_micros * scale)
        case GraduatedPrice() if not price.is_metered:
            return _affordable_in_proportion(conversion, price.tiers[-1].ratio, credits)
        case GraduatedPrice():
            start, _ = _priced(conversion, meter.micros)
            added = price.scaled_reach(start, credits.micros * scale * price.denominator, scale=scale)
            reach = Quantity(INT64_MAX) if added is None else _measured_at_most(conversion, added)
            return reach if price.never_rises else _search_affordable(pricing, meter, credits, near=reach)
        case _:
            assert_never(price)


def is_metered(pricing: Pricing) -> bool:
    """Return whether the quote depends on the meter: whether any tier costs more than the last one."""
    return isinstance(pricing.price, GraduatedPrice) and pricing.price.is_metered


def cost(quantity: Quantity, price: Ratio) -> Credits:
    """Return what `quantity` costs in proportion, rounded up to the micro: usage is never free by rounding.

    Source: services/README.md, "Amounts and rounding".
    """
    return Credits(ceil_div(quantity.micros * price.numerator_micros, price.denominator_micros))


def affordable_quantity(credits: Credits, price: Ratio) -> Quantity:
    """Return the largest quantity that costs at most `credits` (≥ 0); INT64_MAX micros if the price is 0."""
    if price.numerator_micros == 0:
        return Quantity(INT64_MAX)
    return Quantity(
        min(INT64_MAX, floor_div(credits.micros * price.denominator_micros, price.numerator_micros))
    )


def _affordable_in_proportion(conversion: Conversion | None, ratio: Ratio, credits: Credits) -> Quantity:
    if ratio.numerator_micros == 0:
        return Quantity(INT64_MAX)
    scaled = credits.micros * ratio.denominator_micros * _scale(conversion)
    return _measured_at_most(conversion, floor_div(scaled, ratio.numerator_micros))


def _search_affordable(pricing: Pricing, meter: Quantity, credits: Credits, *, near: Quantity) -> Quantity:
    """Find the largest quantity: with growing steps from `near`, and by bisection where they overshoot.

    A quote never falls as the quantity grows, so each step excludes what lies on one side of it. At most 126 steps.
    """
    low, high, at, step = 0, INT64_MAX, max(1, near.micros), 1
    while low < high:
        if quote(pricing, meter, Quantity(at)) <= credits:
            low, at = at, at + step
        else:
            high, at = at - 1, at - step
        step *= 2
        if not low < at <= high:
            at = (low + high + 1) // 2
    return Quantity(low)


# Below, a priced quantity is an integer over a scale (priced micros = integer / scale), so that a conversion leaves no
# fraction.


def _priced(conversion: Conversion | None, micros: int) -> tuple[int, int]:
    """Return the priced position of a meter, and the scale."""
    if conversion is None:
        return micros, 1
    above = micros * conversion.ratio.numerator_micros
    below = conversion.ratio.denominator_micros
    match conversion.rounding:
        case None:
            return above, below
        case Rounding.UP:
            return ceil_div(above, below * MICROS) * MICROS, 1
        case Rounding.DOWN:
            return floor_div(above, below * MICROS) * MICROS, 1
        case Rounding.HALF_UP:
            return half_up_div(above, below * MICROS) * MICROS, 1
        case _:
            assert_never(conversion.rounding)


def _at_most_added(conversion: Conversion | None, micros: int) -> tuple[int, int]:
    """Return the most that a quantity can add to any priced position, and the scale."""
    if conversion is None or conversion.rounding is None:
        return _priced(conversion, micros)
    # Whichever way the meter is rounded, from some position the quantity crosses one unit more than it fills.
    return _priced(Conversion(conversion.ratio, Rounding.UP), micros)


def _measured_at_most(conversion: Conversion | None, priced: int) -> Quantity:
    """Return the largest measured quantity that adds at most `priced` (an integer over the scale)."""
    if conversion is None:
        return Quantity(min(INT64_MAX, priced))
    if conversion.rounding is not None:
        priced = floor_div(priced, MICROS) * MICROS * conversion.ratio.denominator_micros
    return Quantity(min(INT64_MAX, floor_div(priced, conversion.ratio.numerator_micros)))


def _scale(conversion: Conversion | None) -> int:
    if conversion is None or conversion.rounding is not None:
        return 1
    return conversion.ratio.denominator_micros


def _stride(conversion: Conversion | None) -> int:
    """Return the distance between neighbouring priced positions of a meter, as an integer over the scale."""
    if conversion is None:
        return 1
    return conversion.ratio.numerator_micros if conversion.rounding is None else MICROS
