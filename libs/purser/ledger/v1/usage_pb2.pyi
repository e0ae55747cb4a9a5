import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
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

class UsageEvent(_message.Message):
    __slots__ = ("transaction_id", "customer", "event_type", "timestamp", "properties")
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
    transaction_id: str
    customer: str
    event_type: str
    timestamp: _timestamp_pb2.Timestamp
    properties: _containers.ScalarMap[str, str]
    def __init__(self, transaction_id: _Optional[str] = ..., customer: _Optional[str] = ..., event_type: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., properties: _Optional[_Mapping[str, str]] = ...) -> None: ...

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
