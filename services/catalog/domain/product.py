# SPDX-License-Identifier: Apache-2.0
"""Products: what the vendor sells."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NewType

from services.catalog.domain.metric import BillableMetricId

ProductId = NewType("ProductId", str)


class ProductType(Enum):
    """SUBSCRIPTION: seats. USAGE: metered use. FIXED: sold once, with a price set at the sale."""

    SUBSCRIPTION = "SUBSCRIPTION"
    USAGE = "USAGE"
    FIXED = "FIXED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product. billable_metric_id: set for USAGE only. version: grows with every rename."""

    product_id: ProductId
    name: str
    product_type: ProductType
    billable_metric_id: BillableMetricId | None
    version: int
    create_time: datetime
    archive_time: datetime | None = None
