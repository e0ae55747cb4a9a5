# SPDX-License-Identifier: Apache-2.0
"""What the Catalog offers, as far as a contract or a purchase refers to it. Read at write time, then kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from services.contract.domain.billing.price import SeatRate, rate_at, rates_from
from services.contract.domain.contract import BillingFrequency
from services.contract.domain.errors import ProductNotFixed, ProductNotSubscription, RateNotFound
from services.contract.domain.ids import CreditTypeId, ProductId, RateCardId


class ProductType(Enum):
    """What sort of thing a product is: seats, metered use, or sold once."""

    SUBSCRIPTION = "SUBSCRIPTION"
    USAGE = "USAGE"
    FIXED = "FIXED"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedProduct:
    product_id: ProductId
    name: str
    product_type: ProductType


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of the Catalog a contract or a purchase refers to. priced: the products whose seat prices too."""

    rate_card_id: RateCardId | None
    product_ids: frozenset[ProductId]
    credit_type_ids: frozenset[CreditTypeId]
    priced: frozenset[ProductId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """products: those asked for, all known. rates: all prices of a seat there ever were, by frequency."""

    products: Mapping[ProductId, OfferedProduct]
    rates: Mapping[tuple[ProductId, BillingFrequency], tuple[SeatRate, ...]] = field(default_factory=dict)

    def fixed(self, product_id: ProductId) -> OfferedProduct:
        """Return a product that credits can be sold or shown as. Raises ProductNotFixed."""
        product = self.products[product_id]
        if product.product_type is ProductType.FIXED:
            return product
        raise ProductNotFixed(product_id=product_id)

    def seat(self, product_id: ProductId) -> OfferedProduct:
        """Return a product that seats can be sold as. Raises ProductNotSubscription."""
        product = self.products[product_id]
        if product.product_type is ProductType.SUBSCRIPTION:
            return product
        raise ProductNotSubscription(product_id=product_id)

    def seat_rates(
        self,
        rate_card_id: RateCardId,
        product_id: ProductId,
        billing_frequency: BillingFrequency,
        *,
        at: datetime,
    ) -> tuple[tuple[SeatRate, ...], SeatRate]:
        """Return the prices of a seat from `at` on, and the one in force at `at`. Raises RateNotFound."""
        rates = self.rates.get((product_id, billing_frequency), ())
        if (in_force := rate_at(rates, at)) is not None:
            return rates_from(rates, at), in_force
        raise RateNotFound(
            rate_card_id=rate_card_id,
            product_id=product_id,
            billing_frequency=billing_frequency.value,
            at=at.isoformat(),
        )
