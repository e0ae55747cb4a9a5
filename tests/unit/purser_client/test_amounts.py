# SPDX-License-Identifier: Apache-2.0
from decimal import Decimal
from typing import Any

import pytest

from purser_client import Credits, Quantity
from purser_client.amounts import actual_of, amount_of, group_values_of, text_of


@pytest.mark.parametrize(
    ("given", "micros"),
    [(1, 1_000_000), ("1.5", 1_500_000), ("0.000001", 1), (Quantity.of("0.25"), 250_000)],
)
def test_a_quantity_is_an_int_a_text_or_a_quantity(given: Any, micros: int) -> None:
    assert amount_of(given, None) == Quantity(micros)


@pytest.mark.parametrize(
    ("given", "micros"), [(12, 12_000_000), ("0.5", 500_000), (Credits.of(3), 3_000_000)]
)
def test_credits_are_an_int_a_text_or_credits(given: Any, micros: int) -> None:
    assert amount_of(None, given) == Credits(micros)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (0.1, "the float 0.1, and amounts here are exact: give an int, a text such as '0.25'"),
        (Decimal("0.1"), "the Decimal 0.1, and amounts here are exact"),
        (True, "quantity is True; give a number"),
        (Credits.of(1), "a Credits; give an int, a text, or a Quantity"),
        (b"1", "a bytes; give"),
    ],
)
def test_inexact_numbers_and_other_types_are_refused(given: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        amount_of(given, None)


@pytest.mark.parametrize("given", ["", "1e3", "0.0000001", "one", "١"])
def test_a_text_that_is_not_a_number_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="is not a number with at most 6 decimals"):
        amount_of(given, None)


@pytest.mark.parametrize("given", [0, -1, "-0.000001"])
def test_an_amount_of_zero_cannot_be_requested(given: Any) -> None:
    with pytest.raises(ValueError, match="must be > 0"):
        amount_of(None, given)


def test_the_largest_amount_and_one_micro_more() -> None:
    assert amount_of(Quantity(2**63 - 1), None) == Quantity(2**63 - 1)
    with pytest.raises(ValueError, match="is out of range"):
        amount_of(Quantity(2**63), None)


def test_exactly_one_measure_is_given() -> None:
    with pytest.raises(TypeError, match="give quantity= or credits="):
        amount_of(None, None)
    with pytest.raises(TypeError, match="not both"):
        amount_of(1, 1)


def test_an_actual_without_a_unit_has_the_unit_of_the_request() -> None:
    assert actual_of(2, Quantity.of(5)) == Quantity.of(2)
    assert actual_of("0.5", Credits.of(5)) == Credits.of("0.5")
    assert actual_of(Credits.of(3), Quantity.of(5)) == Credits.of(3)


def test_an_actual_may_be_zero_but_not_negative() -> None:
    assert actual_of(0, Quantity.of(5)) == Quantity.zero()
    with pytest.raises(ValueError, match="must be >= 0"):
        actual_of(Quantity(-1), Quantity.of(5))


def test_a_float_is_refused_as_an_actual() -> None:
    with pytest.raises(TypeError, match="actual is the float"):
        actual_of(0.5, Quantity.of(1))  # type: ignore[arg-type]


def test_user_id_is_one_of_the_group_values() -> None:
    assert group_values_of("ann", {"team": "red"}) == {"user_id": "ann", "team": "red"}
    assert group_values_of("ann", {"user_id": "ann"}) == {"user_id": "ann"}
    assert group_values_of(None, None) == {}


def test_two_users_for_one_call_are_refused() -> None:
    with pytest.raises(ValueError, match="user_id is 'ann', but group_values say 'bob'"):
        group_values_of("ann", {"user_id": "bob"})


@pytest.mark.parametrize(
    ("micros", "text"),
    [(0, "0"), (400_000_000, "400"), (1_500_000, "1.5"), (-1, "-0.000001"), (10, "0.00001")],
)
def test_an_amount_is_printed_as_people_write_it(micros: int, text: str) -> None:
    assert text_of(Credits(micros)) == text
