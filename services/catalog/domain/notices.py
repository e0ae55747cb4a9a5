# SPDX-License-Identifier: Apache-2.0
"""Notices for the Ledger: complete states with a version, so late or repeated notices do no harm."""

from dataclasses import dataclass

from services.catalog.domain.dimension import PricingDimension
from services.catalog.domain.metric import BillableMetric
from services.catalog.domain.product import ProductId, QuantityConversion
from services.catalog.domain.rate import Rate
from services.catalog.domain.rate_card import RateCardId


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductChanged:
    """A usage product, its metric and its pricing dimensions, as they are at `version`."""

    product_id: ProductId
    version: int
    name: str
    metric: BillableMetric
    conversion: QuantityConversion | None = None
    pricing_dimensions: tuple[PricingDimension, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCardChanged:
    """Every usage rate the card has at `version`; the Ledger does not need seat rates."""

    rate_card_id: RateCardId
    version: int
    rates: tuple[Rate, ...]


# The format of each, named as the notice's kind: store/formats.py.
Payload = ProductChanged | RateCardChanged
