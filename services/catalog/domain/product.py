# SPDX-License-Identifier: Apache-2.0
"""Products: what the vendor sells."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NewType

from meshkit.quantity import Ratio
from services.catalog.domain.dimension import PricingDimension
from services.catalog.domain.metric import BillableMetricId

ProductId = NewType("ProductId", str)


class ProductType(Enum):
    """SUBSCRIPTION: seats. USAGE: metered use. FIXED: sold once, with a price set at the sale."""

    SUBSCRIPTION = "SUBSCRIPTION"
    USAGE = "USAGE"
    FIXED = "FIXED"


class QuantityRounding(Enum):
    """How a converted quantity becomes whole units."""

    NONE = "NONE"
    UP = "UP"
    DOWN = "DOWN"
    HALF_UP = "HALF_UP"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantityConversion:
    """Measured quantity → priced quantity. ratio: priced micros per measured micros, > 0."""

    ratio: Ratio
    rounding: QuantityRounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product. version: grows with every rename, the only change before it is archived, and with every ResendProduct.

    billable_metric_id: set for USAGE only; conversion and pricing_dimensions may be set for USAGE only.
    """

    product_id: ProductId
    name: str
    product_type: ProductType
    billable_metric_id: BillableMetricId | None
    version: int
    create_time: datetime
    archive_time: datetime | None = None
    conversion: QuantityConversion | None = None
    pricing_dimensions: tuple[PricingDimension, ...] = ()
