# SPDX-License-Identifier: Apache-2.0
"""The part of the Catalog that a contract or a purchase refers to. Read when it is written, then stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

from services.contract.domain.billing.price import rate_at, rates_from
from services.contract.domain.billing.tiers import SeatPrice
from services.contract.domain.contract import BillingFrequency
from services.contract.domain.errors.catalog import ProductNotFixed, ProductNotSubscription, RateNotFound
from services.contract.domain.ids import CreditTypeId, ProductId, RateCardId
from services.contract.domain.overage import CardMoney

NO_MONEY: Final = CardMoney(currency_code="", per_credit_micros={})


class ProductType(Enum):
    """The kind of a product: seats, metered usage, or sold once."""

    SUBSCRIPTION = "SUBSCRIPTION"
    USAGE = "USAGE"
    FIXED = "FIXED"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedProduct:
    product_id: ProductId
    name: str
    product_type: ProductType


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogQuery:
    """What a contract or a purchase refers to. priced: the products whose seat prices are needed as well."""

    rate_card_id: RateCardId | None
    product_ids: frozenset[ProductId]
    credit_type_ids: frozenset[CreditTypeId]
    priced: frozenset[ProductId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The answer. products: all that the query names. rates: all past, present and future seat prices.

    money: of the rate card; of no currency if the query names none.
    """

    products: Mapping[ProductId, OfferedProduct]
    rates: Mapping[tuple[ProductId, BillingFrequency], tuple[SeatPrice, ...]] = field(default_factory=dict)
    money: CardMoney = NO_MONEY

    @property
    def currency_code(self) -> str:
        return self.money.currency_code

    def fixed(self, product_id: ProductId) -> OfferedProduct:
        """Return a product that credits can be sold as. Raises ProductNotFixed."""
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
    ) -> tuple[tuple[SeatPrice, ...], SeatPrice]:
        """Return the prices of a seat from `at` on, and the price in force at `at`. Raises RateNotFound."""
        rates = self.rates.get((product_id, billing_frequency), ())
        if (in_force := rate_at(rates, at)) is not None:
            return rates_from(rates, at), in_force
        raise RateNotFound(
            rate_card_id=rate_card_id,
            product_id=product_id,
            billing_frequency=billing_frequency.value,
            at=at.isoformat(),
        )
