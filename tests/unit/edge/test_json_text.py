# SPDX-License-Identifier: Apache-2.0
"""JSON with exact numbers."""

from decimal import Decimal

import pytest

from services.edge.json_text import NotJson, read_json, write_json


@pytest.mark.parametrize("text", ["93.548387", "0.0000001", "9223372036854775807.000001", "-0.5", "0", "100"])
def test_a_number_is_written_as_it_was_read(text: str) -> None:
    assert write_json(read_json(text.encode())) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [("1E+3", "1000"), ("1E-7", "0.0000001"), ("2.500", "2.5"), ("0E+5", "0"), ("-0", "0")],
)
def test_a_decimal_is_written_without_an_exponent(number: str, text: str) -> None:
    assert write_json(Decimal(number)) == text


def test_everything_else_is_written_as_json() -> None:
    value = {"a": [True, None, 'é\n"', {}], "b": ()}

    assert read_json(write_json(value).encode()) == {"a": [True, None, 'é\n"', {}], "b": []}


def test_a_float_is_refused_because_it_is_not_exact() -> None:
    with pytest.raises(TypeError, match="float"):
        write_json(0.1)


@pytest.mark.parametrize("text", [b"{", b"NaN", b"[Infinity]", b"\xff", b"[" * 100_000, b'{"a":1}}'])
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(NotJson):
        read_json(text)


def test_no_body_is_none() -> None:
    assert read_json(b"") is read_json(b" \n") is None
