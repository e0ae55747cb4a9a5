import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from purser.access.v1 import access_pb2 as _access_pb2
from purser.ledger.v1 import ledger_admin_pb2 as _ledger_admin_pb2
from purser.ledger.v1 import ledger_peer_pb2 as _ledger_peer_pb2
from purser.type.v1 import billing_period_pb2 as _billing_period_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_STATUS_UNSPECIFIED: _ClassVar[EventStatus]
    EVENT_STATUS_ACCEPTED: _ClassVar[EventStatus]
    EVENT_STATUS_NO_MATCH: _ClassVar[EventStatus]
    EVENT_STATUS_NO_CONTRACT: _ClassVar[EventStatus]
    EVENT_STATUS_UNATTACHED: _ClassVar[EventStatus]
    EVENT_STATUS_REJECTED: _ClassVar[EventStatus]

class RejectionReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REJECTION_REASON_UNSPECIFIED: _ClassVar[RejectionReason]
    REJECTION_REASON_INVALID_FIELD: _ClassVar[RejectionReason]
    REJECTION_REASON_TOO_OLD: _ClassVar[RejectionReason]
    REJECTION_REASON_IN_FUTURE: _ClassVar[RejectionReason]
    REJECTION_REASON_PROPERTY_MISSING: _ClassVar[RejectionReason]
    REJECTION_REASON_PROPERTY_NOT_A_NUMBER: _ClassVar[RejectionReason]
    REJECTION_REASON_QUANTITY_NEGATIVE: _ClassVar[RejectionReason]
    REJECTION_REASON_QUANTITY_TOO_LARGE: _ClassVar[RejectionReason]
    REJECTION_REASON_RATE_NOT_FOUND: _ClassVar[RejectionReason]
    REJECTION_REASON_HOLD_NOT_FOUND: _ClassVar[RejectionReason]
    REJECTION_REASON_HOLD_RELEASED: _ClassVar[RejectionReason]
    REJECTION_REASON_CUSTOMER_NOT_FOUND: _ClassVar[RejectionReason]

class UsageWindow(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    USAGE_WINDOW_UNSPECIFIED: _ClassVar[UsageWindow]
    USAGE_WINDOW_SPAN: _ClassVar[UsageWindow]
    USAGE_WINDOW_HOUR: _ClassVar[UsageWindow]
    USAGE_WINDOW_DAY: _ClassVar[UsageWindow]
    USAGE_WINDOW_MONTH: _ClassVar[UsageWindow]
    USAGE_WINDOW_USAGE_PERIOD: _ClassVar[UsageWindow]

class RerateJobState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RERATE_JOB_STATE_UNSPECIFIED: _ClassVar[RerateJobState]
    RERATE_JOB_STATE_RUNNING: _ClassVar[RerateJobState]
    RERATE_JOB_STATE_DONE: _ClassVar[RerateJobState]
EVENT_STATUS_UNSPECIFIED: EventStatus
EVENT_STATUS_ACCEPTED: EventStatus
EVENT_STATUS_NO_MATCH: EventStatus
EVENT_STATUS_NO_CONTRACT: EventStatus
EVENT_STATUS_UNATTACHED: EventStatus
EVENT_STATUS_REJECTED: EventStatus
REJECTION_REASON_UNSPECIFIED: RejectionReason
REJECTION_REASON_INVALID_FIELD: RejectionReason
REJECTION_REASON_TOO_OLD: RejectionReason
REJECTION_REASON_IN_FUTURE: RejectionReason
REJECTION_REASON_PROPERTY_MISSING: RejectionReason
REJECTION_REASON_PROPERTY_NOT_A_NUMBER: RejectionReason
REJECTION_REASON_QUANTITY_NEGATIVE: RejectionReason
REJECTION_REASON_QUANTITY_TOO_LARGE: RejectionReason
REJECTION_REASON_RATE_NOT_FOUND: RejectionReason
REJECTION_REASON_HOLD_NOT_FOUND: RejectionReason
REJECTION_REASON_HOLD_RELEASED: RejectionReason
REJECTION_REASON_CUSTOMER_NOT_FOUND: RejectionReason
USAGE_WINDOW_UNSPECIFIED: UsageWindow
USAGE_WINDOW_SPAN: UsageWindow
USAGE_WINDOW_HOUR: UsageWindow
USAGE_WINDOW_DAY: UsageWindow
USAGE_WINDOW_MONTH: UsageWindow
USAGE_WINDOW_USAGE_PERIOD: UsageWindow
RERATE_JOB_STATE_UNSPECIFIED: RerateJobState
RERATE_JOB_STATE_RUNNING: RerateJobState
RERATE_JOB_STATE_DONE: RerateJobState

class UsageEvent(_message.Message):
    __slots__ = ("transaction_id", "customer", "event_type", "timestamp", "properties", "hold_id")
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    transaction_id: str
    customer: str
    event_type: str
    timestamp: _timestamp_pb2.Timestamp
    properties: _containers.ScalarMap[str, str]
    hold_id: str
    def __init__(self, transaction_id: _Optional[str] = ..., customer: _Optional[str] = ..., event_type: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., properties: _Optional[_Mapping[str, str]] = ..., hold_id: _Optional[str] = ...) -> None: ...

class RecordUsageRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[UsageEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[UsageEvent, _Mapping]]] = ...) -> None: ...

