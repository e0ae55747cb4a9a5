# SPDX-License-Identifier: Apache-2.0
import pytest

from meshkit.currency import is_currency, minor_unit_micros


@pytest.mark.parametrize(
    ("code", "micros"),
    [("JPY", 1_000_000), ("KRW", 1_000_000), ("USD", 10_000), ("EUR", 10_000), ("BHD", 1_000), ("CLF", 100)],
)
def test_a_currency_has_the_minor_unit_of_iso_4217(code: str, micros: int) -> None:
    assert is_currency(code)
    assert minor_unit_micros(code) == micros


@pytest.mark.parametrize("code", ["", "usd", "XAU", "XTS", "ABC", "EURO", "crt_1"])
def test_other_texts_are_no_currencies(code: str) -> None:
    assert not is_currency(code)
    with pytest.raises(KeyError):
        minor_unit_micros(code)
