# SPDX-License-Identifier: Apache-2.0
"""Pricing dimensions: the properties of usage by whose values a product's rates may differ."""

from dataclasses import dataclass
from typing import Final

DIMENSIONS_MAX: Final = 5
BANDS_MAX: Final = 20
VALUES_MAX: Final = 200
DIMENSION_TEXT_MAX: Final = 100  # characters of a key or of a value


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionBand:
    """`value` is the dimension's value for property values up to `up_to_micros`, inclusive; None: without end."""

    value: str
    up_to_micros: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PricingDimension:
    """A property that prices depend on. Its value: the property's text, or that of the first band which contains it.

    bands: ascending, only the last one without end. values: the texts that rates may name; empty: any. Not both.
    """

    key: str
    property: str
    bands: tuple[DimensionBand, ...] = ()
    values: tuple[str, ...] = ()