class EventLine(_message.Message):
    __slots__ = ("product_id", "credit_type_id", "quantity_micros", "credits_micros", "shortfall_micros", "entry_sequence")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_MICROS_FIELD_NUMBER: _ClassVar[int]
    ENTRY_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    credit_type_id: str
    quantity_micros: int
    credits_micros: int
    shortfall_micros: int
    entry_sequence: int
    def __init__(self, product_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., quantity_micros: _Optional[int] = ..., credits_micros: _Optional[int] = ..., shortfall_micros: _Optional[int] = ..., entry_sequence: _Optional[int] = ...) -> None: ...

class UsageResult(_message.Message):
    __slots__ = ("event_status", "is_duplicate", "differs", "credits_micros", "shortfall_micros", "lines", "rejection_reason", "field", "detail")
    EVENT_STATUS_FIELD_NUMBER: _ClassVar[int]
    IS_DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    DIFFERS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_MICROS_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    REJECTION_REASON_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    event_status: EventStatus
    is_duplicate: bool
    differs: bool
    credits_micros: int
    shortfall_micros: int
    lines: _containers.RepeatedCompositeFieldContainer[EventLine]
    rejection_reason: RejectionReason
    field: str
    detail: str
    def __init__(self, event_status: _Optional[_Union[EventStatus, str]] = ..., is_duplicate: _Optional[bool] = ..., differs: _Optional[bool] = ..., credits_micros: _Optional[int] = ..., shortfall_micros: _Optional[int] = ..., lines: _Optional[_Iterable[_Union[EventLine, _Mapping]]] = ..., rejection_reason: _Optional[_Union[RejectionReason, str]] = ..., field: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class RecordUsageResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[UsageResult]
    def __init__(self, results: _Optional[_Iterable[_Union[UsageResult, _Mapping]]] = ...) -> None: ...

class ImportUsageRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[UsageEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[UsageEvent, _Mapping]]] = ...) -> None: ...

class ImportProblem(_message.Message):
    __slots__ = ("event_index", "result")
    EVENT_INDEX_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    event_index: int
    result: UsageResult
    def __init__(self, event_index: _Optional[int] = ..., result: _Optional[_Union[UsageResult, _Mapping]] = ...) -> None: ...

class ImportUsageResponse(_message.Message):
    __slots__ = ("event_count", "accepted_count", "no_match_count", "no_contract_count", "unattached_count", "rejected_count", "duplicate_count", "problems")
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    NO_MATCH_COUNT_FIELD_NUMBER: _ClassVar[int]
    NO_CONTRACT_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNATTACHED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REJECTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    event_count: int
    accepted_count: int
    no_match_count: int
    no_contract_count: int
    unattached_count: int
    rejected_count: int
    duplicate_count: int
    problems: _containers.RepeatedCompositeFieldContainer[ImportProblem]
    def __init__(self, event_count: _Optional[int] = ..., accepted_count: _Optional[int] = ..., no_match_count: _Optional[int] = ..., no_contract_count: _Optional[int] = ..., unattached_count: _Optional[int] = ..., rejected_count: _Optional[int] = ..., duplicate_count: _Optional[int] = ..., problems: _Optional[_Iterable[_Union[ImportProblem, _Mapping]]] = ...) -> None: ...

class VoidUsageRequest(_message.Message):
    __slots__ = ("request_id", "customer", "transaction_id", "hold_id", "reason", "actor")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    transaction_id: str
    hold_id: str
    reason: str
    actor: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., transaction_id: _Optional[str] = ..., hold_id: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class CorrectedLine(_message.Message):
    __slots__ = ("product_id", "credit_type_id", "quantity_micros", "credits_micros", "shortfall_micros", "entry_sequence")
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_MICROS_FIELD_NUMBER: _ClassVar[int]
    ENTRY_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    credit_type_id: str
    quantity_micros: int
    credits_micros: int
    shortfall_micros: int
    entry_sequence: int
    def __init__(self, product_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., quantity_micros: _Optional[int] = ..., credits_micros: _Optional[int] = ..., shortfall_micros: _Optional[int] = ..., entry_sequence: _Optional[int] = ...) -> None: ...

