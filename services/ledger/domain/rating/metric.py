# SPDX-License-Identifier: Apache-2.0
"""Metrics: which events of usage count for a product, and what each adds to its meter.

Source: services/ledger/README.md, "Metering".
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import Enum
from typing import Final, NewType, assert_never

from meshkit.quantity import Quantity
from services.ledger.domain.rating.properties import ProblemReason, PropertyProblem, micros_of, text_of

UniqueValue = NewType("UniqueValue", str)

ONE: Final = Quantity.of(1)
# The most that one event may report: a trillion units.
QUANTITY_MAX: Final = Quantity(10**18)


class Aggregation(Enum):
    """How a metric turns events into a quantity."""

    COUNT = "COUNT"
    SUM = "SUM"
    MAX = "MAX"
    UNIQUE = "UNIQUE"

    @property
    def keeps_rates(self) -> bool:
        """Whether a meter keeps one rate for a whole usage period, whatever the type of the rate."""
        return self in (Aggregation.MAX, Aggregation.UNIQUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyFilter:
    """A condition on one property: it is present (no values), is one of `values`, or (negated) is none of them.

    All three require that the property is present.
    """

    property: str
    values: tuple[str, ...]
    is_negated: bool

    def accepts(self, properties: Mapping[str, str]) -> bool:
        value = properties.get(self.property)
        if value is None:
            return False
        return not self.values or (value in self.values) != self.is_negated


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How the events of one type become a quantity.

    property: what SUM adds up, MAX compares and UNIQUE counts; None for COUNT. group_keys: the properties by which
    usage can be grouped and capped. Raises ValueError if the property does not suit the aggregation.
    """

    event_type: str
    aggregation: Aggregation
    property: str | None
    filters: tuple[PropertyFilter, ...]
    group_keys: tuple[str, ...]

    def __post_init__(self) -> None:
        if (self.property is None) != (self.aggregation is Aggregation.COUNT):
            raise ValueError(f"{self.aggregation.name} of the property {self.property!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the usage period of a meter has already seen: the largest value (MAX), the known values (UNIQUE)."""

    largest: Quantity = Quantity(0)
    values: Set[UniqueValue] = frozenset()


NOTHING_SEEN: Final = Seen()


def matches(metric: Metric, event_type: str, properties: Mapping[str, str]) -> bool:
    """Return whether an event counts: its type is the metric's, and all filters accept it."""
    return metric.event_type == event_type and all(one.accepts(properties) for one in metric.filters)


def measure(metric: Metric, properties: Mapping[str, str]) -> Quantity | UniqueValue:
    """Return what an event reports: a quantity (one unit for COUNT) or, for UNIQUE, a value.

    More than six decimals are rounded up to the micro. Raises PropertyProblem: PROPERTY_MISSING,
    PROPERTY_NOT_A_NUMBER, QUANTITY_NEGATIVE, QUANTITY_TOO_LARGE.
    """
    name = metric.property
    if name is None:
        return ONE
    if metric.aggregation is Aggregation.UNIQUE:
        return UniqueValue(text_of(properties, name))
    micros = micros_of(properties, name)
    if micros < 0:
        raise PropertyProblem(ProblemReason.QUANTITY_NEGATIVE, name)
    if micros > QUANTITY_MAX.micros:
        raise PropertyProblem(ProblemReason.QUANTITY_TOO_LARGE, name)
    return Quantity(micros)


def increment(aggregation: Aggregation, measured: Quantity | UniqueValue, seen: Seen) -> Quantity:
    """Return what a measured event adds to its meter (≥ 0).

    The sum of the increments depends neither on the order of the events nor, for MAX and UNIQUE, on repetitions.
    """
    match aggregation:
        case Aggregation.COUNT:
            return ONE
        case Aggregation.SUM:
            assert isinstance(measured, Quantity)
            return measured
        case Aggregation.MAX:
            assert isinstance(measured, Quantity)
            return max(measured, seen.largest) - seen.largest
        case Aggregation.UNIQUE:
            assert isinstance(measured, str)
            return Quantity(0) if measured in seen.values else ONE
        case _:
            assert_never(aggregation)
