import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from purser.access.v1 import access_pb2 as _access_pb2
from purser.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Aggregation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AGGREGATION_UNSPECIFIED: _ClassVar[Aggregation]
    AGGREGATION_COUNT: _ClassVar[Aggregation]
    AGGREGATION_SUM: _ClassVar[Aggregation]
    AGGREGATION_MAX: _ClassVar[Aggregation]
    AGGREGATION_UNIQUE: _ClassVar[Aggregation]

class ProductType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRODUCT_TYPE_UNSPECIFIED: _ClassVar[ProductType]
    PRODUCT_TYPE_SUBSCRIPTION: _ClassVar[ProductType]
    PRODUCT_TYPE_USAGE: _ClassVar[ProductType]
    PRODUCT_TYPE_FIXED: _ClassVar[ProductType]

class QuantityRounding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUANTITY_ROUNDING_UNSPECIFIED: _ClassVar[QuantityRounding]
    QUANTITY_ROUNDING_UP: _ClassVar[QuantityRounding]
    QUANTITY_ROUNDING_DOWN: _ClassVar[QuantityRounding]
    QUANTITY_ROUNDING_HALF_UP: _ClassVar[QuantityRounding]

class BillingFrequency(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BILLING_FREQUENCY_UNSPECIFIED: _ClassVar[BillingFrequency]
    BILLING_FREQUENCY_MONTHLY: _ClassVar[BillingFrequency]
    BILLING_FREQUENCY_ANNUAL: _ClassVar[BillingFrequency]
    BILLING_FREQUENCY_WEEKLY: _ClassVar[BillingFrequency]
    BILLING_FREQUENCY_QUARTERLY: _ClassVar[BillingFrequency]

class RateType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RATE_TYPE_UNSPECIFIED: _ClassVar[RateType]
    RATE_TYPE_FLAT: _ClassVar[RateType]
    RATE_TYPE_GRADUATED: _ClassVar[RateType]
    RATE_TYPE_PACKAGE: _ClassVar[RateType]
    RATE_TYPE_VOLUME: _ClassVar[RateType]

class RateWarningType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RATE_WARNING_TYPE_UNSPECIFIED: _ClassVar[RateWarningType]
    RATE_WARNING_TYPE_GAP: _ClassVar[RateWarningType]
    RATE_WARNING_TYPE_UNPRICED_DIMENSION_VALUE: _ClassVar[RateWarningType]
AGGREGATION_UNSPECIFIED: Aggregation
AGGREGATION_COUNT: Aggregation
AGGREGATION_SUM: Aggregation
AGGREGATION_MAX: Aggregation
AGGREGATION_UNIQUE: Aggregation
PRODUCT_TYPE_UNSPECIFIED: ProductType
PRODUCT_TYPE_SUBSCRIPTION: ProductType
PRODUCT_TYPE_USAGE: ProductType
PRODUCT_TYPE_FIXED: ProductType
QUANTITY_ROUNDING_UNSPECIFIED: QuantityRounding
QUANTITY_ROUNDING_UP: QuantityRounding
QUANTITY_ROUNDING_DOWN: QuantityRounding
QUANTITY_ROUNDING_HALF_UP: QuantityRounding
BILLING_FREQUENCY_UNSPECIFIED: BillingFrequency
BILLING_FREQUENCY_MONTHLY: BillingFrequency
BILLING_FREQUENCY_ANNUAL: BillingFrequency
BILLING_FREQUENCY_WEEKLY: BillingFrequency
BILLING_FREQUENCY_QUARTERLY: BillingFrequency
RATE_TYPE_UNSPECIFIED: RateType
RATE_TYPE_FLAT: RateType
RATE_TYPE_GRADUATED: RateType
RATE_TYPE_PACKAGE: RateType
RATE_TYPE_VOLUME: RateType
RATE_WARNING_TYPE_UNSPECIFIED: RateWarningType
RATE_WARNING_TYPE_GAP: RateWarningType
RATE_WARNING_TYPE_UNPRICED_DIMENSION_VALUE: RateWarningType

class CreditType(_message.Message):
    __slots__ = ("credit_type_id", "name", "create_time")
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    credit_type_id: str
    name: str
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, credit_type_id: _Optional[str] = ..., name: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateCreditTypeRequest(_message.Message):
    __slots__ = ("request_id", "name")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class CreateCreditTypeResponse(_message.Message):
    __slots__ = ("credit_type",)
    CREDIT_TYPE_FIELD_NUMBER: _ClassVar[int]
    credit_type: CreditType
    def __init__(self, credit_type: _Optional[_Union[CreditType, _Mapping]] = ...) -> None: ...

class ListCreditTypesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCreditTypesResponse(_message.Message):
    __slots__ = ("credit_types", "next_page_token")
    CREDIT_TYPES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    credit_types: _containers.RepeatedCompositeFieldContainer[CreditType]
    next_page_token: str
    def __init__(self, credit_types: _Optional[_Iterable[_Union[CreditType, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PropertyFilter(_message.Message):
    __slots__ = ("property", "exists", "in_values", "not_in_values")
    PROPERTY_FIELD_NUMBER: _ClassVar[int]
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    IN_VALUES_FIELD_NUMBER: _ClassVar[int]
    NOT_IN_VALUES_FIELD_NUMBER: _ClassVar[int]
    property: str
    exists: bool
    in_values: _containers.RepeatedScalarFieldContainer[str]
    not_in_values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, property: _Optional[str] = ..., exists: _Optional[bool] = ..., in_values: _Optional[_Iterable[str]] = ..., not_in_values: _Optional[_Iterable[str]] = ...) -> None: ...

class BillableMetric(_message.Message):
    __slots__ = ("billable_metric_id", "name", "event_type", "aggregation", "sum_property", "filters", "group_keys", "create_time", "archive_time", "aggregated_property")
    BILLABLE_METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATION_FIELD_NUMBER: _ClassVar[int]
    SUM_PROPERTY_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEYS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    AGGREGATED_PROPERTY_FIELD_NUMBER: _ClassVar[int]
    billable_metric_id: str
    name: str
    event_type: str
    aggregation: Aggregation
    sum_property: str
    filters: _containers.RepeatedCompositeFieldContainer[PropertyFilter]
    group_keys: _containers.RepeatedScalarFieldContainer[str]
    create_time: _timestamp_pb2.Timestamp
    archive_time: _timestamp_pb2.Timestamp
    aggregated_property: str
    def __init__(self, billable_metric_id: _Optional[str] = ..., name: _Optional[str] = ..., event_type: _Optional[str] = ..., aggregation: _Optional[_Union[Aggregation, str]] = ..., sum_property: _Optional[str] = ..., filters: _Optional[_Iterable[_Union[PropertyFilter, _Mapping]]] = ..., group_keys: _Optional[_Iterable[str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., archive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., aggregated_property: _Optional[str] = ...) -> None: ...

class CreateBillableMetricRequest(_message.Message):
    __slots__ = ("request_id", "name", "event_type", "aggregation", "sum_property", "filters", "group_keys", "aggregated_property")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATION_FIELD_NUMBER: _ClassVar[int]
    SUM_PROPERTY_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEYS_FIELD_NUMBER: _ClassVar[int]
    AGGREGATED_PROPERTY_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    event_type: str
    aggregation: Aggregation
    sum_property: str
    filters: _containers.RepeatedCompositeFieldContainer[PropertyFilter]
    group_keys: _containers.RepeatedScalarFieldContainer[str]
    aggregated_property: str
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., event_type: _Optional[str] = ..., aggregation: _Optional[_Union[Aggregation, str]] = ..., sum_property: _Optional[str] = ..., filters: _Optional[_Iterable[_Union[PropertyFilter, _Mapping]]] = ..., group_keys: _Optional[_Iterable[str]] = ..., aggregated_property: _Optional[str] = ...) -> None: ...

class CreateBillableMetricResponse(_message.Message):
    __slots__ = ("billable_metric",)
    BILLABLE_METRIC_FIELD_NUMBER: _ClassVar[int]
    billable_metric: BillableMetric
    def __init__(self, billable_metric: _Optional[_Union[BillableMetric, _Mapping]] = ...) -> None: ...

class GetBillableMetricRequest(_message.Message):
    __slots__ = ("billable_metric_id",)
    BILLABLE_METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    billable_metric_id: str
    def __init__(self, billable_metric_id: _Optional[str] = ...) -> None: ...

class GetBillableMetricResponse(_message.Message):
    __slots__ = ("billable_metric",)
    BILLABLE_METRIC_FIELD_NUMBER: _ClassVar[int]
    billable_metric: BillableMetric
    def __init__(self, billable_metric: _Optional[_Union[BillableMetric, _Mapping]] = ...) -> None: ...

class ListBillableMetricsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "include_archived")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    include_archived: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., include_archived: _Optional[bool] = ...) -> None: ...

class ListBillableMetricsResponse(_message.Message):
    __slots__ = ("billable_metrics", "next_page_token")
    BILLABLE_METRICS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    billable_metrics: _containers.RepeatedCompositeFieldContainer[BillableMetric]
    next_page_token: str
    def __init__(self, billable_metrics: _Optional[_Iterable[_Union[BillableMetric, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ArchiveBillableMetricRequest(_message.Message):
    __slots__ = ("request_id", "billable_metric_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    BILLABLE_METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    billable_metric_id: str
    def __init__(self, request_id: _Optional[str] = ..., billable_metric_id: _Optional[str] = ...) -> None: ...

class ArchiveBillableMetricResponse(_message.Message):
    __slots__ = ("billable_metric",)
    BILLABLE_METRIC_FIELD_NUMBER: _ClassVar[int]
    billable_metric: BillableMetric
    def __init__(self, billable_metric: _Optional[_Union[BillableMetric, _Mapping]] = ...) -> None: ...

class QuantityConversion(_message.Message):
    __slots__ = ("priced_micros", "per_micros", "rounding")
    PRICED_MICROS_FIELD_NUMBER: _ClassVar[int]
    PER_MICROS_FIELD_NUMBER: _ClassVar[int]
    ROUNDING_FIELD_NUMBER: _ClassVar[int]
    priced_micros: int
    per_micros: int
    rounding: QuantityRounding
    def __init__(self, priced_micros: _Optional[int] = ..., per_micros: _Optional[int] = ..., rounding: _Optional[_Union[QuantityRounding, str]] = ...) -> None: ...

class DimensionBand(_message.Message):
    __slots__ = ("value", "up_to_micros")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    UP_TO_MICROS_FIELD_NUMBER: _ClassVar[int]
    value: str
    up_to_micros: int
    def __init__(self, value: _Optional[str] = ..., up_to_micros: _Optional[int] = ...) -> None: ...

class PricingDimension(_message.Message):
    __slots__ = ("key", "property", "bands", "values")
    KEY_FIELD_NUMBER: _ClassVar[int]
    PROPERTY_FIELD_NUMBER: _ClassVar[int]
    BANDS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    key: str
    property: str
    bands: _containers.RepeatedCompositeFieldContainer[DimensionBand]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[str] = ..., property: _Optional[str] = ..., bands: _Optional[_Iterable[_Union[DimensionBand, _Mapping]]] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class Product(_message.Message):
    __slots__ = ("product_id", "name", "product_type", "billable_metric_id", "create_time", "archive_time", "conversion", "pricing_dimensions")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_TYPE_FIELD_NUMBER: _ClassVar[int]
    BILLABLE_METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_FIELD_NUMBER: _ClassVar[int]
    PRICING_DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    name: str
    product_type: ProductType
    billable_metric_id: str
    create_time: _timestamp_pb2.Timestamp
    archive_time: _timestamp_pb2.Timestamp
    conversion: QuantityConversion
    pricing_dimensions: _containers.RepeatedCompositeFieldContainer[PricingDimension]
    def __init__(self, product_id: _Optional[str] = ..., name: _Optional[str] = ..., product_type: _Optional[_Union[ProductType, str]] = ..., billable_metric_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., archive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., conversion: _Optional[_Union[QuantityConversion, _Mapping]] = ..., pricing_dimensions: _Optional[_Iterable[_Union[PricingDimension, _Mapping]]] = ...) -> None: ...

class CreateProductRequest(_message.Message):
    __slots__ = ("request_id", "name", "product_type", "billable_metric_id", "conversion", "pricing_dimensions")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_TYPE_FIELD_NUMBER: _ClassVar[int]
    BILLABLE_METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_FIELD_NUMBER: _ClassVar[int]
    PRICING_DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    product_type: ProductType
    billable_metric_id: str
    conversion: QuantityConversion
    pricing_dimensions: _containers.RepeatedCompositeFieldContainer[PricingDimension]
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., product_type: _Optional[_Union[ProductType, str]] = ..., billable_metric_id: _Optional[str] = ..., conversion: _Optional[_Union[QuantityConversion, _Mapping]] = ..., pricing_dimensions: _Optional[_Iterable[_Union[PricingDimension, _Mapping]]] = ...) -> None: ...

class CreateProductResponse(_message.Message):
    __slots__ = ("product",)
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    product: Product
    def __init__(self, product: _Optional[_Union[Product, _Mapping]] = ...) -> None: ...

class GetProductRequest(_message.Message):
    __slots__ = ("product_id",)
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    def __init__(self, product_id: _Optional[str] = ...) -> None: ...

class GetProductResponse(_message.Message):
    __slots__ = ("product",)
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    product: Product
    def __init__(self, product: _Optional[_Union[Product, _Mapping]] = ...) -> None: ...

class UpdateProductRequest(_message.Message):
    __slots__ = ("request_id", "product_id", "name")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    product_id: str
    name: str
    def __init__(self, request_id: _Optional[str] = ..., product_id: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class UpdateProductResponse(_message.Message):
    __slots__ = ("product",)
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    product: Product
    def __init__(self, product: _Optional[_Union[Product, _Mapping]] = ...) -> None: ...

class ListProductsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "include_archived")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ARCHIVED_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    include_archived: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., include_archived: _Optional[bool] = ...) -> None: ...

class ListProductsResponse(_message.Message):
    __slots__ = ("products", "next_page_token")
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    products: _containers.RepeatedCompositeFieldContainer[Product]
    next_page_token: str
    def __init__(self, products: _Optional[_Iterable[_Union[Product, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ArchiveProductRequest(_message.Message):
    __slots__ = ("request_id", "product_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    product_id: str
    def __init__(self, request_id: _Optional[str] = ..., product_id: _Optional[str] = ...) -> None: ...

class ArchiveProductResponse(_message.Message):
    __slots__ = ("product",)
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    product: Product
    def __init__(self, product: _Optional[_Union[Product, _Mapping]] = ...) -> None: ...

class ResendProductRequest(_message.Message):
    __slots__ = ("request_id", "product_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    product_id: str
    def __init__(self, request_id: _Optional[str] = ..., product_id: _Optional[str] = ...) -> None: ...

class ResendProductResponse(_message.Message):
    __slots__ = ("product",)
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    product: Product
    def __init__(self, product: _Optional[_Union[Product, _Mapping]] = ...) -> None: ...

class CreditConversion(_message.Message):
    __slots__ = ("credit_type_id", "fiat_per_credit_micros")
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    FIAT_PER_CREDIT_MICROS_FIELD_NUMBER: _ClassVar[int]
    credit_type_id: str
    fiat_per_credit_micros: int
    def __init__(self, credit_type_id: _Optional[str] = ..., fiat_per_credit_micros: _Optional[int] = ...) -> None: ...

class RateCard(_message.Message):
    __slots__ = ("rate_card_id", "name", "fiat_credit_type_id", "conversions", "version", "create_time")
    RATE_CARD_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FIAT_CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSIONS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    rate_card_id: str
    name: str
    fiat_credit_type_id: str
    conversions: _containers.RepeatedCompositeFieldContainer[CreditConversion]
    version: int
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, rate_card_id: _Optional[str] = ..., name: _Optional[str] = ..., fiat_credit_type_id: _Optional[str] = ..., conversions: _Optional[_Iterable[_Union[CreditConversion, _Mapping]]] = ..., version: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateRateCardRequest(_message.Message):
    __slots__ = ("request_id", "name", "fiat_credit_type_id", "conversions")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FIAT_CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSIONS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    fiat_credit_type_id: str
    conversions: _containers.RepeatedCompositeFieldContainer[CreditConversion]
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., fiat_credit_type_id: _Optional[str] = ..., conversions: _Optional[_Iterable[_Union[CreditConversion, _Mapping]]] = ...) -> None: ...

class CreateRateCardResponse(_message.Message):
    __slots__ = ("rate_card",)
    RATE_CARD_FIELD_NUMBER: _ClassVar[int]
    rate_card: RateCard
    def __init__(self, rate_card: _Optional[_Union[RateCard, _Mapping]] = ...) -> None: ...

class GetRateCardRequest(_message.Message):
    __slots__ = ("rate_card_id",)
    RATE_CARD_ID_FIELD_NUMBER: _ClassVar[int]
    rate_card_id: str
    def __init__(self, rate_card_id: _Optional[str] = ...) -> None: ...

class GetRateCardResponse(_message.Message):
    __slots__ = ("rate_card",)
    RATE_CARD_FIELD_NUMBER: _ClassVar[int]
    rate_card: RateCard
    def __init__(self, rate_card: _Optional[_Union[RateCard, _Mapping]] = ...) -> None: ...

class ResendRateCardRequest(_message.Message):
    __slots__ = ("request_id", "rate_card_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RATE_CARD_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    rate_card_id: str
    def __init__(self, request_id: _Optional[str] = ..., rate_card_id: _Optional[str] = ...) -> None: ...

class ResendRateCardResponse(_message.Message):
    __slots__ = ("rate_card",)
    RATE_CARD_FIELD_NUMBER: _ClassVar[int]
    rate_card: RateCard
    def __init__(self, rate_card: _Optional[_Union[RateCard, _Mapping]] = ...) -> None: ...

class ListRateCardsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRateCardsResponse(_message.Message):
    __slots__ = ("rate_cards", "next_page_token")
    RATE_CARDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    rate_cards: _containers.RepeatedCompositeFieldContainer[RateCard]
    next_page_token: str
    def __init__(self, rate_cards: _Optional[_Iterable[_Union[RateCard, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RateTier(_message.Message):
    __slots__ = ("up_to_micros", "price_micros", "per_micros")
    UP_TO_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    PER_MICROS_FIELD_NUMBER: _ClassVar[int]
    up_to_micros: int
    price_micros: int
    per_micros: int
    def __init__(self, up_to_micros: _Optional[int] = ..., price_micros: _Optional[int] = ..., per_micros: _Optional[int] = ...) -> None: ...

class Rate(_message.Message):
    __slots__ = ("rate_id", "product_id", "billing_frequency", "credit_type_id", "price_micros", "per_micros", "effective_time", "end_time", "rate_type", "tiers", "dimension_values", "create_time", "withdraw_time", "corrects_rate_id", "corrected_by_rate_id", "ended_by_rate_id")
    class DimensionValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RATE_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    BILLING_FREQUENCY_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    PER_MICROS_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    RATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_VALUES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_TIME_FIELD_NUMBER: _ClassVar[int]
    CORRECTS_RATE_ID_FIELD_NUMBER: _ClassVar[int]
    CORRECTED_BY_RATE_ID_FIELD_NUMBER: _ClassVar[int]
    ENDED_BY_RATE_ID_FIELD_NUMBER: _ClassVar[int]
    rate_id: str
    product_id: str
    billing_frequency: BillingFrequency
    credit_type_id: str
    price_micros: int
    per_micros: int
    effective_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    rate_type: RateType
    tiers: _containers.RepeatedCompositeFieldContainer[RateTier]
    dimension_values: _containers.ScalarMap[str, str]
    create_time: _timestamp_pb2.Timestamp
    withdraw_time: _timestamp_pb2.Timestamp
    corrects_rate_id: str
    corrected_by_rate_id: str
    ended_by_rate_id: str
    def __init__(self, rate_id: _Optional[str] = ..., product_id: _Optional[str] = ..., billing_frequency: _Optional[_Union[BillingFrequency, str]] = ..., credit_type_id: _Optional[str] = ..., price_micros: _Optional[int] = ..., per_micros: _Optional[int] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rate_type: _Optional[_Union[RateType, str]] = ..., tiers: _Optional[_Iterable[_Union[RateTier, _Mapping]]] = ..., dimension_values: _Optional[_Mapping[str, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., withdraw_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., corrects_rate_id: _Optional[str] = ..., corrected_by_rate_id: _Optional[str] = ..., ended_by_rate_id: _Optional[str] = ...) -> None: ...

class RateTerms(_message.Message):
    __slots__ = ("product_id", "billing_frequency", "credit_type_id", "price_micros", "per_micros", "effective_time", "end_time", "end_previous", "rate_type", "tiers", "dimension_values", "replaces_rate_id")
    class DimensionValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    BILLING_FREQUENCY_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    PER_MICROS_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    END_PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    RATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_VALUES_FIELD_NUMBER: _ClassVar[int]
    REPLACES_RATE_ID_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    billing_frequency: BillingFrequency
    credit_type_id: str
    price_micros: int
    per_micros: int
    effective_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    end_previous: bool
    rate_type: RateType
    tiers: _containers.RepeatedCompositeFieldContainer[RateTier]
    dimension_values: _containers.ScalarMap[str, str]
    replaces_rate_id: str
    def __init__(self, product_id: _Optional[str] = ..., billing_frequency: _Optional[_Union[BillingFrequency, str]] = ..., credit_type_id: _Optional[str] = ..., price_micros: _Optional[int] = ..., per_micros: _Optional[int] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_previous: _Optional[bool] = ..., rate_type: _Optional[_Union[RateType, str]] = ..., tiers: _Optional[_Iterable[_Union[RateTier, _Mapping]]] = ..., dimension_values: _Optional[_Mapping[str, str]] = ..., replaces_rate_id: _Optional[str] = ...) -> None: ...

class AddRatesRequest(_message.Message):
    __slots__ = ("request_id", "rate_card_id", "rates")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RATE_CARD_ID_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    rate_card_id: str
    rates: _containers.RepeatedCompositeFieldContainer[RateTerms]
    def __init__(self, request_id: _Optional[str] = ..., rate_card_id: _Optional[str] = ..., rates: _Optional[_Iterable[_Union[RateTerms, _Mapping]]] = ...) -> None: ...

class RateWarning(_message.Message):
    __slots__ = ("warning_type", "product_id", "billing_frequency", "dimension_values", "start_time", "end_time", "description")
    class DimensionValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WARNING_TYPE_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    BILLING_FREQUENCY_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_VALUES_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    warning_type: RateWarningType
    product_id: str
    billing_frequency: BillingFrequency
    dimension_values: _containers.ScalarMap[str, str]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    description: str
    def __init__(self, warning_type: _Optional[_Union[RateWarningType, str]] = ..., product_id: _Optional[str] = ..., billing_frequency: _Optional[_Union[BillingFrequency, str]] = ..., dimension_values: _Optional[_Mapping[str, str]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., description: _Optional[str] = ...) -> None: ...

class AddRatesResponse(_message.Message):
    __slots__ = ("rates", "rate_card", "warnings")
    RATES_FIELD_NUMBER: _ClassVar[int]
    RATE_CARD_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    rates: _containers.RepeatedCompositeFieldContainer[Rate]
    rate_card: RateCard
    warnings: _containers.RepeatedCompositeFieldContainer[RateWarning]
    def __init__(self, rates: _Optional[_Iterable[_Union[Rate, _Mapping]]] = ..., rate_card: _Optional[_Union[RateCard, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[RateWarning, _Mapping]]] = ...) -> None: ...

class WithdrawRateRequest(_message.Message):
    __slots__ = ("request_id", "rate_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RATE_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    rate_id: str
    def __init__(self, request_id: _Optional[str] = ..., rate_id: _Optional[str] = ...) -> None: ...

class WithdrawRateResponse(_message.Message):
    __slots__ = ("rate", "rate_card", "warnings")
    RATE_FIELD_NUMBER: _ClassVar[int]
    RATE_CARD_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    rate: Rate
    rate_card: RateCard
    warnings: _containers.RepeatedCompositeFieldContainer[RateWarning]
    def __init__(self, rate: _Optional[_Union[Rate, _Mapping]] = ..., rate_card: _Optional[_Union[RateCard, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[RateWarning, _Mapping]]] = ...) -> None: ...

class EndRateRequest(_message.Message):
    __slots__ = ("request_id", "rate_id", "end_time")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RATE_ID_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    rate_id: str
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, request_id: _Optional[str] = ..., rate_id: _Optional[str] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EndRateResponse(_message.Message):
    __slots__ = ("rate", "rate_card", "warnings")
    RATE_FIELD_NUMBER: _ClassVar[int]
    RATE_CARD_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    rate: Rate
    rate_card: RateCard
    warnings: _containers.RepeatedCompositeFieldContainer[RateWarning]
    def __init__(self, rate: _Optional[_Union[Rate, _Mapping]] = ..., rate_card: _Optional[_Union[RateCard, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[RateWarning, _Mapping]]] = ...) -> None: ...

class CorrectRateRequest(_message.Message):
    __slots__ = ("request_id", "rate_id", "rate_type", "price_micros", "per_micros", "tiers")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RATE_ID_FIELD_NUMBER: _ClassVar[int]
    RATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    PER_MICROS_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    rate_id: str
    rate_type: RateType
    price_micros: int
    per_micros: int
    tiers: _containers.RepeatedCompositeFieldContainer[RateTier]
    def __init__(self, request_id: _Optional[str] = ..., rate_id: _Optional[str] = ..., rate_type: _Optional[_Union[RateType, str]] = ..., price_micros: _Optional[int] = ..., per_micros: _Optional[int] = ..., tiers: _Optional[_Iterable[_Union[RateTier, _Mapping]]] = ...) -> None: ...

class CorrectRateResponse(_message.Message):
    __slots__ = ("rate", "rate_card", "warnings")
    RATE_FIELD_NUMBER: _ClassVar[int]
    RATE_CARD_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    rate: Rate
    rate_card: RateCard
    warnings: _containers.RepeatedCompositeFieldContainer[RateWarning]
    def __init__(self, rate: _Optional[_Union[Rate, _Mapping]] = ..., rate_card: _Optional[_Union[RateCard, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[RateWarning, _Mapping]]] = ...) -> None: ...

class ListRatesRequest(_message.Message):
    __slots__ = ("rate_card_id", "as_of_time", "product_id", "page_size", "page_token")
    RATE_CARD_ID_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    rate_card_id: str
    as_of_time: _timestamp_pb2.Timestamp
    product_id: str
    page_size: int
    page_token: str
    def __init__(self, rate_card_id: _Optional[str] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., product_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRatesResponse(_message.Message):
    __slots__ = ("rates", "next_page_token")
    RATES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    rates: _containers.RepeatedCompositeFieldContainer[Rate]
    next_page_token: str
    def __init__(self, rates: _Optional[_Iterable[_Union[Rate, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class TopUpPack(_message.Message):
    __slots__ = ("top_up_pack_id", "name", "product_id", "credit_type_id", "amount_micros", "price", "priority", "lifetime", "create_time")
    TOP_UP_PACK_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    top_up_pack_id: str
    name: str
    product_id: str
    credit_type_id: str
    amount_micros: int
    price: _money_pb2.Money
    priority: int
    lifetime: _duration_pb2.Duration
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, top_up_pack_id: _Optional[str] = ..., name: _Optional[str] = ..., product_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., amount_micros: _Optional[int] = ..., price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., priority: _Optional[int] = ..., lifetime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateTopUpPackRequest(_message.Message):
    __slots__ = ("request_id", "name", "product_id", "credit_type_id", "amount_micros", "price", "priority", "lifetime")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    product_id: str
    credit_type_id: str
    amount_micros: int
    price: _money_pb2.Money
    priority: int
    lifetime: _duration_pb2.Duration
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., product_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., amount_micros: _Optional[int] = ..., price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., priority: _Optional[int] = ..., lifetime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CreateTopUpPackResponse(_message.Message):
    __slots__ = ("top_up_pack",)
    TOP_UP_PACK_FIELD_NUMBER: _ClassVar[int]
    top_up_pack: TopUpPack
    def __init__(self, top_up_pack: _Optional[_Union[TopUpPack, _Mapping]] = ...) -> None: ...

class GetTopUpPackRequest(_message.Message):
    __slots__ = ("top_up_pack_id",)
    TOP_UP_PACK_ID_FIELD_NUMBER: _ClassVar[int]
    top_up_pack_id: str
    def __init__(self, top_up_pack_id: _Optional[str] = ...) -> None: ...

class GetTopUpPackResponse(_message.Message):
    __slots__ = ("top_up_pack",)
    TOP_UP_PACK_FIELD_NUMBER: _ClassVar[int]
    top_up_pack: TopUpPack
    def __init__(self, top_up_pack: _Optional[_Union[TopUpPack, _Mapping]] = ...) -> None: ...

class ListTopUpPacksRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListTopUpPacksResponse(_message.Message):
    __slots__ = ("top_up_packs", "next_page_token")
    TOP_UP_PACKS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    top_up_packs: _containers.RepeatedCompositeFieldContainer[TopUpPack]
    next_page_token: str
    def __init__(self, top_up_packs: _Optional[_Iterable[_Union[TopUpPack, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
