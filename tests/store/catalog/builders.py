# SPDX-License-Identifier: Apache-2.0
"""Two rate cards, and a product of seats and one of usage to price on them."""

from services.catalog.domain.credit_type import USD
from services.catalog.domain.metric import Aggregation, BillableMetric, BillableMetricId
from services.catalog.domain.product import Product, ProductId, ProductType
from services.catalog.domain.rate_card import RateCard, RateCardId
from services.catalog.store import Transaction
from tests.support.catalog import JUNE

CARD, OTHER_CARD = RateCardId("rcd_1"), RateCardId("rcd_2")
SEATS, USAGE = ProductId("prd_seats"), ProductId("prd_usage")


async def open_cards(tx: Transaction) -> None:
    metric = BillableMetric(
        billable_metric_id=BillableMetricId("met_1"),
        name="calls",
        event_type="ai.call",
        aggregation=Aggregation.COUNT,
        aggregated_property=None,
        filters=(),
        group_keys=(),
        create_time=JUNE,
    )
    await tx.metrics.insert(metric)
    for product_id, product_type in ((SEATS, ProductType.SUBSCRIPTION), (USAGE, ProductType.USAGE)):
        await tx.products.insert(
            Product(
                product_id=product_id,
                name="x",
                product_type=product_type,
                billable_metric_id=metric.billable_metric_id if product_type is ProductType.USAGE else None,
                version=1,
                create_time=JUNE,
            )
        )
    for rate_card_id in (CARD, OTHER_CARD):
        card = RateCard(
            rate_card_id=rate_card_id,
            name="x",
            fiat_credit_type_id=USD,
            conversions=(),
            version=1,
            create_time=JUNE,
        )
        await tx.rate_cards.insert(card)
