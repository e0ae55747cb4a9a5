# SPDX-License-Identifier: Apache-2.0
"""Pricing dimensions: properties by whose values usage of a product is priced, such as model and token kind.

Source: services/ledger/README.md, "Rating".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from meshkit.quantity import Quantity
from services.ledger.domain.rating.properties import micros_of

DIMENSIONS_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Band:
    """A range of a numeric property. value: of the dimension in it. up_to: inclusive; None: it has no end."""

    value: str
    up_to: Quantity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """A dimension `key` that reads one property.

    Without bands its value is the property's text. With bands the property is a number, and the value is that of the
    first band that contains it. Raises ValueError unless the bands ascend and only the last one has no end.
    """

    key: str
    property: str
    bands: tuple[Band, ...]

    def __post_init__(self) -> None:
        ends = [band.up_to for band in self.bands[:-1]]
        limits = [end.micros for end in ends if end is not None]
        ends_well = not self.bands or self.bands[-1].up_to is None
        if not ends_well or len(limits) != len(ends) or any(a >= b for a, b in pairwise(limits)):
            raise ValueError(f"the bands of {self.key!r} must ascend, and only the last one has no end")


def dimension_values(dimensions: Iterable[Dimension], properties: Mapping[str, str]) -> dict[str, str]:
    """Return the value of each dimension for an event, by key.

    A dimension without bands is left out if its property is missing: then only rates that do not name it match.
    Raises PropertyProblem for a banded dimension: PROPERTY_MISSING, PROPERTY_NOT_A_NUMBER.
    """
    values = {}
    for dimension in dimensions:
        if dimension.bands:
            values[dimension.key] = _band_of(dimension.bands, micros_of(properties, dimension.property))
        elif dimension.property in properties:
            values[dimension.key] = properties[dimension.property]
    return values


def _band_of(bands: tuple[Band, ...], micros: int) -> str:
    return next(band.value for band in bands if band.up_to is None or micros <= band.up_to.micros)
