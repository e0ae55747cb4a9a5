# SPDX-License-Identifier: Apache-2.0
"""A usage product: how it is measured, and by which properties it is priced."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.rating.dimensions import Dimension
from services.ledger.domain.rating.metric import Metric
from services.ledger.domain.rating.price import Conversion


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageProduct:
    """conversion: None if the priced quantity is the measured one. dimensions: the more important ones first."""

    product_id: ProductId
    metric: Metric
    conversion: Conversion | None = None
    dimensions: tuple[Dimension, ...] = ()

    def counted(self, group_values: Mapping[str, str]) -> Mapping[str, str]:
        """Return the group values by which the metric groups usage: only these are capped, watched and reported."""
        return {key: value for key, value in group_values.items() if key in self.metric.group_keys}
