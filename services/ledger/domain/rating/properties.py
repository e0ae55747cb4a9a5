# SPDX-License-Identifier: Apache-2.0
"""Properties of a usage event: text by name. Numbers are decimal texts."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

# Enough for any int64 and for a float as programs print it, few enough to be read without a cost.
NUMBER_LENGTH_MAX: Final = 40

_NUMBER: Final = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?")
_DECIMALS: Final = 6


class ProblemReason(Enum):
    """Why an event cannot be measured or priced."""

    PROPERTY_MISSING = "PROPERTY_MISSING"
    PROPERTY_NOT_A_NUMBER = "PROPERTY_NOT_A_NUMBER"
    QUANTITY_NEGATIVE = "QUANTITY_NEGATIVE"
    QUANTITY_TOO_LARGE = "QUANTITY_TOO_LARGE"


class PropertyProblem(Exception):
    """One property makes an event impossible to measure or to price. It concerns that event only."""

    def __init__(self, reason: ProblemReason, property_name: str) -> None:
        super().__init__(f"{reason.value}: property {property_name!r}")
        self.problem = reason
        self.property_name = property_name


def text_of(properties: Mapping[str, str], name: str) -> str:
    """Return a property. Raises PropertyProblem (PROPERTY_MISSING)."""
    try:
        return properties[name]
    except KeyError:
        raise PropertyProblem(ProblemReason.PROPERTY_MISSING, name) from None


def micros_of(properties: Mapping[str, str], name: str) -> int:
    """Return a numeric property in micros, rounded up: "1.5" is 1_500_000, "0.0000001" is 1, "-0.0000001" is 0.

    A number is an optional sign, digits, and an optional point with digits; at most 40 characters, without exponent.
    Raises PropertyProblem (PROPERTY_MISSING, PROPERTY_NOT_A_NUMBER).
    """
    text = text_of(properties, name)
    number = _NUMBER.fullmatch(text) if len(text) <= NUMBER_LENGTH_MAX else None
    if number is None:
        raise PropertyProblem(ProblemReason.PROPERTY_NOT_A_NUMBER, name)
    sign, units, fraction = number[1], number[2], number[3] or ""
    micros = int(units + fraction[:_DECIMALS].ljust(_DECIMALS, "0"))
    if sign == "-":
        return -micros
    return micros + 1 if fraction[_DECIMALS:].strip("0") else micros
