# SPDX-License-Identifier: Apache-2.0
"""Amounts: Metronome writes US dollars in cents, other currencies in units, and credits in credits; we in micros."""

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Final

from meshkit.currency import is_currency
from meshkit.quantity import INT64_MAX, MICROS
from purser.type.v1.money_pb2 import Money
from services.edge.wire.fields import one_violation

USD: Final = "USD"
# Metronome's constant id of US dollars.
USD_ID: Final = "2714e483-4ff1-48e4-9e25-ac732e8f24f2"
_CENT_MICROS: Final = 10_000
# A price keeps six more decimals than an amount: of a millionth of a cent for one token.
_PRICE_DECIMALS: Final = 6


class CreditTypes(dict[str, dict[str, str]]):
    """What answers show of credit types, by our ids."""

    def shown(self, credit_type_id: str) -> dict[str, str]:
        return self[credit_type_id]


def credit_type_id_from_json(credit_type_id: str) -> str:
    return USD if credit_type_id == USD_ID else credit_type_id


def credit_type_id_to_json(credit_type_id: str) -> str:
    return USD_ID if credit_type_id == USD else credit_type_id


def _unit_micros(credit_type_id: str) -> int:
    return _CENT_MICROS if credit_type_id == USD else MICROS


def micros_from_json(field: str, number: Decimal, credit_type_id: str) -> int:
    """Return micros of an amount; what is less than a micro, as floats bring it, is rounded half up."""
    return _whole_micros(field, number * _unit_micros(credit_type_id))


def quantity_micros_from_json(field: str, number: Decimal) -> int:
    return _whole_micros(field, number * MICROS)


def _whole_micros(field: str, exact: Decimal) -> int:
    with localcontext(prec=60):
        micros = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    if abs(micros) > INT64_MAX:
        raise one_violation(field, "is too large")
    return micros


def price_from_json(field: str, number: Decimal, credit_type_id: str) -> tuple[int, int]:
    """Return a price of one unit as micros for a quantity × 10^6, so that parts of a micro are kept.

    A cent for 1,000 tokens is 0.001 cents, 10 micros, for one; a hundredth of that is 1 micro for 10 tokens.
    """
    with localcontext(prec=60):
        exact = (number * _unit_micros(credit_type_id)).quantize(
            Decimal(1).scaleb(-_PRICE_DECIMALS), ROUND_HALF_UP
        )
        scale = max(0, -int(exact.normalize().as_tuple().exponent))
        price = _whole_micros(field, exact.scaleb(scale))
    return price, MICROS * 10**scale


def price_to_json(price_micros: int, per_micros: int, credit_type_id: str) -> Decimal:
    """Return the price of one unit."""
    with localcontext(prec=30):
        return Decimal(price_micros) * MICROS / per_micros / _unit_micros(credit_type_id)


def amount_to_json(micros: int, credit_type_id: str) -> Decimal:
    return Decimal(micros) / _unit_micros(credit_type_id)


def quantity_to_json(micros: int) -> Decimal:
    return Decimal(micros) / MICROS


def money_to_json(money: Money) -> Decimal:
    return amount_to_json(money.micros, money.currency_code)


def money_from_json(field: str, number: Decimal, credit_type_id: str) -> Money:
    """Return money. Raises InvalidBody if the credit type is none."""
    if not is_currency(credit_type_id):
        raise one_violation(field, "must be an amount of money, not of credits")
    return Money(currency_code=credit_type_id, micros=micros_from_json(field, number, credit_type_id))
