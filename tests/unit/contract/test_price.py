# SPDX-License-Identifier: Apache-2.0
"""From exact amounts to money."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import InvalidFields
from meshkit.quantity import MICROS, Money, Ratio
from services.contract.domain.billing.price import (
    MONEY_MICROS_MAX,
    Rounding,
    SeatRate,
    rate_at,
    rates_from,
    refuse_unpayable,
    rounded,
)
from tests.unit.contract.builders import JUNE, a_rate, day

CENT = 10_000


@pytest.mark.parametrize(
    ("exact_micros", "half_up", "floor", "ceiling"),
    [
        (Fraction(0), 0, 0, 0),
        (Fraction(1, 3), 0, 0, 1),
        (Fraction(4_999), 0, 0, 1),
        (Fraction(9_999, 2), 0, 0, 1),
        (Fraction(5_000), 1, 0, 1),
        (Fraction(10_000), 1, 1, 1),
        (Fraction(10_001), 1, 1, 2),
        (Fraction(14_999), 1, 1, 2),
        (Fraction(15_000), 2, 1, 2),
        (Fraction(100_000_000 * 333, 365), 9_123, 9_123, 9_124),
    ],
)
def test_a_cent_is_rounded_as_the_subscription_says(
    exact_micros: Fraction, half_up: int, floor: int, ceiling: int
) -> None:
    for rounding, cents in (
        (Rounding.HALF_UP, half_up),
        (Rounding.FLOOR, floor),
        (Rounding.CEILING, ceiling),
    ):
        assert rounded(exact_micros, rounding, "USD") == Money("USD", cents * CENT)


@given(st.fractions(min_value=0, max_value=10**15))
def test_the_three_ways_to_round_differ_by_a_cent_at_most(exact_micros: Fraction) -> None:
    half_up, floor, ceiling = (rounded(exact_micros, rounding, "USD").micros for rounding in Rounding)

    assert floor <= exact_micros <= ceiling
    assert half_up in (floor, ceiling)
    assert abs(half_up - exact_micros) * 2 <= CENT


def test_a_price_is_in_force_from_its_start_up_to_its_end() -> None:
    old, new = a_rate(100, JUNE, day(7, 1), "old"), a_rate(120, day(7, 1), None, "new")

    assert rate_at([old, new], day(5, 31)) is None
    assert rate_at([old, new], JUNE) == old
    assert rate_at([old, new], day(7, 1)) == new
    assert rate_at([old], day(7, 1)) is None


def test_only_prices_that_are_not_over_are_worth_keeping() -> None:
    old, new = a_rate(100, JUNE, day(7, 1), "old"), a_rate(120, day(8, 1), None, "new")

    assert rates_from([old, new], JUNE) == (old, new)
    assert rates_from([old, new], day(7, 1)) == (new,)


def test_a_price_that_is_no_whole_micro_is_multiplied_before_it_is_divided() -> None:
    # A dollar buys three seats.
    rate = SeatRate(
        rate_id="rat_1",
        currency_code="USD",
        price=Ratio(MICROS, 3 * MICROS),
        effective_time=JUNE,
        end_time=None,
    )

    assert rate.unit_price == Money("USD", 333_333)
    assert rate.exact_micros(3, Fraction(1)) == MICROS


def test_what_an_invoice_cannot_hold_is_refused_by_the_name_of_the_field() -> None:
    dear = a_rate(MONEY_MICROS_MAX // MICROS)

    refuse_unpayable(dear, 1, field="initial_quantity")
    with pytest.raises(InvalidFields) as refusal:
        refuse_unpayable(dear, 2, field="initial_quantity")
    assert [violation.field for violation in refusal.value.violations] == ["initial_quantity"]
