# SPDX-License-Identifier: Apache-2.0
"""Rates: prices with dates, and which products they suit. Which rates may stand side by side: rate_line.py."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, NewType, assert_never

from meshkit.currency import is_currency
from meshkit.quantity import MICROS, Ratio
from services.catalog.domain.credit_type import CreditTypeId
from services.catalog.domain.errors import DimensionUnknown, DimensionValueUnknown, RateDoesNotSuitProduct
from services.catalog.domain.product import Product, ProductId, ProductType

RateId = NewType("RateId", str)

TIERS_MAX: Final = 20


class BillingFrequency(Enum):
    """How often seats are billed."""

    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    QUARTERLY = "QUARTERLY"
    ANNUAL = "ANNUAL"


class RateType(Enum):
    """How a rate makes a cost of a quantity.

    FLAT: in proportion. GRADUATED: each part of a usage period's quantity, or of the seats, at its tier's price.
    PACKAGE: every started block. VOLUME: all seats at the price of the tier in which their number lies.
    """

    FLAT = "FLAT"
    GRADUATED = "GRADUATED"
    PACKAGE = "PACKAGE"
    VOLUME = "VOLUME"


TIERED: Final = frozenset({RateType.GRADUATED, RateType.VOLUME})
_OF_SEATS: Final = frozenset({RateType.FLAT, RateType.GRADUATED, RateType.VOLUME})


@dataclass(frozen=True, slots=True, kw_only=True)
class RateTier:
    """The price of a quantity, or of the part of it, up to `up_to_micros`, inclusive; None: without end."""

    up_to_micros: int | None
    price: Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """How a quantity becomes a cost. price: micros of the credit type per micros of quantity.

    price is None for TIERED types only, which have tiers instead: ascending, only the last one without end.
    """

    rate_type: RateType
    price: Ratio | None
    tiers: tuple[RateTier, ...] = ()


# Key and value per dimension that a rate names, sorted by key. A dimension that it leaves out may have any value.
DimensionValues = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateTerms:
    """A rate to add. end_previous: end an open-ended rate of the same line at `effective_time`.

    replaces_rate_id: withdraw that rate first.
    """

    product_id: ProductId
    billing_frequency: BillingFrequency | None
    credit_type_id: CreditTypeId
    price: Ratio | None
    effective_time: datetime
    end_time: datetime | None
    end_previous: bool = False
    rate_type: RateType = RateType.FLAT
    tiers: tuple[RateTier, ...] = ()
    dimension_values: DimensionValues = ()
    replaces_rate_id: RateId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A price in force in [effective_time, end_time). end_time None: open-ended.

    rate_type, price, tiers: as in Pricing. billing_frequency: set for seats only, dimension_values for usage only.
    create_time: None if the rate is from before this was stored.
    withdraw_time: it was withdrawn before it began, and prices nothing. ended_by_rate_id: the rate that ended it by
    end_previous. corrects_rate_id: the rate that it corrects, over the same span. corrected_by_rate_id: the latest
    correction of the same rate, which prices instead; None for the latest one.
    """

    rate_id: RateId
    product_id: ProductId
    billing_frequency: BillingFrequency | None
    credit_type_id: CreditTypeId
    price: Ratio | None
    effective_time: datetime
    end_time: datetime | None
    rate_type: RateType = RateType.FLAT
    tiers: tuple[RateTier, ...] = ()
    dimension_values: DimensionValues = ()
    create_time: datetime | None = None
    withdraw_time: datetime | None = None
    ended_by_rate_id: RateId | None = None
    corrects_rate_id: RateId | None = None
    corrected_by_rate_id: RateId | None = None

    @property
    def line(self) -> "Line":
        """The line of prices that the rate belongs to."""
        return self.product_id, self.billing_frequency, self.dimension_values

    def reaches_past(self, at: datetime) -> bool:
        """Return whether the rate ends after `at`. The end is exclusive: the next rate may begin there."""
        return self.end_time is None or self.end_time > at


Line = tuple[ProductId, BillingFrequency | None, DimensionValues]


def check_suits(terms: RateTerms, product: Product) -> None:
    """Raise unless a rate with these terms can price the product.

    Seats have prices in money per billing frequency. Usage has prices in any credit type without one, for values of the
    product's dimensions. FIXED products are priced when they are sold.
    Raises RateDoesNotSuitProduct, DimensionUnknown, DimensionValueUnknown.
    Source: services/catalog/README.md, "Rates".
    """
    match product.product_type:
        case ProductType.SUBSCRIPTION if terms.billing_frequency is None:
            raise _unsuitable(product, "seats need a billing_frequency")
        case ProductType.SUBSCRIPTION if not is_currency(terms.credit_type_id):
            raise _unsuitable(product, "seats are priced in the currency of the rate card")
        case ProductType.SUBSCRIPTION if terms.dimension_values:
            raise _unsuitable(product, "seats have no pricing dimensions")
        case ProductType.SUBSCRIPTION:
            check_type_suits(terms.rate_type, terms.tiers, product)
        case ProductType.USAGE if terms.billing_frequency is not None:
            raise _unsuitable(product, "usage has no billing_frequency")
        case ProductType.USAGE:
            check_type_suits(terms.rate_type, terms.tiers, product)
            _check_dimensions(terms.dimension_values, product)
        case ProductType.FIXED:
            raise _unsuitable(product, "FIXED products are priced when they are sold")
        case _:
            assert_never(product.product_type)


def check_type_suits(rate_type: RateType, tiers: Iterable[RateTier], product: Product) -> None:
    """Raise RateDoesNotSuitProduct unless the product can have rates of this type with these tiers."""
    if product.product_type is ProductType.SUBSCRIPTION:
        if rate_type not in _OF_SEATS:
            raise _unsuitable(product, "seats have FLAT, GRADUATED or VOLUME rates")
        if any(tier.up_to_micros is not None and tier.up_to_micros % MICROS for tier in tiers):
            raise _unsuitable(product, "tiers of seats end at whole seats")
    elif rate_type is RateType.VOLUME:
        raise _unsuitable(product, "only seats have VOLUME rates")


def _check_dimensions(values: Iterable[tuple[str, str]], product: Product) -> None:
    dimensions = {dimension.key: dimension for dimension in product.pricing_dimensions}
    for key, value in values:
        if key not in dimensions:
            raise DimensionUnknown(product_id=product.product_id, dimension=key)
        dimension = dimensions[key]
        known = [band.value for band in dimension.bands] or dimension.values
        if known and value not in known:
            raise DimensionValueUnknown(product_id=product.product_id, dimension=key, value=value)


def _unsuitable(product: Product, problem: str) -> RateDoesNotSuitProduct:
    return RateDoesNotSuitProduct(product_id=product.product_id, problem=problem)
