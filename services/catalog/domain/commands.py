# SPDX-License-Identifier: Apache-2.0
"""What callers may ask the Catalog to write: one command per rpc that writes.

A repeated request_id is compared by class name and fields (meshkit.requests): rename with care.
"""

from dataclasses import dataclass
from datetime import timedelta

from meshkit.quantity import Credits, Money
from services.catalog.domain.credit_type import CreditTypeId
from services.catalog.domain.metric import Aggregation, BillableMetricId, PropertyFilter
from services.catalog.domain.product import ProductId, ProductType
from services.catalog.domain.rate import RateTerms
from services.catalog.domain.rate_card import CreditConversion, RateCardId


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCreditType:
    request_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateBillableMetric:
    request_id: str
    name: str
    event_type: str
    aggregation: Aggregation
    sum_property: str | None
    filters: tuple[PropertyFilter, ...]
    group_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveBillableMetric:
    request_id: str
    billable_metric_id: BillableMetricId


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateProduct:
    request_id: str
    name: str
    product_type: ProductType
    billable_metric_id: BillableMetricId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateProduct:
    request_id: str
    product_id: ProductId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveProduct:
    request_id: str
    product_id: ProductId


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRateCard:
    request_id: str
    name: str
    fiat_credit_type_id: CreditTypeId
    conversions: tuple[CreditConversion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRates:
    request_id: str
    rate_card_id: RateCardId
    rates: tuple[RateTerms, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTopUpPack:
    request_id: str
    name: str
    product_id: ProductId
    credit_type_id: CreditTypeId
    amount: Credits
    price: Money
    priority: int
    lifetime: timedelta | None
