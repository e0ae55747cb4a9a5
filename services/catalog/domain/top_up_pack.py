# SPDX-License-Identifier: Apache-2.0
"""Top-up packs: credits for sale. A pack never changes; a purchase keeps the terms of its pack."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType

from meshkit.quantity import Credits, Money
from services.catalog.domain.credit_type import CreditTypeId
from services.catalog.domain.errors import ProductArchived, ProductNotFixed
from services.catalog.domain.product import Product, ProductId, ProductType

TopUpPackId = NewType("TopUpPackId", str)

PRIORITY_DEFAULT = 100
PRIORITY_MAX = 1_000
LIFETIME_MIN = timedelta(seconds=1)
LIFETIME_MAX = timedelta(days=36_525)  # a hundred years


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpPack:
    """Credits (> 0) for a price (≥ 0). lifetime: from payment to expiry; None: forever."""

    top_up_pack_id: TopUpPackId
    name: str
    product_id: ProductId
    credit_type_id: CreditTypeId
    amount: Credits
    price: Money
    priority: int
    lifetime: timedelta | None
    create_time: datetime


def check_sold_as(product: Product) -> None:
    """Raise ProductArchived or ProductNotFixed unless a pack can be invoiced as the product."""
    if product.archive_time is not None:
        raise ProductArchived(product_id=product.product_id)
    if product.product_type is not ProductType.FIXED:
        raise ProductNotFixed(product_id=product.product_id)
