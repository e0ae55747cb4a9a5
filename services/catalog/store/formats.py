# SPDX-License-Identifier: Apache-2.0
"""Every type that the Catalog stores as JSON. How to change one: libs/README.md, "Stored formats"."""

from typing import Final

from meshkit.formats import Format, Formats, Json
from services.catalog.domain.commands import Response
from services.catalog.domain.credit_type import CreditType
from services.catalog.domain.dimension import PricingDimension
from services.catalog.domain.metric import BillableMetric
from services.catalog.domain.notices import Payload, ProductChanged, RateCardChanged
from services.catalog.domain.product import Product, QuantityConversion
from services.catalog.domain.rate import RateTier
from services.catalog.domain.rate_card import RateCard, RateChanged, RatesAdded
from services.catalog.domain.top_up_pack import TopUpPack


def _metric_2(metric: Json) -> Json:
    """From version 2 on, every aggregation but COUNT has a property."""
    changed = dict(metric)
    changed["aggregated_property"] = changed.pop("sum_property")
    return changed


def _product_2(product: Json) -> Json:
    """From version 2 on, a product has a conversion and pricing dimensions."""
    return {**product, "conversion": None, "pricing_dimensions": []}


def _product_changed_2(changed: Json) -> Json:
    return {**_product_2(changed), "metric": _metric_2(changed["metric"])}


def _rate_2(rate: Json) -> Json:
    """From version 2 of what contains it on, a rate has a type, dimension values, and what became of it."""
    added = ("create_time", "withdraw_time", "ended_by_rate_id", "corrects_rate_id", "corrected_by_rate_id")
    return {**rate, "rate_type": "FLAT", "tiers": [], "dimension_values": []} | dict.fromkeys(added)


def _rates_2(holder: Json) -> Json:
    return {**holder, "rates": [_rate_2(rate) for rate in holder["rates"]]}


def _with_warnings(changed: Json) -> Json:
    """From version 3 of RatesAdded and version 2 of RateChanged on, a change of rates has warnings."""
    return {**changed, "warnings": []}


RESPONSES: Final = Formats[Response](
    Format("CreditType", CreditType),
    Format("BillableMetric", BillableMetric, (_metric_2,)),
    Format("Product", Product, (_product_2,)),
    Format("RateCard", RateCard),
    Format("RatesAdded", RatesAdded, (_rates_2, _with_warnings)),
    Format("RateChanged", RateChanged, (_with_warnings,)),
    Format("TopUpPack", TopUpPack),
)
NOTICES: Final = Formats[Payload](
    Format("PRODUCT_CHANGED", ProductChanged, (_product_changed_2,)),
    Format("RATE_CARD_CHANGED", RateCardChanged, (_rates_2,)),
)
# products.conversion, and one element each of products.pricing_dimensions and rates.tiers.
QUANTITY_CONVERSION: Final = Format("QuantityConversion", QuantityConversion)
PRICING_DIMENSION: Final = Format("PricingDimension", PricingDimension)
RATE_TIER: Final = Format("RateTier", RateTier)
COLUMNS: Final = Formats[QuantityConversion | PricingDimension | RateTier](
    QUANTITY_CONVERSION, PRICING_DIMENSION, RATE_TIER
)
