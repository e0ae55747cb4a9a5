import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from purser.access.v1 import access_pb2 as _access_pb2
from purser.ledger.v1 import ledger_pb2 as _ledger_pb2
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

class QuantityRounding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUANTITY_ROUNDING_UNSPECIFIED: _ClassVar[QuantityRounding]
    QUANTITY_ROUNDING_UP: _ClassVar[QuantityRounding]
    QUANTITY_ROUNDING_DOWN: _ClassVar[QuantityRounding]
    QUANTITY_ROUNDING_HALF_UP: _ClassVar[QuantityRounding]

class RateType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RATE_TYPE_UNSPECIFIED: _ClassVar[RateType]
    RATE_TYPE_FLAT: _ClassVar[RateType]
    RATE_TYPE_GRADUATED: _ClassVar[RateType]
    RATE_TYPE_PACKAGE: _ClassVar[RateType]

class GrantFrequency(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GRANT_FREQUENCY_UNSPECIFIED: _ClassVar[GrantFrequency]
    GRANT_FREQUENCY_MONTHLY: _ClassVar[GrantFrequency]
    GRANT_FREQUENCY_ANNUAL: _ClassVar[GrantFrequency]
    GRANT_FREQUENCY_DAILY: _ClassVar[GrantFrequency]
    GRANT_FREQUENCY_WEEKLY: _ClassVar[GrantFrequency]
    GRANT_FREQUENCY_QUARTERLY: _ClassVar[GrantFrequency]

class PeriodProration(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PERIOD_PRORATION_UNSPECIFIED: _ClassVar[PeriodProration]
    PERIOD_PRORATION_FIRST_AND_LAST: _ClassVar[PeriodProration]
    PERIOD_PRORATION_FIRST: _ClassVar[PeriodProration]
    PERIOD_PRORATION_LAST: _ClassVar[PeriodProration]
    PERIOD_PRORATION_NONE: _ClassVar[PeriodProration]

class SharedPoolAccess(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SHARED_POOL_ACCESS_UNSPECIFIED: _ClassVar[SharedPoolAccess]
    SHARED_POOL_ACCESS_NOBODY: _ClassVar[SharedPoolAccess]
    SHARED_POOL_ACCESS_EVERYONE: _ClassVar[SharedPoolAccess]
    SHARED_POOL_ACCESS_LISTED: _ClassVar[SharedPoolAccess]

class Allocation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALLOCATION_UNSPECIFIED: _ClassVar[Allocation]
    ALLOCATION_POOLED: _ClassVar[Allocation]
    ALLOCATION_INDIVIDUAL: _ClassVar[Allocation]

class IncludedCredits(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INCLUDED_CREDITS_UNSPECIFIED: _ClassVar[IncludedCredits]
    INCLUDED_CREDITS_KEEP: _ClassVar[IncludedCredits]
    INCLUDED_CREDITS_VOID: _ClassVar[IncludedCredits]
    INCLUDED_CREDITS_ROLL: _ClassVar[IncludedCredits]

class UsageDetail(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    USAGE_DETAIL_UNSPECIFIED: _ClassVar[UsageDetail]
    USAGE_DETAIL_GROUP_AND_GRANT: _ClassVar[UsageDetail]
    USAGE_DETAIL_PRODUCT_AND_GRANT: _ClassVar[UsageDetail]
    USAGE_DETAIL_PRODUCT_AND_KIND: _ClassVar[UsageDetail]

class WatchKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WATCH_KIND_UNSPECIFIED: _ClassVar[WatchKind]
    WATCH_KIND_LOW_BALANCE: _ClassVar[WatchKind]
    WATCH_KIND_SPEND: _ClassVar[WatchKind]
    WATCH_KIND_LOW_PERCENTAGE: _ClassVar[WatchKind]
    WATCH_KIND_SHORTFALL: _ClassVar[WatchKind]
    WATCH_KIND_OVERAGE: _ClassVar[WatchKind]
    WATCH_KIND_GRANT_EXPIRING: _ClassVar[WatchKind]
    WATCH_KIND_LOW_SEAT_BALANCE: _ClassVar[WatchKind]
    WATCH_KIND_SPEND_IN_DAY: _ClassVar[WatchKind]
    WATCH_KIND_SPEND_IN_WEEK: _ClassVar[WatchKind]
    WATCH_KIND_SPEND_IN_MONTH: _ClassVar[WatchKind]
AGGREGATION_UNSPECIFIED: Aggregation
AGGREGATION_COUNT: Aggregation
AGGREGATION_SUM: Aggregation
AGGREGATION_MAX: Aggregation
AGGREGATION_UNIQUE: Aggregation
QUANTITY_ROUNDING_UNSPECIFIED: QuantityRounding
QUANTITY_ROUNDING_UP: QuantityRounding
QUANTITY_ROUNDING_DOWN: QuantityRounding
QUANTITY_ROUNDING_HALF_UP: QuantityRounding
RATE_TYPE_UNSPECIFIED: RateType
RATE_TYPE_FLAT: RateType
RATE_TYPE_GRADUATED: RateType
RATE_TYPE_PACKAGE: RateType
GRANT_FREQUENCY_UNSPECIFIED: GrantFrequency
GRANT_FREQUENCY_MONTHLY: GrantFrequency
GRANT_FREQUENCY_ANNUAL: GrantFrequency
GRANT_FREQUENCY_DAILY: GrantFrequency
GRANT_FREQUENCY_WEEKLY: GrantFrequency
GRANT_FREQUENCY_QUARTERLY: GrantFrequency
PERIOD_PRORATION_UNSPECIFIED: PeriodProration
PERIOD_PRORATION_FIRST_AND_LAST: PeriodProration
PERIOD_PRORATION_FIRST: PeriodProration
PERIOD_PRORATION_LAST: PeriodProration
PERIOD_PRORATION_NONE: PeriodProration
SHARED_POOL_ACCESS_UNSPECIFIED: SharedPoolAccess
SHARED_POOL_ACCESS_NOBODY: SharedPoolAccess
SHARED_POOL_ACCESS_EVERYONE: SharedPoolAccess
SHARED_POOL_ACCESS_LISTED: SharedPoolAccess
ALLOCATION_UNSPECIFIED: Allocation
ALLOCATION_POOLED: Allocation
ALLOCATION_INDIVIDUAL: Allocation
INCLUDED_CREDITS_UNSPECIFIED: IncludedCredits
INCLUDED_CREDITS_KEEP: IncludedCredits
INCLUDED_CREDITS_VOID: IncludedCredits
INCLUDED_CREDITS_ROLL: IncludedCredits
USAGE_DETAIL_UNSPECIFIED: UsageDetail
USAGE_DETAIL_GROUP_AND_GRANT: UsageDetail
USAGE_DETAIL_PRODUCT_AND_GRANT: UsageDetail
USAGE_DETAIL_PRODUCT_AND_KIND: UsageDetail
WATCH_KIND_UNSPECIFIED: WatchKind
WATCH_KIND_LOW_BALANCE: WatchKind
WATCH_KIND_SPEND: WatchKind
WATCH_KIND_LOW_PERCENTAGE: WatchKind
WATCH_KIND_SHORTFALL: WatchKind
WATCH_KIND_OVERAGE: WatchKind
WATCH_KIND_GRANT_EXPIRING: WatchKind
WATCH_KIND_LOW_SEAT_BALANCE: WatchKind
WATCH_KIND_SPEND_IN_DAY: WatchKind
WATCH_KIND_SPEND_IN_WEEK: WatchKind
WATCH_KIND_SPEND_IN_MONTH: WatchKind

class ApplyCustomerRequest(_message.Message):
    __slots__ = ("request_id", "customer_id", "version", "aliases", "is_suspended")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    IS_SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer_id: str
    version: int
    aliases: _containers.RepeatedScalarFieldContainer[str]
    is_suspended: bool
    def __init__(self, request_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., version: _Optional[int] = ..., aliases: _Optional[_Iterable[str]] = ..., is_suspended: _Optional[bool] = ...) -> None: ...

class ApplyCustomerResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("key", "property", "bands")
    KEY_FIELD_NUMBER: _ClassVar[int]
    PROPERTY_FIELD_NUMBER: _ClassVar[int]
    BANDS_FIELD_NUMBER: _ClassVar[int]
    key: str
    property: str
    bands: _containers.RepeatedCompositeFieldContainer[DimensionBand]
    def __init__(self, key: _Optional[str] = ..., property: _Optional[str] = ..., bands: _Optional[_Iterable[_Union[DimensionBand, _Mapping]]] = ...) -> None: ...

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

class ApplyMetricsRequest(_message.Message):
    __slots__ = ("request_id", "product_id", "version", "name", "billable_metric_id", "event_type", "aggregation", "sum_property", "filters", "group_keys", "aggregated_property", "conversion", "pricing_dimensions")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    BILLABLE_METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATION_FIELD_NUMBER: _ClassVar[int]
    SUM_PROPERTY_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEYS_FIELD_NUMBER: _ClassVar[int]
    AGGREGATED_PROPERTY_FIELD_NUMBER: _ClassVar[int]
    CONVERSION_FIELD_NUMBER: _ClassVar[int]
    PRICING_DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    product_id: str
    version: int
    name: str
    billable_metric_id: str
    event_type: str
    aggregation: Aggregation
    sum_property: str
    filters: _containers.RepeatedCompositeFieldContainer[PropertyFilter]
    group_keys: _containers.RepeatedScalarFieldContainer[str]
    aggregated_property: str
    conversion: QuantityConversion
    pricing_dimensions: _containers.RepeatedCompositeFieldContainer[PricingDimension]
    def __init__(self, request_id: _Optional[str] = ..., product_id: _Optional[str] = ..., version: _Optional[int] = ..., name: _Optional[str] = ..., billable_metric_id: _Optional[str] = ..., event_type: _Optional[str] = ..., aggregation: _Optional[_Union[Aggregation, str]] = ..., sum_property: _Optional[str] = ..., filters: _Optional[_Iterable[_Union[PropertyFilter, _Mapping]]] = ..., group_keys: _Optional[_Iterable[str]] = ..., aggregated_property: _Optional[str] = ..., conversion: _Optional[_Union[QuantityConversion, _Mapping]] = ..., pricing_dimensions: _Optional[_Iterable[_Union[PricingDimension, _Mapping]]] = ...) -> None: ...

class ApplyMetricsResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

class RateTier(_message.Message):
    __slots__ = ("up_to_micros", "price_micros", "per_micros")
    UP_TO_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    PER_MICROS_FIELD_NUMBER: _ClassVar[int]
    up_to_micros: int
    price_micros: int
    per_micros: int
    def __init__(self, up_to_micros: _Optional[int] = ..., price_micros: _Optional[int] = ..., per_micros: _Optional[int] = ...) -> None: ...

class UsageRate(_message.Message):
    __slots__ = ("rate_id", "product_id", "credit_type_id", "price_micros", "per_micros", "effective_time", "end_time", "rate_type", "tiers", "dimension_values", "corrects_rate_id", "create_time", "is_withdrawn")
    class DimensionValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RATE_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    PER_MICROS_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    RATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_VALUES_FIELD_NUMBER: _ClassVar[int]
    CORRECTS_RATE_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    IS_WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    rate_id: str
    product_id: str
    credit_type_id: str
    price_micros: int
    per_micros: int
    effective_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    rate_type: RateType
    tiers: _containers.RepeatedCompositeFieldContainer[RateTier]
    dimension_values: _containers.ScalarMap[str, str]
    corrects_rate_id: str
    create_time: _timestamp_pb2.Timestamp
    is_withdrawn: bool
    def __init__(self, rate_id: _Optional[str] = ..., product_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., price_micros: _Optional[int] = ..., per_micros: _Optional[int] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rate_type: _Optional[_Union[RateType, str]] = ..., tiers: _Optional[_Iterable[_Union[RateTier, _Mapping]]] = ..., dimension_values: _Optional[_Mapping[str, str]] = ..., corrects_rate_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., is_withdrawn: _Optional[bool] = ...) -> None: ...

class ApplyRateCardRequest(_message.Message):
    __slots__ = ("request_id", "rate_card_id", "version", "rates")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RATE_CARD_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    rate_card_id: str
    version: int
    rates: _containers.RepeatedCompositeFieldContainer[UsageRate]
    def __init__(self, request_id: _Optional[str] = ..., rate_card_id: _Optional[str] = ..., version: _Optional[int] = ..., rates: _Optional[_Iterable[_Union[UsageRate, _Mapping]]] = ...) -> None: ...

class ApplyRateCardResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

class SubscriptionSeats(_message.Message):
    __slots__ = ("subscription_id", "initial_quantity", "seat_group_key", "shared_pool_access", "shared_pool_seat_ids", "seat_ids")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    INITIAL_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    SEAT_GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    SHARED_POOL_ACCESS_FIELD_NUMBER: _ClassVar[int]
    SHARED_POOL_SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    initial_quantity: int
    seat_group_key: str
    shared_pool_access: SharedPoolAccess
    shared_pool_seat_ids: _containers.RepeatedScalarFieldContainer[str]
    seat_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, subscription_id: _Optional[str] = ..., initial_quantity: _Optional[int] = ..., seat_group_key: _Optional[str] = ..., shared_pool_access: _Optional[_Union[SharedPoolAccess, str]] = ..., shared_pool_seat_ids: _Optional[_Iterable[str]] = ..., seat_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ScheduleTerms(_message.Message):
    __slots__ = ("grant_schedule_id", "product_id", "credit_type_id", "unit_amount_micros", "subscription_id", "frequency", "anchor_time", "priority", "prorates_increases", "period_proration", "commit_duration", "scope_product_ids", "interval_count", "end_time", "rollover", "editions", "allocation", "is_free", "charge_time")
    GRANT_SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    UNIT_AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    FREQUENCY_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_TIME_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    PRORATES_INCREASES_FIELD_NUMBER: _ClassVar[int]
    PERIOD_PRORATION_FIELD_NUMBER: _ClassVar[int]
    COMMIT_DURATION_FIELD_NUMBER: _ClassVar[int]
    SCOPE_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ROLLOVER_FIELD_NUMBER: _ClassVar[int]
    EDITIONS_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    IS_FREE_FIELD_NUMBER: _ClassVar[int]
    CHARGE_TIME_FIELD_NUMBER: _ClassVar[int]
    grant_schedule_id: str
    product_id: str
    credit_type_id: str
    unit_amount_micros: int
    subscription_id: str
    frequency: GrantFrequency
    anchor_time: _timestamp_pb2.Timestamp
    priority: int
    prorates_increases: bool
    period_proration: PeriodProration
    commit_duration: int
    scope_product_ids: _containers.RepeatedScalarFieldContainer[str]
    interval_count: int
    end_time: _timestamp_pb2.Timestamp
    rollover: RolloverTerms
    editions: _containers.RepeatedCompositeFieldContainer[ScheduleEdition]
    allocation: Allocation
    is_free: bool
    charge_time: _timestamp_pb2.Timestamp
    def __init__(self, grant_schedule_id: _Optional[str] = ..., product_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., unit_amount_micros: _Optional[int] = ..., subscription_id: _Optional[str] = ..., frequency: _Optional[_Union[GrantFrequency, str]] = ..., anchor_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., priority: _Optional[int] = ..., prorates_increases: _Optional[bool] = ..., period_proration: _Optional[_Union[PeriodProration, str]] = ..., commit_duration: _Optional[int] = ..., scope_product_ids: _Optional[_Iterable[str]] = ..., interval_count: _Optional[int] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rollover: _Optional[_Union[RolloverTerms, _Mapping]] = ..., editions: _Optional[_Iterable[_Union[ScheduleEdition, _Mapping]]] = ..., allocation: _Optional[_Union[Allocation, str]] = ..., is_free: _Optional[bool] = ..., charge_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RolloverTerms(_message.Message):
    __slots__ = ("fraction_millionths", "cap_micros", "duration")
    FRACTION_MILLIONTHS_FIELD_NUMBER: _ClassVar[int]
    CAP_MICROS_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    fraction_millionths: int
    cap_micros: int
    duration: int
    def __init__(self, fraction_millionths: _Optional[int] = ..., cap_micros: _Optional[int] = ..., duration: _Optional[int] = ...) -> None: ...

class ScheduleEdition(_message.Message):
    __slots__ = ("effective_time", "unit_amount_micros", "priority", "prorates_increases", "period_proration", "commit_duration", "scope_product_ids", "rollover")
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    UNIT_AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    PRORATES_INCREASES_FIELD_NUMBER: _ClassVar[int]
    PERIOD_PRORATION_FIELD_NUMBER: _ClassVar[int]
    COMMIT_DURATION_FIELD_NUMBER: _ClassVar[int]
    SCOPE_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    ROLLOVER_FIELD_NUMBER: _ClassVar[int]
    effective_time: _timestamp_pb2.Timestamp
    unit_amount_micros: int
    priority: int
    prorates_increases: bool
    period_proration: PeriodProration
    commit_duration: int
    scope_product_ids: _containers.RepeatedScalarFieldContainer[str]
    rollover: RolloverTerms
    def __init__(self, effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., unit_amount_micros: _Optional[int] = ..., priority: _Optional[int] = ..., prorates_increases: _Optional[bool] = ..., period_proration: _Optional[_Union[PeriodProration, str]] = ..., commit_duration: _Optional[int] = ..., scope_product_ids: _Optional[_Iterable[str]] = ..., rollover: _Optional[_Union[RolloverTerms, _Mapping]] = ...) -> None: ...

class ApplyContractRequest(_message.Message):
    __slots__ = ("request_id", "customer_id", "contract_id", "version", "rate_card_id", "start_time", "end_time", "subscriptions", "grant_schedules", "accept_time", "overage")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RATE_CARD_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    GRANT_SCHEDULES_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_TIME_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer_id: str
    contract_id: str
    version: int
    rate_card_id: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    subscriptions: _containers.RepeatedCompositeFieldContainer[SubscriptionSeats]
    grant_schedules: _containers.RepeatedCompositeFieldContainer[ScheduleTerms]
    accept_time: _timestamp_pb2.Timestamp
    overage: OveragePolicy
    def __init__(self, request_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., version: _Optional[int] = ..., rate_card_id: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., subscriptions: _Optional[_Iterable[_Union[SubscriptionSeats, _Mapping]]] = ..., grant_schedules: _Optional[_Iterable[_Union[ScheduleTerms, _Mapping]]] = ..., accept_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., overage: _Optional[_Union[OveragePolicy, _Mapping]] = ...) -> None: ...

class OveragePolicy(_message.Message):
    __slots__ = ("limits",)
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    limits: _containers.RepeatedCompositeFieldContainer[OverageLimit]
    def __init__(self, limits: _Optional[_Iterable[_Union[OverageLimit, _Mapping]]] = ...) -> None: ...

class OverageLimit(_message.Message):
    __slots__ = ("credit_type_id", "cap_micros")
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    CAP_MICROS_FIELD_NUMBER: _ClassVar[int]
    credit_type_id: str
    cap_micros: int
    def __init__(self, credit_type_id: _Optional[str] = ..., cap_micros: _Optional[int] = ...) -> None: ...

class ApplyContractResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

class SeatTransfer(_message.Message):
    __slots__ = ("from_seat_id", "to_seat_id")
    FROM_SEAT_ID_FIELD_NUMBER: _ClassVar[int]
    TO_SEAT_ID_FIELD_NUMBER: _ClassVar[int]
    from_seat_id: str
    to_seat_id: str
    def __init__(self, from_seat_id: _Optional[str] = ..., to_seat_id: _Optional[str] = ...) -> None: ...

class ApplySeatChangeRequest(_message.Message):
    __slots__ = ("request_id", "customer_id", "subscription_id", "seat_change_id", "sequence", "effective_time", "quantity_delta", "new_quantity", "accept_time", "assign_seat_ids", "unassign_seat_ids", "transfers")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    SEAT_CHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_DELTA_FIELD_NUMBER: _ClassVar[int]
    NEW_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_TIME_FIELD_NUMBER: _ClassVar[int]
    ASSIGN_SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    UNASSIGN_SEAT_IDS_FIELD_NUMBER: _ClassVar[int]
    TRANSFERS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer_id: str
    subscription_id: str
    seat_change_id: str
    sequence: int
    effective_time: _timestamp_pb2.Timestamp
    quantity_delta: int
    new_quantity: int
    accept_time: _timestamp_pb2.Timestamp
    assign_seat_ids: _containers.RepeatedScalarFieldContainer[str]
    unassign_seat_ids: _containers.RepeatedScalarFieldContainer[str]
    transfers: _containers.RepeatedCompositeFieldContainer[SeatTransfer]
    def __init__(self, request_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., seat_change_id: _Optional[str] = ..., sequence: _Optional[int] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., quantity_delta: _Optional[int] = ..., new_quantity: _Optional[int] = ..., accept_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., assign_seat_ids: _Optional[_Iterable[str]] = ..., unassign_seat_ids: _Optional[_Iterable[str]] = ..., transfers: _Optional[_Iterable[_Union[SeatTransfer, _Mapping]]] = ...) -> None: ...

class ScheduleCredits(_message.Message):
    __slots__ = ("grant_schedule_id", "credit_type_id", "amount_micros")
    GRANT_SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    grant_schedule_id: str
    credit_type_id: str
    amount_micros: int
    def __init__(self, grant_schedule_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., amount_micros: _Optional[int] = ...) -> None: ...

class ApplySeatChangeResponse(_message.Message):
    __slots__ = ("credits",)
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    credits: _containers.RepeatedCompositeFieldContainer[ScheduleCredits]
    def __init__(self, credits: _Optional[_Iterable[_Union[ScheduleCredits, _Mapping]]] = ...) -> None: ...

class VoidSeatChangeRequest(_message.Message):
    __slots__ = ("request_id", "customer_id", "subscription_id", "seat_change_id", "paid_period")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    SEAT_CHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    PAID_PERIOD_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer_id: str
    subscription_id: str
    seat_change_id: str
    paid_period: PaidPeriod
    def __init__(self, request_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., seat_change_id: _Optional[str] = ..., paid_period: _Optional[_Union[PaidPeriod, _Mapping]] = ...) -> None: ...

class VoidedCredits(_message.Message):
    __slots__ = ("grant_schedule_id", "credit_type_id", "granted_micros", "voided_micros", "to_come_micros")
    GRANT_SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    GRANTED_MICROS_FIELD_NUMBER: _ClassVar[int]
    VOIDED_MICROS_FIELD_NUMBER: _ClassVar[int]
    TO_COME_MICROS_FIELD_NUMBER: _ClassVar[int]
    grant_schedule_id: str
    credit_type_id: str
    granted_micros: int
    voided_micros: int
    to_come_micros: int
    def __init__(self, grant_schedule_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., granted_micros: _Optional[int] = ..., voided_micros: _Optional[int] = ..., to_come_micros: _Optional[int] = ...) -> None: ...

class KeptTime(_message.Message):
    __slots__ = ("start_time", "end_time")
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class VoidSeatChangeResponse(_message.Message):
    __slots__ = ("voided", "unused", "kept", "apply_time")
    VOIDED_FIELD_NUMBER: _ClassVar[int]
    UNUSED_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    APPLY_TIME_FIELD_NUMBER: _ClassVar[int]
    voided: _containers.RepeatedCompositeFieldContainer[VoidedCredits]
    unused: UnusedShare
    kept: _containers.RepeatedCompositeFieldContainer[KeptTime]
    apply_time: _timestamp_pb2.Timestamp
    def __init__(self, voided: _Optional[_Iterable[_Union[VoidedCredits, _Mapping]]] = ..., unused: _Optional[_Union[UnusedShare, _Mapping]] = ..., kept: _Optional[_Iterable[_Union[KeptTime, _Mapping]]] = ..., apply_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PaidPeriod(_message.Message):
    __slots__ = ("subscription_id", "start_time", "end_time", "seats")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    SEATS_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    seats: int
    def __init__(self, subscription_id: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., seats: _Optional[int] = ...) -> None: ...

class ApplyPlanChangeRequest(_message.Message):
    __slots__ = ("request_id", "customer_id", "ended", "begun", "included_credits", "paid_periods")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    BEGUN_FIELD_NUMBER: _ClassVar[int]
    INCLUDED_CREDITS_FIELD_NUMBER: _ClassVar[int]
    PAID_PERIODS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer_id: str
    ended: ApplyContractRequest
    begun: ApplyContractRequest
    included_credits: IncludedCredits
    paid_periods: _containers.RepeatedCompositeFieldContainer[PaidPeriod]
    def __init__(self, request_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., ended: _Optional[_Union[ApplyContractRequest, _Mapping]] = ..., begun: _Optional[_Union[ApplyContractRequest, _Mapping]] = ..., included_credits: _Optional[_Union[IncludedCredits, str]] = ..., paid_periods: _Optional[_Iterable[_Union[PaidPeriod, _Mapping]]] = ...) -> None: ...

class EndedSchedule(_message.Message):
    __slots__ = ("grant_schedule_id", "subscription_id", "credit_type_id", "granted_micros", "voided_micros", "rolled_micros", "to_come_micros")
    GRANT_SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    GRANTED_MICROS_FIELD_NUMBER: _ClassVar[int]
    VOIDED_MICROS_FIELD_NUMBER: _ClassVar[int]
    ROLLED_MICROS_FIELD_NUMBER: _ClassVar[int]
    TO_COME_MICROS_FIELD_NUMBER: _ClassVar[int]
    grant_schedule_id: str
    subscription_id: str
    credit_type_id: str
    granted_micros: int
    voided_micros: int
    rolled_micros: int
    to_come_micros: int
    def __init__(self, grant_schedule_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., granted_micros: _Optional[int] = ..., voided_micros: _Optional[int] = ..., rolled_micros: _Optional[int] = ..., to_come_micros: _Optional[int] = ...) -> None: ...

class UnusedShare(_message.Message):
    __slots__ = ("subscription_id", "numerator", "denominator")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    NUMERATOR_FIELD_NUMBER: _ClassVar[int]
    DENOMINATOR_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    numerator: int
    denominator: int
    def __init__(self, subscription_id: _Optional[str] = ..., numerator: _Optional[int] = ..., denominator: _Optional[int] = ...) -> None: ...

class ApplyPlanChangeResponse(_message.Message):
    __slots__ = ("ended", "unused", "begun", "apply_time")
    ENDED_FIELD_NUMBER: _ClassVar[int]
    UNUSED_FIELD_NUMBER: _ClassVar[int]
    BEGUN_FIELD_NUMBER: _ClassVar[int]
    APPLY_TIME_FIELD_NUMBER: _ClassVar[int]
    ended: _containers.RepeatedCompositeFieldContainer[EndedSchedule]
    unused: _containers.RepeatedCompositeFieldContainer[UnusedShare]
    begun: _containers.RepeatedCompositeFieldContainer[ScheduleCredits]
    apply_time: _timestamp_pb2.Timestamp
    def __init__(self, ended: _Optional[_Iterable[_Union[EndedSchedule, _Mapping]]] = ..., unused: _Optional[_Iterable[_Union[UnusedShare, _Mapping]]] = ..., begun: _Optional[_Iterable[_Union[ScheduleCredits, _Mapping]]] = ..., apply_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PreviewPlanChangeRequest(_message.Message):
    __slots__ = ("customer_id", "ended", "begun", "included_credits", "paid_periods")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    BEGUN_FIELD_NUMBER: _ClassVar[int]
    INCLUDED_CREDITS_FIELD_NUMBER: _ClassVar[int]
    PAID_PERIODS_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    ended: ApplyContractRequest
    begun: ApplyContractRequest
    included_credits: IncludedCredits
    paid_periods: _containers.RepeatedCompositeFieldContainer[PaidPeriod]
    def __init__(self, customer_id: _Optional[str] = ..., ended: _Optional[_Union[ApplyContractRequest, _Mapping]] = ..., begun: _Optional[_Union[ApplyContractRequest, _Mapping]] = ..., included_credits: _Optional[_Union[IncludedCredits, str]] = ..., paid_periods: _Optional[_Iterable[_Union[PaidPeriod, _Mapping]]] = ...) -> None: ...

class PreviewPlanChangeResponse(_message.Message):
    __slots__ = ("ended", "unused", "begun")
    ENDED_FIELD_NUMBER: _ClassVar[int]
    UNUSED_FIELD_NUMBER: _ClassVar[int]
    BEGUN_FIELD_NUMBER: _ClassVar[int]
    ended: _containers.RepeatedCompositeFieldContainer[EndedSchedule]
    unused: _containers.RepeatedCompositeFieldContainer[UnusedShare]
    begun: _containers.RepeatedCompositeFieldContainer[ScheduleCredits]
    def __init__(self, ended: _Optional[_Iterable[_Union[EndedSchedule, _Mapping]]] = ..., unused: _Optional[_Iterable[_Union[UnusedShare, _Mapping]]] = ..., begun: _Optional[_Iterable[_Union[ScheduleCredits, _Mapping]]] = ...) -> None: ...

class PreviewSeatChangeRequest(_message.Message):
    __slots__ = ("customer_id", "subscription_id", "effective_time", "quantity_delta", "new_quantity")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_DELTA_FIELD_NUMBER: _ClassVar[int]
    NEW_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    subscription_id: str
    effective_time: _timestamp_pb2.Timestamp
    quantity_delta: int
    new_quantity: int
    def __init__(self, customer_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., quantity_delta: _Optional[int] = ..., new_quantity: _Optional[int] = ...) -> None: ...

class PreviewSeatChangeResponse(_message.Message):
    __slots__ = ("credits",)
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    credits: _containers.RepeatedCompositeFieldContainer[ScheduleCredits]
    def __init__(self, credits: _Optional[_Iterable[_Union[ScheduleCredits, _Mapping]]] = ...) -> None: ...

class IssueTopUpGrantRequest(_message.Message):
    __slots__ = ("request_id", "customer_id", "top_up_id", "credit_type_id", "product_id", "amount_micros", "cost_basis_micros", "priority", "effective_time", "expire_time", "scope_product_ids", "currency_code")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    COST_BASIS_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer_id: str
    top_up_id: str
    credit_type_id: str
    product_id: str
    amount_micros: int
    cost_basis_micros: int
    priority: int
    effective_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    scope_product_ids: _containers.RepeatedScalarFieldContainer[str]
    currency_code: str
    def __init__(self, request_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., top_up_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., product_id: _Optional[str] = ..., amount_micros: _Optional[int] = ..., cost_basis_micros: _Optional[int] = ..., priority: _Optional[int] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., scope_product_ids: _Optional[_Iterable[str]] = ..., currency_code: _Optional[str] = ...) -> None: ...

class IssueTopUpGrantResponse(_message.Message):
    __slots__ = ("grant",)
    GRANT_FIELD_NUMBER: _ClassVar[int]
    grant: _ledger_pb2.Grant
    def __init__(self, grant: _Optional[_Union[_ledger_pb2.Grant, _Mapping]] = ...) -> None: ...

class RefundGrantRequest(_message.Message):
    __slots__ = ("request_id", "customer_id", "top_up_id", "voided_at_least_micros", "accept_debt", "refund_id", "currency_code")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    VOIDED_AT_LEAST_MICROS_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_DEBT_FIELD_NUMBER: _ClassVar[int]
    REFUND_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer_id: str
    top_up_id: str
    voided_at_least_micros: int
    accept_debt: bool
    refund_id: str
    currency_code: str
    def __init__(self, request_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., top_up_id: _Optional[str] = ..., voided_at_least_micros: _Optional[int] = ..., accept_debt: _Optional[bool] = ..., refund_id: _Optional[str] = ..., currency_code: _Optional[str] = ...) -> None: ...

class RefundGrantResponse(_message.Message):
    __slots__ = ("granted_micros", "spent_micros", "held_micros", "expired_micros", "voided_micros", "is_refused", "apply_time", "owed_micros")
    GRANTED_MICROS_FIELD_NUMBER: _ClassVar[int]
    SPENT_MICROS_FIELD_NUMBER: _ClassVar[int]
    HELD_MICROS_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_MICROS_FIELD_NUMBER: _ClassVar[int]
    VOIDED_MICROS_FIELD_NUMBER: _ClassVar[int]
    IS_REFUSED_FIELD_NUMBER: _ClassVar[int]
    APPLY_TIME_FIELD_NUMBER: _ClassVar[int]
    OWED_MICROS_FIELD_NUMBER: _ClassVar[int]
    granted_micros: int
    spent_micros: int
    held_micros: int
    expired_micros: int
    voided_micros: int
    is_refused: bool
    apply_time: _timestamp_pb2.Timestamp
    owed_micros: int
    def __init__(self, granted_micros: _Optional[int] = ..., spent_micros: _Optional[int] = ..., held_micros: _Optional[int] = ..., expired_micros: _Optional[int] = ..., voided_micros: _Optional[int] = ..., is_refused: _Optional[bool] = ..., apply_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., owed_micros: _Optional[int] = ...) -> None: ...

class ReverseRefundRequest(_message.Message):
    __slots__ = ("request_id", "customer_id", "top_up_id", "refund_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    REFUND_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer_id: str
    top_up_id: str
    refund_id: str
    def __init__(self, request_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., top_up_id: _Optional[str] = ..., refund_id: _Optional[str] = ...) -> None: ...

class ReverseRefundResponse(_message.Message):
    __slots__ = ("cancelled_micros", "grant_id", "granted_micros", "apply_time")
    CANCELLED_MICROS_FIELD_NUMBER: _ClassVar[int]
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    GRANTED_MICROS_FIELD_NUMBER: _ClassVar[int]
    APPLY_TIME_FIELD_NUMBER: _ClassVar[int]
    cancelled_micros: int
    grant_id: str
    granted_micros: int
    apply_time: _timestamp_pb2.Timestamp
    def __init__(self, cancelled_micros: _Optional[int] = ..., grant_id: _Optional[str] = ..., granted_micros: _Optional[int] = ..., apply_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PoolPosition(_message.Message):
    __slots__ = ("credit_type_id", "sequence")
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    credit_type_id: str
    sequence: int
    def __init__(self, credit_type_id: _Optional[str] = ..., sequence: _Optional[int] = ...) -> None: ...

class GetContractUsageRequest(_message.Message):
    __slots__ = ("customer_id", "contract_id", "covered", "covered_time", "period_time", "group_key", "rows_max", "positions_only", "after")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    COVERED_FIELD_NUMBER: _ClassVar[int]
    COVERED_TIME_FIELD_NUMBER: _ClassVar[int]
    PERIOD_TIME_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    ROWS_MAX_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_ONLY_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    contract_id: str
    covered: _containers.RepeatedCompositeFieldContainer[PoolPosition]
    covered_time: _timestamp_pb2.Timestamp
    period_time: _timestamp_pb2.Timestamp
    group_key: str
    rows_max: int
    positions_only: bool
    after: _containers.RepeatedCompositeFieldContainer[PoolPosition]
    def __init__(self, customer_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., covered: _Optional[_Iterable[_Union[PoolPosition, _Mapping]]] = ..., covered_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., period_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., group_key: _Optional[str] = ..., rows_max: _Optional[int] = ..., positions_only: _Optional[bool] = ..., after: _Optional[_Iterable[_Union[PoolPosition, _Mapping]]] = ...) -> None: ...

class UsagePayer(_message.Message):
    __slots__ = ("grant_kind", "product_id", "source_id", "effective_time")
    GRANT_KIND_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    grant_kind: _ledger_pb2.GrantKind
    product_id: str
    source_id: str
    effective_time: _timestamp_pb2.Timestamp
    def __init__(self, grant_kind: _Optional[_Union[_ledger_pb2.GrantKind, str]] = ..., product_id: _Optional[str] = ..., source_id: _Optional[str] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ContractUsageRow(_message.Message):
    __slots__ = ("credit_type_id", "product_id", "group_value", "payer", "quantity_micros", "credits_micros", "overage_micros", "shortfall_micros", "product_name")
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    PAYER_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_MICROS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_NAME_FIELD_NUMBER: _ClassVar[int]
    credit_type_id: str
    product_id: str
    group_value: str
    payer: UsagePayer
    quantity_micros: int
    credits_micros: int
    overage_micros: int
    shortfall_micros: int
    product_name: str
    def __init__(self, credit_type_id: _Optional[str] = ..., product_id: _Optional[str] = ..., group_value: _Optional[str] = ..., payer: _Optional[_Union[UsagePayer, _Mapping]] = ..., quantity_micros: _Optional[int] = ..., credits_micros: _Optional[int] = ..., overage_micros: _Optional[int] = ..., shortfall_micros: _Optional[int] = ..., product_name: _Optional[str] = ...) -> None: ...

class GetContractUsageResponse(_message.Message):
    __slots__ = ("start_time", "end_time", "positions", "detail", "rows", "has_more")
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    HAS_MORE_FIELD_NUMBER: _ClassVar[int]
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    positions: _containers.RepeatedCompositeFieldContainer[PoolPosition]
    detail: UsageDetail
    rows: _containers.RepeatedCompositeFieldContainer[ContractUsageRow]
    has_more: bool
    def __init__(self, start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., positions: _Optional[_Iterable[_Union[PoolPosition, _Mapping]]] = ..., detail: _Optional[_Union[UsageDetail, str]] = ..., rows: _Optional[_Iterable[_Union[ContractUsageRow, _Mapping]]] = ..., has_more: _Optional[bool] = ...) -> None: ...

class WatchThresholdRequest(_message.Message):
    __slots__ = ("request_id", "alert_id", "version", "is_active", "watch_kind", "customer_id", "credit_type_id", "threshold_micros", "group_key", "group_value", "rearm_micros", "within_days", "product_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    IS_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    WATCH_KIND_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_MICROS_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    REARM_MICROS_FIELD_NUMBER: _ClassVar[int]
    WITHIN_DAYS_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    alert_id: str
    version: int
    is_active: bool
    watch_kind: WatchKind
    customer_id: str
    credit_type_id: str
    threshold_micros: int
    group_key: str
    group_value: str
    rearm_micros: int
    within_days: int
    product_id: str
    def __init__(self, request_id: _Optional[str] = ..., alert_id: _Optional[str] = ..., version: _Optional[int] = ..., is_active: _Optional[bool] = ..., watch_kind: _Optional[_Union[WatchKind, str]] = ..., customer_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., threshold_micros: _Optional[int] = ..., group_key: _Optional[str] = ..., group_value: _Optional[str] = ..., rearm_micros: _Optional[int] = ..., within_days: _Optional[int] = ..., product_id: _Optional[str] = ...) -> None: ...

class WatchThresholdResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

class SetTopUpLevelRequest(_message.Message):
    __slots__ = ("request_id", "auto_top_up_id", "version", "is_active", "customer_id", "credit_type_id", "threshold_micros")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    AUTO_TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    IS_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_MICROS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    auto_top_up_id: str
    version: int
    is_active: bool
    customer_id: str
    credit_type_id: str
    threshold_micros: int
    def __init__(self, request_id: _Optional[str] = ..., auto_top_up_id: _Optional[str] = ..., version: _Optional[int] = ..., is_active: _Optional[bool] = ..., customer_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., threshold_micros: _Optional[int] = ...) -> None: ...

class SetTopUpLevelResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

class GetOwedRequest(_message.Message):
    __slots__ = ("customer_id", "currency_code")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    currency_code: str
    def __init__(self, customer_id: _Optional[str] = ..., currency_code: _Optional[str] = ...) -> None: ...

class GetOwedResponse(_message.Message):
    __slots__ = ("owed_money_micros",)
    OWED_MONEY_MICROS_FIELD_NUMBER: _ClassVar[int]
    owed_money_micros: int
    def __init__(self, owed_money_micros: _Optional[int] = ...) -> None: ...
