# SPDX-License-Identifier: Apache-2.0
"""Rates: prices with dates. In each line of prices at most one rate is in force at an instant."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import NewType, assert_never

from meshkit.quantity import Ratio
from services.catalog.domain.credit_type import USD, CreditTypeId
from services.catalog.domain.errors import RateDoesNotSuitProduct, RateOverlaps
from services.catalog.domain.product import Product, ProductId, ProductType

RateId = NewType("RateId", str)


class BillingFrequency(Enum):
    """How often seats are billed."""

    MONTHLY = "MONTHLY"
    ANNUAL = "ANNUAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateTerms:
    """A rate to add. `end_previous` ends an open-ended rate of the same line at `effective_time`."""

    product_id: ProductId
    billing_frequency: BillingFrequency | None
    credit_type_id: CreditTypeId
    price: Ratio
    effective_time: datetime
    end_time: datetime | None
    end_previous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A price in force in [effective_time, end_time). end_time None: open-ended.

    price: micros of the credit type per micros of quantity. billing_frequency: set for seats only.
    """

    rate_id: RateId
    product_id: ProductId
    billing_frequency: BillingFrequency | None
    credit_type_id: CreditTypeId
    price: Ratio
    effective_time: datetime
    end_time: datetime | None

    @property
    def line(self) -> "Line":
        """The line of prices that the rate belongs to."""
        return self.product_id, self.billing_frequency

    def reaches_past(self, at: datetime) -> bool:
        """Return whether the rate ends after `at`. The end is exclusive: the next rate may begin there."""
        return self.end_time is None or self.end_time > at


Line = tuple[ProductId, BillingFrequency | None]


def check_suits(terms: RateTerms, product: Product) -> None:
    """Raise RateDoesNotSuitProduct unless a rate with these terms can price the product.

    Seats are priced in USD per billing frequency, usage in any credit type without one; FIXED products are
    priced when they are sold. Source: services/catalog/README.md, "Rates".
    """
    match product.product_type:
        case ProductType.SUBSCRIPTION if terms.billing_frequency is None:
            raise RateDoesNotSuitProduct(
                product_id=product.product_id, problem="seats need a billing_frequency"
            )
        case ProductType.SUBSCRIPTION if terms.credit_type_id != USD:
            raise RateDoesNotSuitProduct(product_id=product.product_id, problem="seats are priced in USD")
        case ProductType.USAGE if terms.billing_frequency is not None:
            raise RateDoesNotSuitProduct(
                product_id=product.product_id, problem="usage has no billing_frequency"
            )
        case ProductType.FIXED:
            raise RateDoesNotSuitProduct(
                product_id=product.product_id, problem="FIXED products are priced when they are sold"
            )
        case ProductType.SUBSCRIPTION | ProductType.USAGE:
            return
        case _:
            assert_never(product.product_type)


def insert_into_line(line: Sequence[Rate], rate: Rate, *, end_previous: bool) -> list[Rate]:
    """Return a line of prices with one more rate in it.

    line: rates of one product and billing frequency by effective_time, without overlaps; so is the result.
    Only neighbours can overlap. With `end_previous` an earlier open-ended rate ends where the new rate
    begins. Raises RateOverlaps with the conflicting rate.
    """
    position = bisect_right(line, rate.effective_time, key=lambda other: other.effective_time)
    before, after = list(line[:position]), list(line[position:])
    if before and before[-1].reaches_past(rate.effective_time):
        previous = before[-1]
        if not (end_previous and previous.end_time is None and previous.effective_time < rate.effective_time):
            raise _overlap(rate, previous)
        before[-1] = replace(previous, end_time=rate.effective_time)
    if after and rate.reaches_past(after[0].effective_time):
        raise _overlap(rate, after[0])
    return [*before, rate, *after]


def _overlap(rate: Rate, other: Rate) -> RateOverlaps:
    return RateOverlaps(
        product_id=rate.product_id,
        effective_time=rate.effective_time.isoformat(),
        other_effective_time=other.effective_time.isoformat(),
        other_end_time="" if other.end_time is None else other.end_time.isoformat(),
    )
