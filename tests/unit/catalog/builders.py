# SPDX-License-Identifier: Apache-2.0
"""Domain objects of the Catalog, with a default for whatever a test does not care about."""

from datetime import UTC, datetime

from meshkit.quantity import Ratio
from services.catalog.domain.credit_type import USD, CreditTypeId
from services.catalog.domain.dimension import DimensionBand, PricingDimension
from services.catalog.domain.metric import BillableMetricId
from services.catalog.domain.product import Product, ProductId, ProductType
from services.catalog.domain.rate import BillingFrequency, DimensionValues, Rate, RateId, RateTerms, RateType
from services.catalog.domain.rate_card import CreditConversion, RateCard, RateCardId

JANUARY = datetime(2025, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2025, 2, 1, tzinfo=UTC)
MARCH = datetime(2025, 3, 1, tzinfo=UTC)
AI_CREDITS = CreditTypeId("crt_ai")
ASSISTANT = ProductId("prd_assistant")
MODEL = PricingDimension(key="model", property="model")
KIND = PricingDimension(key="kind", property="token_kind", values=("input", "output"))
LENGTH = PricingDimension(
    key="length",
    property="prompt_tokens",
    bands=(
        DimensionBand(value="short", up_to_micros=200_000_000_000),
        DimensionBand(value="long", up_to_micros=None),
    ),
)


def a_product(
    product_type: ProductType = ProductType.USAGE,
    *,
    product_id: ProductId = ASSISTANT,
    archive_time: datetime | None = None,
    dimensions: tuple[PricingDimension, ...] = (),
) -> Product:
    return Product(
        product_id=product_id,
        name="AI Assistant",
        product_type=product_type,
        billable_metric_id=BillableMetricId("met_1") if product_type is ProductType.USAGE else None,
        version=1,
        create_time=JANUARY,
        archive_time=archive_time,
        pricing_dimensions=dimensions,
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
    dimension_values: DimensionValues = (),
    rate_type: RateType = RateType.FLAT,
) -> RateTerms:
    return RateTerms(
        product_id=product_id,
        billing_frequency=frequency,
        credit_type_id=credit_type_id,
        price=Ratio(12_000_000, 1_000_000),
        effective_time=start,
        end_time=end,
        end_previous=end_previous,
        dimension_values=dimension_values,
        rate_type=rate_type,
    )


def a_rate(
    rate_id: str,
    start: datetime = JANUARY,
    end: datetime | None = None,
    *,
    product_id: ProductId = ASSISTANT,
    frequency: BillingFrequency | None = None,
    dimension_values: DimensionValues = (),
    ended_by: str | None = None,
) -> Rate:
    return Rate(
        rate_id=RateId(rate_id),
        product_id=product_id,
        billing_frequency=frequency,
        credit_type_id=USD,
        price=Ratio(12_000_000, 1_000_000),
        effective_time=start,
        end_time=end,
        dimension_values=dimension_values,
        ended_by_rate_id=None if ended_by is None else RateId(ended_by),
    )