class VoidUsageResponse(_message.Message):
    __slots__ = ("lines",)
    LINES_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[CorrectedLine]
    def __init__(self, lines: _Optional[_Iterable[_Union[CorrectedLine, _Mapping]]] = ...) -> None: ...

class GetUsageRequest(_message.Message):
    __slots__ = ("customer", "start_time", "end_time", "window", "product_id", "group_key", "group_value", "dimension_key", "page_size", "page_token")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_KEY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    window: UsageWindow
    product_id: str
    group_key: str
    group_value: str
    dimension_key: str
    page_size: int
    page_token: str
    def __init__(self, customer: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., window: _Optional[_Union[UsageWindow, str]] = ..., product_id: _Optional[str] = ..., group_key: _Optional[str] = ..., group_value: _Optional[str] = ..., dimension_key: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class UsageSum(_message.Message):
    __slots__ = ("customer_id", "window", "product_id", "credit_type_id", "group_value", "dimension_value", "quantity_micros", "credits_micros", "shortfall_micros", "uses")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_VALUE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_MICROS_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    window: _billing_period_pb2.BillingPeriod
    product_id: str
    credit_type_id: str
    group_value: str
    dimension_value: str
    quantity_micros: int
    credits_micros: int
    shortfall_micros: int
    uses: int
    def __init__(self, customer_id: _Optional[str] = ..., window: _Optional[_Union[_billing_period_pb2.BillingPeriod, _Mapping]] = ..., product_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., group_value: _Optional[str] = ..., dimension_value: _Optional[str] = ..., quantity_micros: _Optional[int] = ..., credits_micros: _Optional[int] = ..., shortfall_micros: _Optional[int] = ..., uses: _Optional[int] = ...) -> None: ...

class GetUsageResponse(_message.Message):
    __slots__ = ("sums", "next_page_token", "is_complete")
    SUMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    IS_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    sums: _containers.RepeatedCompositeFieldContainer[UsageSum]
    next_page_token: str
    is_complete: bool
    def __init__(self, sums: _Optional[_Iterable[_Union[UsageSum, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., is_complete: _Optional[bool] = ...) -> None: ...

class ListUsageEventsRequest(_message.Message):
    __slots__ = ("customer", "start_time", "end_time", "event_status", "product_id", "transaction_id", "page_size", "page_token")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    EVENT_STATUS_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    event_status: EventStatus
    product_id: str
    transaction_id: str
    page_size: int
    page_token: str
    def __init__(self, customer: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., event_status: _Optional[_Union[EventStatus, str]] = ..., product_id: _Optional[str] = ..., transaction_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class EventPayment(_message.Message):
    __slots__ = ("credit_type_id", "entry_sequence", "product_id", "grant_id", "credits_micros", "shortfall_micros")
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    ENTRY_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_MICROS_FIELD_NUMBER: _ClassVar[int]
    credit_type_id: str
    entry_sequence: int
    product_id: str
    grant_id: str
    credits_micros: int
    shortfall_micros: int
    def __init__(self, credit_type_id: _Optional[str] = ..., entry_sequence: _Optional[int] = ..., product_id: _Optional[str] = ..., grant_id: _Optional[str] = ..., credits_micros: _Optional[int] = ..., shortfall_micros: _Optional[int] = ...) -> None: ...

class EventCorrection(_message.Message):
    __slots__ = ("is_void", "event", "reason", "actor", "create_time")
    IS_VOID_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    is_void: bool
    event: UsageEvent
    reason: str
    actor: str
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, is_void: _Optional[bool] = ..., event: _Optional[_Union[UsageEvent, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class StoredUsageEvent(_message.Message):
    __slots__ = ("event", "receive_time", "result", "payments", "corrections")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    PAYMENTS_FIELD_NUMBER: _ClassVar[int]
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    event: UsageEvent
    receive_time: _timestamp_pb2.Timestamp
    result: UsageResult
    payments: _containers.RepeatedCompositeFieldContainer[EventPayment]
    corrections: _containers.RepeatedCompositeFieldContainer[EventCorrection]
    def __init__(self, event: _Optional[_Union[UsageEvent, _Mapping]] = ..., receive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., result: _Optional[_Union[UsageResult, _Mapping]] = ..., payments: _Optional[_Iterable[_Union[EventPayment, _Mapping]]] = ..., corrections: _Optional[_Iterable[_Union[EventCorrection, _Mapping]]] = ...) -> None: ...

class ListUsageEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[StoredUsageEvent]
    next_page_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[StoredUsageEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListTopSpendersRequest(_message.Message):
    __slots__ = ("customer", "credit_type_id", "group_key", "period_time", "product_id", "spenders_max")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    PERIOD_TIME_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    SPENDERS_MAX_FIELD_NUMBER: _ClassVar[int]
    customer: str
    credit_type_id: str
    group_key: str
    period_time: _timestamp_pb2.Timestamp
    product_id: str
    spenders_max: int
    def __init__(self, customer: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., group_key: _Optional[str] = ..., period_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., product_id: _Optional[str] = ..., spenders_max: _Optional[int] = ...) -> None: ...

class Spender(_message.Message):
    __slots__ = ("group_value", "credits_micros", "shortfall_micros", "uses")
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_MICROS_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    group_value: str
    credits_micros: int
    shortfall_micros: int
    uses: int
    def __init__(self, group_value: _Optional[str] = ..., credits_micros: _Optional[int] = ..., shortfall_micros: _Optional[int] = ..., uses: _Optional[int] = ...) -> None: ...

class ListTopSpendersResponse(_message.Message):
    __slots__ = ("spenders", "period", "is_complete")
    SPENDERS_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    IS_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    spenders: _containers.RepeatedCompositeFieldContainer[Spender]
    period: _billing_period_pb2.BillingPeriod
    is_complete: bool
    def __init__(self, spenders: _Optional[_Iterable[_Union[Spender, _Mapping]]] = ..., period: _Optional[_Union[_billing_period_pb2.BillingPeriod, _Mapping]] = ..., is_complete: _Optional[bool] = ...) -> None: ...

class ExplainEntryRequest(_message.Message):
    __slots__ = ("customer", "credit_type_id", "sequence")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    customer: str
    credit_type_id: str
    sequence: int
    def __init__(self, customer: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., sequence: _Optional[int] = ...) -> None: ...

class MeterPosition(_message.Message):
    __slots__ = ("root_rate_id", "period", "quantity_before_micros", "quantity_after_micros", "cost_before_micros", "cost_after_micros")
    ROOT_RATE_ID_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_BEFORE_MICROS_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_AFTER_MICROS_FIELD_NUMBER: _ClassVar[int]
    COST_BEFORE_MICROS_FIELD_NUMBER: _ClassVar[int]
    COST_AFTER_MICROS_FIELD_NUMBER: _ClassVar[int]
    root_rate_id: str
    period: _billing_period_pb2.BillingPeriod
    quantity_before_micros: int
    quantity_after_micros: int
    cost_before_micros: int
    cost_after_micros: int
    def __init__(self, root_rate_id: _Optional[str] = ..., period: _Optional[_Union[_billing_period_pb2.BillingPeriod, _Mapping]] = ..., quantity_before_micros: _Optional[int] = ..., quantity_after_micros: _Optional[int] = ..., cost_before_micros: _Optional[int] = ..., cost_after_micros: _Optional[int] = ...) -> None: ...

class ExplainEntryResponse(_message.Message):
    __slots__ = ("entry", "event", "dimension_values", "quantity_micros", "credits_micros", "meter", "rate")
    class DimensionValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_VALUES_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    METER_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    entry: _ledger_admin_pb2.Entry
    event: UsageEvent
    dimension_values: _containers.ScalarMap[str, str]
    quantity_micros: int
    credits_micros: int
    meter: MeterPosition
    rate: _ledger_peer_pb2.UsageRate
    def __init__(self, entry: _Optional[_Union[_ledger_admin_pb2.Entry, _Mapping]] = ..., event: _Optional[_Union[UsageEvent, _Mapping]] = ..., dimension_values: _Optional[_Mapping[str, str]] = ..., quantity_micros: _Optional[int] = ..., credits_micros: _Optional[int] = ..., meter: _Optional[_Union[MeterPosition, _Mapping]] = ..., rate: _Optional[_Union[_ledger_peer_pb2.UsageRate, _Mapping]] = ...) -> None: ...

class ListGrantUsageRequest(_message.Message):
    __slots__ = ("customer", "grant_id", "page_size", "page_token")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer: str
    grant_id: str
    page_size: int
    page_token: str
    def __init__(self, customer: _Optional[str] = ..., grant_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class GrantUse(_message.Message):
    __slots__ = ("entry", "event")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    entry: _ledger_admin_pb2.Entry
    event: UsageEvent
    def __init__(self, entry: _Optional[_Union[_ledger_admin_pb2.Entry, _Mapping]] = ..., event: _Optional[_Union[UsageEvent, _Mapping]] = ...) -> None: ...

class ListGrantUsageResponse(_message.Message):
    __slots__ = ("uses", "next_page_token")
    USES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    uses: _containers.RepeatedCompositeFieldContainer[GrantUse]
    next_page_token: str
    def __init__(self, uses: _Optional[_Iterable[_Union[GrantUse, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AmendUsageRequest(_message.Message):
    __slots__ = ("request_id", "customer", "transaction_id", "timestamp", "properties", "reason", "actor")
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    transaction_id: str
    timestamp: _timestamp_pb2.Timestamp
    properties: _containers.ScalarMap[str, str]
    reason: str
    actor: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., transaction_id: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., properties: _Optional[_Mapping[str, str]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class AmendUsageResponse(_message.Message):
    __slots__ = ("lines",)
    LINES_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[CorrectedLine]
    def __init__(self, lines: _Optional[_Iterable[_Union[CorrectedLine, _Mapping]]] = ...) -> None: ...

class RerateUsageRequest(_message.Message):
    __slots__ = ("request_id", "product_id", "customer", "start_time", "end_time", "reason", "actor", "is_preview")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    IS_PREVIEW_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    product_id: str
    customer: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    reason: str
    actor: str
    is_preview: bool
    def __init__(self, request_id: _Optional[str] = ..., product_id: _Optional[str] = ..., customer: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., is_preview: _Optional[bool] = ...) -> None: ...

class RerateCredits(_message.Message):
    __slots__ = ("credit_type_id", "expected_returned_micros", "expected_charged_micros", "returned_micros", "charged_micros")
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_RETURNED_MICROS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_CHARGED_MICROS_FIELD_NUMBER: _ClassVar[int]
    RETURNED_MICROS_FIELD_NUMBER: _ClassVar[int]
    CHARGED_MICROS_FIELD_NUMBER: _ClassVar[int]
    credit_type_id: str
    expected_returned_micros: int
    expected_charged_micros: int
    returned_micros: int
    charged_micros: int
    def __init__(self, credit_type_id: _Optional[str] = ..., expected_returned_micros: _Optional[int] = ..., expected_charged_micros: _Optional[int] = ..., returned_micros: _Optional[int] = ..., charged_micros: _Optional[int] = ...) -> None: ...

class RerateJob(_message.Message):
    __slots__ = ("rerate_job_id", "product_id", "customer_id", "start_time", "end_time", "reason", "actor", "state", "customers_total", "meters_total", "meters_done", "entries_done", "credits", "create_time", "finish_time", "events_charged")
    RERATE_JOB_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CUSTOMERS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    METERS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    METERS_DONE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_DONE_FIELD_NUMBER: _ClassVar[int]
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FINISH_TIME_FIELD_NUMBER: _ClassVar[int]
    EVENTS_CHARGED_FIELD_NUMBER: _ClassVar[int]
    rerate_job_id: str
    product_id: str
    customer_id: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    reason: str
    actor: str
    state: RerateJobState
    customers_total: int
    meters_total: int
    meters_done: int
    entries_done: int
    credits: _containers.RepeatedCompositeFieldContainer[RerateCredits]
    create_time: _timestamp_pb2.Timestamp
    finish_time: _timestamp_pb2.Timestamp
    events_charged: int
    def __init__(self, rerate_job_id: _Optional[str] = ..., product_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., state: _Optional[_Union[RerateJobState, str]] = ..., customers_total: _Optional[int] = ..., meters_total: _Optional[int] = ..., meters_done: _Optional[int] = ..., entries_done: _Optional[int] = ..., credits: _Optional[_Iterable[_Union[RerateCredits, _Mapping]]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., events_charged: _Optional[int] = ...) -> None: ...

class RerateUsageResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: RerateJob
    def __init__(self, job: _Optional[_Union[RerateJob, _Mapping]] = ...) -> None: ...

class GetRerateJobRequest(_message.Message):
    __slots__ = ("rerate_job_id",)
    RERATE_JOB_ID_FIELD_NUMBER: _ClassVar[int]
    rerate_job_id: str
    def __init__(self, rerate_job_id: _Optional[str] = ...) -> None: ...

class GetRerateJobResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: RerateJob
    def __init__(self, job: _Optional[_Union[RerateJob, _Mapping]] = ...) -> None: ...

class ListRerateJobsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRerateJobsResponse(_message.Message):
    __slots__ = ("jobs", "next_page_token")
    JOBS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[RerateJob]
    next_page_token: str
    def __init__(self, jobs: _Optional[_Iterable[_Union[RerateJob, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
