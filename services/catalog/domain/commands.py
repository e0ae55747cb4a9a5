# SPDX-License-Identifier: Apache-2.0
"""The commands, one per rpc that writes, and the stored responses that are not domain objects.

fingerprint: the hash of the request as received. It shows whether a repeated request_id has another body.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from meshkit.quantity import Credits, Money
from services.catalog.domain.credit_type import CreditType, CreditTypeId
from services.catalog.domain.dimension import PricingDimension
from services.catalog.domain.metric import Aggregation, BillableMetric, BillableMetricId, PropertyFilter
from services.catalog.domain.product import Product, ProductId, ProductType, QuantityConversion
from services.catalog.domain.rate import Pricing, RateId, RateTerms
from services.catalog.domain.rate_card import CreditConversion, RateCard, RateCardId, RateChanged, RatesAdded
from services.catalog.domain.top_up_pack import TopUpPack


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCreditType:
    request_id: str
    fingerprint: bytes
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateBillableMetric:
    request_id: str
    fingerprint: bytes
    name: str
    event_type: str
    aggregation: Aggregation
    aggregated_property: str | None
    filters: tuple[PropertyFilter, ...]
    group_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveBillableMetric:
    request_id: str
    fingerprint: bytes
    billable_metric_id: BillableMetricId


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateProduct:
    request_id: str
    fingerprint: bytes
    name: str
    product_type: ProductType
    billable_metric_id: BillableMetricId | None
    conversion: QuantityConversion | None = None
    pricing_dimensions: tuple[PricingDimension, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateProduct:
    request_id: str
    fingerprint: bytes
    product_id: ProductId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveProduct:
    request_id: str
    fingerprint: bytes
    product_id: ProductId


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendProduct:
    request_id: str
    fingerprint: bytes
    product_id: ProductId


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendRateCard:
    request_id: str
    fingerprint: bytes
    rate_card_id: RateCardId


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRateCard:
    request_id: str
    fingerprint: bytes
    name: str
    fiat_credit_type_id: CreditTypeId
    conversions: tuple[CreditConversion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRates:
    request_id: str
    fingerprint: bytes
    rate_card_id: RateCardId
    rates: tuple[RateTerms, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawRate:
    request_id: str
    fingerprint: bytes
    rate_id: RateId


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRate:
    """end_time None: now."""

    request_id: str
    fingerprint: bytes
    rate_id: RateId
    end_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectRate:
    request_id: str
    fingerprint: bytes
    rate_id: RateId
    pricing: Pricing


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTopUpPack:
    request_id: str
    fingerprint: bytes
    name: str
    product_id: ProductId
    credit_type_id: CreditTypeId
    amount: Credits
    price: Money
    priority: int
    lifetime: timedelta | None


# The format of each: store/formats.py.
Response = CreditType | BillableMetric | Product | RateCard | RatesAdded | RateChanged | TopUpPack
