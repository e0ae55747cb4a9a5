# SPDX-License-Identifier: Apache-2.0
"""Every type that the Catalog stores as JSON. How to change one: libs/README.md, "Stored formats"."""

from typing import Final

from meshkit.formats import Format, Formats
from services.catalog.domain.commands import Response
from services.catalog.domain.credit_type import CreditType
from services.catalog.domain.metric import BillableMetric
from services.catalog.domain.notices import Payload, ProductChanged, RateCardChanged
from services.catalog.domain.product import Product
from services.catalog.domain.rate_card import RateCard, RatesAdded
from services.catalog.domain.top_up_pack import TopUpPack

RESPONSES: Final = Formats[Response](
    Format("CreditType", CreditType),
    Format("BillableMetric", BillableMetric),
    Format("Product", Product),
    Format("RateCard", RateCard),
    Format("RatesAdded", RatesAdded),
    Format("TopUpPack", TopUpPack),
)
NOTICES: Final = Formats[Payload](
    Format("PRODUCT_CHANGED", ProductChanged),
    Format("RATE_CARD_CHANGED", RateCardChanged),
)
