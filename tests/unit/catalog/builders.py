# SPDX-License-Identifier: Apache-2.0
"""Domain objects of the Catalog, with a default for whatever a test does not care about."""

from datetime import UTC, datetime

from meshkit.quantity import Ratio
from services.catalog.domain.credit_type import USD, CreditTypeId
from services.catalog.domain.metric import BillableMetricId
from services.catalog.domain.product import Product, ProductId, ProductType
from services.catalog.domain.rate import BillingFrequency, Rate, RateId, RateTerms
from services.catalog.domain.rate_card import CreditConversion, RateCard, RateCardId

JANUARY = datetime(2025, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2025, 2, 1, tzinfo=UTC)
MARCH = datetime(2025, 3, 1, tzinfo=UTC)
AI_CREDITS = CreditTypeId("crt_ai")
ASSISTANT = ProductId("prd_assistant")


def a_product(
    product_type: ProductType = ProductType.USAGE,
    *,
    product_id: ProductId = ASSISTANT,
    archive_time: datetime | None = None,
) -> Product:
    return Product(
        product_id=product_id,
        name="AI Assistant",
        product_type=product_type,
        billable_metric_id=BillableMetricId("met_1") if product_type is ProductType.USAGE else None,
        version=1,
        create_time=JANUARY,
        archive_time=archive_time,
    )


def a_card(*, converts: tuple[CreditTypeId, ...] = (AI_CREDITS,)) -> RateCard:
    return RateCard(
        rate_card_id=RateCardId("rcd_1"),
        name="List prices",
        fiat_credit_type_id=USD,
        conversions=tuple(
            CreditConversion(credit_type_id=one, fiat_per_credit_micros=1_000_000) for one in converts
        ),
        version=1,
        create_time=JANUARY,
    )


def some_terms(
    start: datetime = JANUARY,
    end: datetime | None = None,
    *,
    product_id: ProductId = ASSISTANT,
    frequency: BillingFrequency | None = None,
    credit_type_id: CreditTypeId = USD,
    end_previous: bool = False,
) -> RateTerms:
    return RateTerms(
        product_id=product_id,
        billing_frequency=frequency,
        credit_type_id=credit_type_id,
        price=Ratio(12_000_000, 1_000_000),
        effective_time=start,
        end_time=end,
        end_previous=end_previous,
    )


def a_rate(
    rate_id: str,
    start: datetime = JANUARY,
    end: datetime | None = None,
    *,
    product_id: ProductId = ASSISTANT,
    frequency: BillingFrequency | None = None,
) -> Rate:
    return Rate(
        rate_id=RateId(rate_id),
        product_id=product_id,
        billing_frequency=frequency,
        credit_type_id=USD,
        price=Ratio(12_000_000, 1_000_000),
        effective_time=start,
        end_time=end,
    )
