# SPDX-License-Identifier: Apache-2.0
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import MICROS, Credits, Money, Quantity, Ratio, ceil_div, floor_div, half_up_div


@pytest.mark.parametrize(
    ("whole", "micros"),
    [
        (2, 2_000_000),
        (-2, -2_000_000),
        (0, 0),
        ("93.548387", 93_548_387),
        ("0.000001", 1),
        ("-0.5", -500_000),
        ("1.5", 1_500_000),
        ("12", 12_000_000),
    ],
)
def test_of_reads_whole_and_decimal_amounts_exactly(whole: int | str, micros: int) -> None:
    assert Credits.of(whole).micros == micros
    assert Quantity.of(whole).micros == micros
    assert Money.of("USD", whole) == Money("USD", micros)


@pytest.mark.parametrize(
    "text", ["", "-", ".5", "5.", "1e3", "0.0000001", "1,5", "--1", "+1", "٣", " 1", "1.-5", "nan"]
)
def test_of_refuses_what_is_not_a_number_with_at_most_six_decimals(text: str) -> None:
    with pytest.raises(ValueError, match="at most 6 decimals"):
        Credits.of(text)


@given(st.integers(-(10**18), 10**18))
def test_of_parses_every_amount_as_it_is_printed(micros: int) -> None:
    whole, rest = divmod(abs(micros), MICROS)
    text = f"{'-' if micros < 0 else ''}{whole}.{rest:06d}"

    assert Credits.of(text).micros == micros


def test_amounts_add_subtract_compare_and_know_zero() -> None:
    assert Credits.of(2) + Credits.of("0.5") - Credits.of(1) == Credits.of("1.5")
    assert -Credits.of(1) < Credits.zero() < Credits(1)
    assert not Credits.zero()
    assert Quantity(1)
    assert sum([Credits(1), Credits(2)], start=Credits.zero()) == Credits(3)
    assert max(Quantity.of(1), Quantity.of(2)) == Quantity.of(2)


def test_credits_and_quantities_do_not_compare() -> None:
    with pytest.raises(TypeError):
        assert Credits(1) < Quantity(1)  # type: ignore[operator]


def test_money_of_one_currency_adds_and_compares() -> None:
    assert Money.of("USD", 1) + Money.of("USD", 2) == Money.of("USD", 3)
    assert Money.of("USD", 1) - Money.of("USD", 2) == -Money.of("USD", 1)
    assert Money("USD", 1) < Money("USD", 2) <= Money("USD", 2)
    assert Money("USD", 2) > Money("USD", 1) >= Money("USD", 1)
    assert not Money.zero("USD")


def test_money_of_two_currencies_neither_adds_nor_compares() -> None:
    dollar, euro = Money.of("USD", 1), Money.of("EUR", 1)

    assert dollar != euro
    with pytest.raises(ValueError, match="USD and EUR do not mix"):
        dollar + euro
    with pytest.raises(ValueError, match="do not mix"):
        dollar - euro
    with pytest.raises(ValueError, match="do not mix"):
        assert dollar < euro
    with pytest.raises(ValueError, match="do not mix"):
        assert dollar >= euro


@pytest.mark.parametrize(
    ("a", "b", "down", "up", "half_up"),
    [
        (6, 3, 2, 2, 2),
        (7, 3, 2, 3, 2),
        (8, 3, 2, 3, 3),
        (4, 10, 0, 1, 0),
        (5, 10, 0, 1, 1),
        (6, 10, 0, 1, 1),
        (-4, 10, -1, 0, 0),
        (-5, 10, -1, 0, -1),
        (-6, 10, -1, 0, -1),
        (0, 7, 0, 0, 0),
        (1, 1, 1, 1, 1),
    ],
)
def test_each_division_rounds_as_its_name_says(a: int, b: int, down: int, up: int, half_up: int) -> None:
    assert (floor_div(a, b), ceil_div(a, b), half_up_div(a, b)) == (down, up, half_up)


@given(st.integers(-(2**80), 2**80), st.integers(1, 2**63))
def test_divisions_are_exact_far_beyond_the_precision_of_a_float(a: int, b: int) -> None:
    exact = Fraction(a, b)

    assert floor_div(a, b) == floor(exact)
    assert ceil_div(a, b) == ceil(exact)
    assert abs(half_up_div(a, b) - exact) <= Fraction(1, 2)
    assert half_up_div(-a, b) == -half_up_div(a, b)


def test_the_golden_proration_of_the_guide_is_exact() -> None:
    # 1 of 5 seats at $100 a year with 333 of 365 days left; 100 credits with 29 of 31 days left.
    assert floor_div(100 * MICROS * 333, 365) == 91_232_876
    assert half_up_div(100 * MICROS * 333, 365 * 10_000) == 9_123
    assert floor_div(100 * MICROS * 29, 31) == 93_548_387


@pytest.mark.parametrize("denominator", [0, -1])
def test_a_ratio_per_nothing_is_refused(denominator: int) -> None:
    assert Ratio(80_000_000, 1_000_000_000).denominator_micros == 1_000 * MICROS
    with pytest.raises(ValueError, match="must be > 0"):
        Ratio(1, denominator)
