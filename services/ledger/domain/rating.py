# SPDX-License-Identifier: Apache-2.0
"""Rates: what usage of a product costs, in credits of one type."""

from dataclasses import dataclass
from datetime import datetime

from meshkit.quantity import INT64_MAX, Credits, Quantity, Ratio, ceil_div, floor_div
from services.ledger.domain.credits.grant import CreditTypeId, ProductId


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One effective-dated price of a product, in force over `[effective_time, end_time)`."""

    rate_id: str
    product_id: ProductId
    credit_type_id: CreditTypeId
    price: Ratio
    effective_time: datetime
    end_time: datetime | None


def cost(quantity: Quantity, price: Ratio) -> Credits:
    """Return what `quantity` costs, rounded up to the micro: usage is never free by rounding.

    Source: services/README.md, "Amounts and rounding".
    """
    return Credits(ceil_div(quantity.micros * price.numerator_micros, price.denominator_micros))


def affordable_quantity(credits: Credits, price: Ratio) -> Quantity:
    """Return the largest quantity that costs at most `credits` (≥ 0); INT64_MAX micros if the price is 0."""
    if price.numerator_micros == 0:
        return Quantity(INT64_MAX)
    return Quantity(
        min(INT64_MAX, floor_div(credits.micros * price.denominator_micros, price.numerator_micros))
    )
