# SPDX-License-Identifier: Apache-2.0
"""What usage costs, and how much of it credits buy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import INT64_MAX, Credits, Quantity, Ratio
from services.ledger.domain.rating.price import affordable_quantity, cost
from tests.unit.ledger.builders import PROPERTY

PRICES = st.builds(Ratio, st.integers(1, 10**12), st.integers(1, 10**12))
TICK = Quantity(1)


@pytest.mark.parametrize(
    ("quantity", "price", "credits"),
    [
        (Quantity.of(4), Ratio(12, 1), Credits.of(48)),
        (Quantity.of("1.5"), Ratio(12, 1), Credits.of(18)),
        (Quantity(1), Ratio(1, 1_000), Credits(1)),
        (Quantity(999), Ratio(1, 1_000), Credits(1)),
        (Quantity(1_000), Ratio(1, 1_000), Credits(1)),
        (Quantity(1_001), Ratio(1, 1_000), Credits(2)),
        (Quantity(0), Ratio(12, 1), Credits(0)),
        (Quantity.of(4), Ratio(0, 1), Credits(0)),
    ],
)
def test_usage_costs_its_price_up_to_the_next_micro(
    quantity: Quantity, price: Ratio, credits: Credits
) -> None:
    assert cost(quantity, price) == credits


@PROPERTY
@given(st.integers(1, INT64_MAX), PRICES)
def test_usage_is_never_free_by_rounding_and_never_a_whole_micro_too_dear(micros: int, price: Ratio) -> None:
    credits = cost(Quantity(micros), price).micros

    exact = micros * price.numerator_micros
    assert credits >= 1
    assert exact <= credits * price.denominator_micros < exact + price.denominator_micros


@PROPERTY
@given(st.integers(0, 10**15), PRICES)
def test_the_affordable_quantity_is_the_largest_there_is(micros: int, price: Ratio) -> None:
    credits = Credits(micros)

    quantity = affordable_quantity(credits, price)

    assert cost(quantity, price) <= credits
    assert quantity.micros == INT64_MAX or credits < cost(quantity + TICK, price)


@PROPERTY
@given(st.integers(0, 10**15), st.integers(0, 10**15), PRICES)
def test_a_whole_costs_no_more_than_its_parts(one: int, other: int, price: Ratio) -> None:
    whole = cost(Quantity(one + other), price)

    assert whole <= cost(Quantity(one), price) + cost(Quantity(other), price)


def test_a_free_product_is_affordable_without_credits() -> None:
    assert affordable_quantity(Credits(0), Ratio(0, 1)) == Quantity(INT64_MAX)


def test_nothing_is_affordable_without_credits_when_it_costs_anything() -> None:
    assert affordable_quantity(Credits(0), Ratio(1, 10**12)) == Quantity(0)
