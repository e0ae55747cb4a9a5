# SPDX-License-Identifier: Apache-2.0
"""Amounts between Metronome's units and micros, exact at the edges."""

from decimal import Decimal

import pytest

from meshkit.quantity import INT64_MAX
from services.edge.faults import InvalidBody
from services.edge.wire.amounts import (
    USD_ID,
    amount_to_json,
    credit_type_id_from_json,
    credit_type_id_to_json,
    micros_from_json,
    price_from_json,
    price_to_json,
    quantity_micros_from_json,
)


@pytest.mark.parametrize(
    ("number", "credit_type_id", "micros"),
    [
        ("9123", "USD", 91_230_000),
        ("0.0001", "USD", 1),
        ("0.00005", "USD", 1),
        ("0.00004999", "USD", 0),
        ("91.23", "EUR", 91_230_000),
        ("93.548387", "crt_ai", 93_548_387),
        ("0.30000000000000004", "crt_ai", 300_000),
        ("0.0000005", "crt_ai", 1),
        ("0.0000004", "crt_ai", 0),
        ("-1.5", "crt_ai", -1_500_000),
        ("-0.0000005", "crt_ai", -1),
    ],
)
def test_dollars_are_cents_and_what_is_less_than_a_micro_is_rounded_half_up(
    number: str, credit_type_id: str, micros: int
) -> None:
    assert micros_from_json("amount", Decimal(number), credit_type_id) == micros


@pytest.mark.parametrize("micros", [0, 1, -1, 91_230_000, INT64_MAX, -INT64_MAX])
@pytest.mark.parametrize("credit_type_id", ["USD", "EUR", "crt_ai"])
def test_every_amount_comes_back_as_it_was(micros: int, credit_type_id: str) -> None:
    assert micros_from_json("amount", amount_to_json(micros, credit_type_id), credit_type_id) == micros


def test_the_largest_amount_is_accepted_and_one_micro_more_is_refused() -> None:
    most = Decimal(INT64_MAX) / 1_000_000

    assert quantity_micros_from_json("quantity", most) == INT64_MAX
    with pytest.raises(InvalidBody, match="quantity is too large"):
        quantity_micros_from_json("quantity", most + Decimal("0.000001"))


@pytest.mark.parametrize(
    ("price", "credit_type_id", "micros", "per_micros"),
    [
        ("10000", "USD", 100_000_000, 1_000_000),
        ("0.00025", "USD", 25, 10_000_000),
        ("0.0000000001", "USD", 1, 1_000_000_000_000),
        ("0.00000000001", "USD", 0, 1_000_000),
        ("12", "crt_ai", 12_000_000, 1_000_000),
        ("0", "crt_ai", 0, 1_000_000),
    ],
)
def test_a_price_of_less_than_a_micro_is_one_of_more_units(
    price: str, credit_type_id: str, micros: int, per_micros: int
) -> None:
    assert price_from_json("price", Decimal(price), credit_type_id) == (micros, per_micros)


@pytest.mark.parametrize("price", ["10000", "0.00025", "0.0000000001", "12.5", "0"])
def test_every_price_comes_back_as_it_was(price: str) -> None:
    micros, per_micros = price_from_json("price", Decimal(price), "USD")

    assert price_to_json(micros, per_micros, "USD") == Decimal(price)


def test_metronomes_id_of_dollars_is_usd_both_ways_and_other_ids_pass() -> None:
    assert credit_type_id_from_json(USD_ID) == credit_type_id_from_json("USD") == "USD"
    assert credit_type_id_to_json("USD") == USD_ID
    assert credit_type_id_from_json("crt_ai") == credit_type_id_to_json("crt_ai") == "crt_ai"
