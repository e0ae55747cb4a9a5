# SPDX-License-Identifier: Apache-2.0
"""Flat, graduated and package prices on a meter: costs, quotes, and what credits buy."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import INT64_MAX, MICROS, Credits, Quantity, Ratio
from services.ledger.domain.rating.price import (
    Conversion,
    FlatPrice,
    PackagePrice,
    Price,
    Pricing,
    Rounding,
    affordable,
    cost_at,
    cost_between,
    is_metered,
    quote,
)
from services.ledger.domain.rating.tiers import GraduatedPrice, Tier
from tests.unit.ledger.builders import PROPERTY

UNIT = 1_000_000
NOTHING = Quantity(0)
TICK = Quantity(1)


def a_credit_each(credits: str) -> Ratio:
    """Return a price of so many credits for one unit."""
    return Ratio(Credits.of(credits).micros, UNIT)


def graduated(*tiers: tuple[int | None, str]) -> Pricing:
    """Return tiers of (the last unit in it, credits a unit)."""
    return Pricing(
        GraduatedPrice(
            tuple(
                Tier(None if up_to is None else Quantity.of(up_to), a_credit_each(credits))
                for up_to, credits in tiers
            )
        ),
        None,
    )


def package(credits: str, units: int) -> Pricing:
    return Pricing(PackagePrice(Ratio(Credits.of(credits).micros, units * UNIT)), None)


def rounded(rounding: Rounding | None, *, price: str = "1") -> Pricing:
    """Return a price for each thousand units."""
    return Pricing(FlatPrice(a_credit_each(price)), Conversion(Ratio(1, 1_000), rounding))


# domain rules, "Usage": 0-1,000 at 1, 1,000-10,000 at 0.5, above at 0.25.
FALLING = graduated((1_000, "1"), (10_000, "0.5"), (None, "0.25"))
RISING = graduated((1_000, "0.25"), (10_000, "0.5"), (None, "1"))
HUMP = graduated((100, "1"), (200, "3"), (None, "2"))


def test_twelve_thousand_units_cost_six_thousand_credits() -> None:
    assert cost_at(FALLING, Quantity.of(12_000)) == Credits.of(1_000 + 4_500 + 500)


def test_with_800_on_the_meter_400_more_cost_200_and_100() -> None:
    assert cost_between(FALLING, Quantity.of(800), Quantity.of(1_200)) == Credits.of(300)


def test_a_capture_after_another_hold_was_released_costs_what_the_meter_says() -> None:
    first = quote(FALLING, NOTHING, Quantity.of(10_000))
    second = quote(FALLING, NOTHING, Quantity.of(12_000))

    captured = cost_between(FALLING, NOTHING, Quantity.of(12_000))

    assert (first, second, captured) == (Credits.of(5_500), Credits.of(6_000), Credits.of(6_000))


def test_voiding_the_first_thousand_units_returns_what_the_last_thousand_cost() -> None:
    first = cost_between(FALLING, NOTHING, Quantity.of(1_000))
    second = cost_between(FALLING, Quantity.of(1_000), Quantity.of(2_000))

    voided = cost_between(FALLING, Quantity.of(2_000), Quantity.of(1_000))

    assert (first, second, voided) == (Credits.of(1_000), Credits.of(500), Credits.of(-500))


@pytest.mark.parametrize(
    ("units", "credits"),
    [("0", "0"), ("999.999999", "999.999999"), ("1000", "1000"), ("1000.000001", "1000.000001")],
)
def test_a_tier_includes_its_last_unit_and_the_next_micro_is_in_the_next_tier(
    units: str, credits: str
) -> None:
    # Half a micro-credit for the micro in the second tier, rounded up.
    assert cost_at(FALLING, Quantity.of(units)) == Credits.of(credits)


@pytest.mark.parametrize(("units", "blocks"), [("0", 0), ("0.000001", 1), ("100", 1), ("100.000001", 2)])
def test_a_package_costs_every_block_that_was_started(units: str, blocks: int) -> None:
    assert cost_at(package("7", 100), Quantity.of(units)) == Credits.of(7 * blocks)


def test_a_thousand_small_events_cost_what_one_large_one_costs() -> None:
    pricing = Pricing(FlatPrice(Ratio(1, 3_000_000)), None)
    event = Quantity.of(1)

    small = [
        cost_between(pricing, Quantity(n * event.micros), Quantity((n + 1) * event.micros))
        for n in range(1_000)
    ]

    assert sum(one.micros for one in small) == cost_at(pricing, Quantity.of(1_000)).micros == 334


@pytest.mark.parametrize(
    ("rounding", "tokens", "credits"),
    [
        (None, "1", "0.001"),
        (None, "1500", "1.5"),
        (Rounding.UP, "0", "0"),
        (Rounding.UP, "0.000001", "1"),
        (Rounding.UP, "1000", "1"),
        (Rounding.UP, "1000.000001", "2"),
        (Rounding.DOWN, "999.999999", "0"),
        (Rounding.DOWN, "1000", "1"),
        (Rounding.HALF_UP, "499.999999", "0"),
        (Rounding.HALF_UP, "500", "1"),
        (Rounding.HALF_UP, "1499.999999", "1"),
        (Rounding.HALF_UP, "1500", "2"),
    ],
)
def test_a_meter_is_converted_and_rounded_to_whole_units(
    rounding: Rounding | None, tokens: str, credits: str
) -> None:
    assert cost_at(rounded(rounding), Quantity.of(tokens)) == Credits.of(credits)


def test_rounding_applies_to_the_meter_and_not_to_each_event() -> None:
    pricing = rounded(Rounding.UP)

    first = cost_between(pricing, NOTHING, Quantity.of(400))
    second = cost_between(pricing, Quantity.of(400), Quantity.of(800))

    assert (first, second) == (Credits.of(1), Credits.of(0))


def test_a_conversion_without_rounding_leaves_no_fraction_before_the_cost() -> None:
    thirds = Pricing(FlatPrice(Ratio(3, 1)), Conversion(Ratio(1, 3), None))

    # 1 micro is a third of a priced micro; three times that is exactly one micro-credit, not three.
    assert cost_at(thirds, TICK) == Credits(1)


@pytest.mark.parametrize(
    ("pricing", "meter", "quantity", "credits"),
    [
        (FALLING, "0", "400", "400"),
        (FALLING, "800", "400", "300"),
        (FALLING, "10000", "400", "100"),
        (RISING, "0", "400", "400"),
        (HUMP, "0", "50", "150"),
        (HUMP, "0", "150", "400"),
        (HUMP, "160", "50", "140"),
        (HUMP, "200", "50", "100"),
        (package("7", 100), "50", "1", "7"),
        (package("7", 100), "50", "101", "14"),
        (rounded(Rounding.UP), "0", "1", "1"),
        (rounded(Rounding.UP), "0", "1001", "2"),
        (rounded(Rounding.DOWN), "0", "1", "1"),
    ],
)
def test_a_quote_is_the_dearest_cost_from_the_meter_on(
    pricing: Pricing, meter: str, quantity: str, credits: str
) -> None:
    assert quote(pricing, Quantity.of(meter), Quantity.of(quantity)) == Credits.of(credits)


def test_a_quote_considers_the_first_position_behind_an_edge_that_no_position_meets() -> None:
    tiers = (Tier(Quantity(7), Ratio(0, 1)), Tier(Quantity(12), Ratio(3, 1)), Tier(None, Ratio(2, 1)))
    fours = Pricing(GraduatedPrice(tiers), Conversion(Ratio(4, 1), None))

    # Positions are 0, 4, 8, …: from 8, four at 3 and four at 2; from 4 only 15, from 12 only 16.
    assert quote(fours, NOTHING, Quantity(2)) == Credits(20)
    assert cost_between(fours, Quantity(2), Quantity(4)) == Credits(20)


@pytest.mark.parametrize(
    ("pricing", "is_so"),
    [
        (Pricing(FlatPrice(Ratio(1, 1)), None), False),
        (rounded(Rounding.UP), False),
        (package("7", 100), False),
        (RISING, False),
        (FALLING, True),
        (HUMP, True),
    ],
)
def test_a_quote_depends_on_the_meter_only_where_a_tier_costs_more_than_the_last(
    pricing: Pricing, is_so: bool
) -> None:
    assert is_metered(pricing) is is_so
    quotes = {quote(pricing, Quantity.of(meter), Quantity.of(1)) for meter in (0, 150, 1_000, 20_000)}
    assert (len(quotes) > 1) is is_so


@pytest.mark.parametrize(
    "pricing",
    [
        Pricing(FlatPrice(Ratio(0, 1)), None),
        Pricing(FlatPrice(Ratio(0, 1)), Conversion(Ratio(1, 3), Rounding.UP)),
        package("0", 100),
        graduated((None, "0")),
    ],
)
def test_what_is_free_is_affordable_without_limit(pricing: Pricing) -> None:
    assert affordable(pricing, NOTHING, Credits(0)) == Quantity(INT64_MAX)


def test_a_free_last_tier_is_affordable_without_limit_once_it_is_reached() -> None:
    pricing = graduated((100, "1"), (None, "0"))

    assert affordable(pricing, NOTHING, Credits.of(100)) == Quantity(INT64_MAX)
    assert affordable(pricing, Quantity.of(100), Credits(0)) == Quantity(INT64_MAX)
    assert affordable(pricing, NOTHING, Credits(100 * UNIT - 1)) == Quantity(100 * UNIT - 1)


@pytest.mark.parametrize(
    "tiers",
    [
        (),
        (Tier(Quantity(5), Ratio(1, 1)),),
        (Tier(None, Ratio(1, 1)), Tier(None, Ratio(1, 1))),
        (Tier(Quantity(0), Ratio(1, 1)), Tier(None, Ratio(1, 1))),
        (Tier(Quantity(5), Ratio(1, 1)), Tier(Quantity(5), Ratio(1, 1)), Tier(None, Ratio(1, 1))),
    ],
)
def test_tiers_that_do_not_ascend_to_an_endless_one_are_refused(tiers: tuple[Tier, ...]) -> None:
    with pytest.raises(ValueError, match="must ascend"):
        GraduatedPrice(tiers)


def test_a_conversion_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="must be > 0"):
        Conversion(Ratio(0, 1), None)


# Small numbers, so that a plain calculation of every position is possible. Micros stand for units, unless a meter is
# rounded: then a measured micro becomes about one whole unit, and tiers and blocks are of whole units.

SMALL = st.integers(0, 12)
RATIOS = st.builds(Ratio, st.integers(0, 7), st.integers(1, 5))


@st.composite
def graduated_prices(draw: st.DrawFn, unit: int) -> GraduatedPrice:
    ends = sorted(draw(st.sets(st.integers(1, 20), max_size=4)))
    ratios = draw(st.lists(RATIOS, min_size=len(ends) + 1, max_size=len(ends) + 1))
    return GraduatedPrice(
        tuple(
            Tier(None if end is None else Quantity(end * unit), ratio)
            for end, ratio in zip([*ends, None], ratios, strict=True)
        )
    )


def prices(unit: int) -> st.SearchStrategy[Price]:
    blocks = st.builds(Ratio, st.integers(0, 7), st.integers(1, 5).map(lambda size: size * unit))
    return st.one_of(st.builds(FlatPrice, RATIOS), st.builds(PackagePrice, blocks), graduated_prices(unit))


def conversions(unit: int, rounding: st.SearchStrategy[Rounding | None]) -> st.SearchStrategy[Conversion]:
    priced = st.integers(1, 4).map(lambda quantity: quantity * unit)
    return st.builds(Conversion, st.builds(Ratio, priced, st.integers(1, 4)), rounding)


UNROUNDED = st.builds(Pricing, prices(1), st.none() | conversions(1, st.none()))
ROUNDED = st.builds(Pricing, prices(MICROS), conversions(MICROS, st.sampled_from(Rounding)))
FLAT_ROUNDED = st.builds(
    Pricing, st.builds(FlatPrice, RATIOS), conversions(MICROS, st.sampled_from(Rounding))
)
PRICINGS = UNROUNDED | ROUNDED


def exact_cost(pricing: Pricing, position: int) -> Fraction:
    """Calculate a cost in the plainest way, with fractions."""
    priced = Fraction(position)
    if pricing.conversion is not None:
        priced *= Fraction(
            pricing.conversion.ratio.numerator_micros, pricing.conversion.ratio.denominator_micros
        )
        units = priced / MICROS
        match pricing.conversion.rounding:
            case Rounding.UP:
                priced = Fraction(ceil(units) * MICROS)
            case Rounding.DOWN:
                priced = Fraction(int(units) * MICROS)
            case Rounding.HALF_UP:
                priced = Fraction(int(units + Fraction(1, 2)) * MICROS)
    match pricing.price:
        case FlatPrice(ratio):
            return priced * Fraction(ratio.numerator_micros, ratio.denominator_micros)
        case PackagePrice(ratio):
            return Fraction(ceil(priced / ratio.denominator_micros) * ratio.numerator_micros)
        case GraduatedPrice(tiers):
            total, start = Fraction(0), Fraction(0)
            for tier in tiers:
                end = priced if tier.up_to is None else min(priced, Fraction(tier.up_to.micros))
                total += max(Fraction(0), end - start) * Fraction(
                    tier.ratio.numerator_micros, tier.ratio.denominator_micros
                )
                start = max(start, end)
            return total


# Where every price and conversion of the small numbers has repeated itself: tiers end below 20 × 4.
POSITIONS = 150


def dearest_cost(pricing: Pricing, meter: int, quantity: int) -> Fraction:
    """Return the dearest exact cost of a quantity, by calculating it from every position."""
    return max(
        exact_cost(pricing, position + quantity) - exact_cost(pricing, position)
        for position in range(meter, POSITIONS)
    )


@PROPERTY
@given(PRICINGS, st.integers(0, 100))
def test_a_cost_is_the_exact_cost_of_the_position_rounded_up(pricing: Pricing, position: int) -> None:
    assert cost_at(pricing, Quantity(position)).micros == ceil(exact_cost(pricing, position))


@PROPERTY
@given(PRICINGS, st.lists(SMALL, max_size=20))
def test_the_costs_of_any_split_sum_to_the_cost_of_the_meter(pricing: Pricing, parts: list[int]) -> None:
    meter, credits = NOTHING, Credits(0)

    for part in parts:
        after = meter + Quantity(part)
        more = cost_between(pricing, meter, after)
        assert more >= Credits(0)
        assert cost_between(pricing, after, meter) == -more
        meter, credits = after, credits + more

    assert credits == cost_at(pricing, Quantity(sum(parts)))


@PROPERTY
@given(PRICINGS, SMALL, SMALL)
def test_no_later_capture_costs_more_than_its_quote(pricing: Pricing, meter: int, quantity: int) -> None:
    quoted = quote(pricing, Quantity(meter), Quantity(quantity))

    for position in range(meter, POSITIONS):
        assert cost_between(pricing, Quantity(position), Quantity(position + quantity)) <= quoted


@PROPERTY
@given(UNROUNDED | FLAT_ROUNDED, SMALL, SMALL)
def test_a_quote_is_attained_at_some_position(pricing: Pricing, meter: int, quantity: int) -> None:
    assert quote(pricing, Quantity(meter), Quantity(quantity)).micros == ceil(
        dearest_cost(pricing, meter, quantity)
    )


@PROPERTY
@given(PRICINGS, SMALL, st.integers(0, 200))
def test_the_affordable_quantity_is_the_largest_whose_quote_the_credits_cover(
    pricing: Pricing, meter: int, credits: int
) -> None:
    unit = MICROS if pricing.conversion is not None and pricing.conversion.rounding else 1
    budget = Credits(credits * unit)

    largest = affordable(pricing, Quantity(meter), budget)

    assert quote(pricing, Quantity(meter), largest) <= budget
    if largest < Quantity(INT64_MAX):
        assert budget < quote(pricing, Quantity(meter), largest + TICK)


LARGE = st.integers(1, 10**12)


@st.composite
def large_graduated_prices(draw: st.DrawFn) -> GraduatedPrice:
    ends = sorted(draw(st.sets(st.integers(1, 10**15), max_size=19)))
    ratios = [draw(st.builds(Ratio, LARGE, LARGE)) for _ in range(len(ends) + 1)]
    return GraduatedPrice(
        tuple(
            Tier(None if end is None else Quantity(end), ratio)
            for end, ratio in zip([*ends, None], ratios, strict=True)
        )
    )


@PROPERTY
@given(
    large_graduated_prices(),
    st.none() | st.builds(Conversion, st.builds(Ratio, LARGE, LARGE), st.none() | st.sampled_from(Rounding)),
    st.integers(0, 10**16),
    st.integers(0, 10**16),
    st.integers(0, 10**15),
)
def test_large_numbers_are_exact_too(
    price: GraduatedPrice, conversion: Conversion | None, meter: int, quantity: int, credits: int
) -> None:
    pricing, at, amount = Pricing(price, conversion), Quantity(meter), Quantity(quantity)

    assert cost_at(pricing, at).micros == ceil(exact_cost(pricing, meter))
    assert cost_between(pricing, at, at + amount) <= quote(pricing, at, amount)
    largest = affordable(pricing, at, Credits(credits))
    assert quote(pricing, at, largest) <= Credits(credits)
    if largest < Quantity(INT64_MAX):
        assert Credits(credits) < quote(pricing, at, largest + TICK)
