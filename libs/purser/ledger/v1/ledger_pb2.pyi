import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from purser.access.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Decision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_UNSPECIFIED: _ClassVar[Decision]
    DECISION_ALLOWED: _ClassVar[Decision]
    DECISION_DENIED: _ClassVar[Decision]

class DenialReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DENIAL_REASON_UNSPECIFIED: _ClassVar[DenialReason]
    DENIAL_REASON_CUSTOMER_SUSPENDED: _ClassVar[DenialReason]
    DENIAL_REASON_NOT_ENTITLED: _ClassVar[DenialReason]
    DENIAL_REASON_SEAT_NOT_ASSIGNED: _ClassVar[DenialReason]
    DENIAL_REASON_SPEND_CAP_REACHED: _ClassVar[DenialReason]
    DENIAL_REASON_INSUFFICIENT_CREDITS: _ClassVar[DenialReason]
    DENIAL_REASON_TOO_MANY_IN_FLIGHT: _ClassVar[DenialReason]

class GrantKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GRANT_KIND_UNSPECIFIED: _ClassVar[GrantKind]
    GRANT_KIND_INCLUDED: _ClassVar[GrantKind]
    GRANT_KIND_TOP_UP: _ClassVar[GrantKind]
    GRANT_KIND_PROMOTIONAL: _ClassVar[GrantKind]
    GRANT_KIND_ROLLOVER: _ClassVar[GrantKind]

class CapScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAP_SCOPE_UNSPECIFIED: _ClassVar[CapScope]
    CAP_SCOPE_GROUP_VALUE: _ClassVar[CapScope]
    CAP_SCOPE_PRODUCT: _ClassVar[CapScope]
    CAP_SCOPE_CUSTOMER: _ClassVar[CapScope]
    CAP_SCOPE_GROUP: _ClassVar[CapScope]

class CapOwner(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAP_OWNER_UNSPECIFIED: _ClassVar[CapOwner]
    CAP_OWNER_VENDOR: _ClassVar[CapOwner]
    CAP_OWNER_CUSTOMER: _ClassVar[CapOwner]
DECISION_UNSPECIFIED: Decision
DECISION_ALLOWED: Decision
DECISION_DENIED: Decision
DENIAL_REASON_UNSPECIFIED: DenialReason
DENIAL_REASON_CUSTOMER_SUSPENDED: DenialReason
DENIAL_REASON_NOT_ENTITLED: DenialReason
DENIAL_REASON_SEAT_NOT_ASSIGNED: DenialReason
DENIAL_REASON_SPEND_CAP_REACHED: DenialReason
DENIAL_REASON_INSUFFICIENT_CREDITS: DenialReason
DENIAL_REASON_TOO_MANY_IN_FLIGHT: DenialReason
GRANT_KIND_UNSPECIFIED: GrantKind
GRANT_KIND_INCLUDED: GrantKind
GRANT_KIND_TOP_UP: GrantKind
GRANT_KIND_PROMOTIONAL: GrantKind
GRANT_KIND_ROLLOVER: GrantKind
CAP_SCOPE_UNSPECIFIED: CapScope
CAP_SCOPE_GROUP_VALUE: CapScope
CAP_SCOPE_PRODUCT: CapScope
CAP_SCOPE_CUSTOMER: CapScope
CAP_SCOPE_GROUP: CapScope
CAP_OWNER_UNSPECIFIED: CapOwner
CAP_OWNER_VENDOR: CapOwner
CAP_OWNER_CUSTOMER: CapOwner

class UsageLine(_message.Message):
    __slots__ = ("product_id", "quantity_micros", "properties")
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    quantity_micros: int
    properties: _containers.ScalarMap[str, str]
    def __init__(self, product_id: _Optional[str] = ..., quantity_micros: _Optional[int] = ..., properties: _Optional[_Mapping[str, str]] = ...) -> None: ...

class LineResult(_message.Message):
    __slots__ = ("product_id", "dimension_values", "quantity_micros", "credits_micros", "shortfall_micros", "overage_micros")
    class DimensionValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_VALUES_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_MICROS_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_MICROS_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    dimension_values: _containers.ScalarMap[str, str]
    quantity_micros: int
    credits_micros: int
    shortfall_micros: int
    overage_micros: int
    def __init__(self, product_id: _Optional[str] = ..., dimension_values: _Optional[_Mapping[str, str]] = ..., quantity_micros: _Optional[int] = ..., credits_micros: _Optional[int] = ..., shortfall_micros: _Optional[int] = ..., overage_micros: _Optional[int] = ...) -> None: ...

class AuthorizeRequest(_message.Message):
    __slots__ = ("request_id", "customer", "product_id", "quantity_micros", "credits_micros", "group_values", "hold_ttl", "allow_partial", "properties", "lines")
    class GroupValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUES_FIELD_NUMBER: _ClassVar[int]
    HOLD_TTL_FIELD_NUMBER: _ClassVar[int]
    ALLOW_PARTIAL_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    product_id: str
    quantity_micros: int
    credits_micros: int
    group_values: _containers.ScalarMap[str, str]
    hold_ttl: _duration_pb2.Duration
    allow_partial: bool
    properties: _containers.ScalarMap[str, str]
    lines: _containers.RepeatedCompositeFieldContainer[UsageLine]
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., product_id: _Optional[str] = ..., quantity_micros: _Optional[int] = ..., credits_micros: _Optional[int] = ..., group_values: _Optional[_Mapping[str, str]] = ..., hold_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., allow_partial: _Optional[bool] = ..., properties: _Optional[_Mapping[str, str]] = ..., lines: _Optional[_Iterable[_Union[UsageLine, _Mapping]]] = ...) -> None: ...

class AuthorizeResponse(_message.Message):
    __slots__ = ("decision", "denial_reason", "hold_id", "held_micros", "held_quantity_micros", "credit_type_id", "available_micros", "affordable_quantity_micros", "affordable_credits_micros", "expire_time", "lines", "overage_held_micros", "reached_cap", "reached_concurrency_cap", "shadow_denial")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    DENIAL_REASON_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    HELD_MICROS_FIELD_NUMBER: _ClassVar[int]
    HELD_QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_MICROS_FIELD_NUMBER: _ClassVar[int]
    AFFORDABLE_QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    AFFORDABLE_CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_HELD_MICROS_FIELD_NUMBER: _ClassVar[int]
    REACHED_CAP_FIELD_NUMBER: _ClassVar[int]
    REACHED_CONCURRENCY_CAP_FIELD_NUMBER: _ClassVar[int]
    SHADOW_DENIAL_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    denial_reason: DenialReason
    hold_id: str
    held_micros: int
    held_quantity_micros: int
    credit_type_id: str
    available_micros: int
    affordable_quantity_micros: int
    affordable_credits_micros: int
    expire_time: _timestamp_pb2.Timestamp
    lines: _containers.RepeatedCompositeFieldContainer[LineResult]
    overage_held_micros: int
    reached_cap: SpendCapUse
    reached_concurrency_cap: ConcurrencyCapUse
    shadow_denial: ShadowDenial
    def __init__(self, decision: _Optional[_Union[Decision, str]] = ..., denial_reason: _Optional[_Union[DenialReason, str]] = ..., hold_id: _Optional[str] = ..., held_micros: _Optional[int] = ..., held_quantity_micros: _Optional[int] = ..., credit_type_id: _Optional[str] = ..., available_micros: _Optional[int] = ..., affordable_quantity_micros: _Optional[int] = ..., affordable_credits_micros: _Optional[int] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lines: _Optional[_Iterable[_Union[LineResult, _Mapping]]] = ..., overage_held_micros: _Optional[int] = ..., reached_cap: _Optional[_Union[SpendCapUse, _Mapping]] = ..., reached_concurrency_cap: _Optional[_Union[ConcurrencyCapUse, _Mapping]] = ..., shadow_denial: _Optional[_Union[ShadowDenial, _Mapping]] = ...) -> None: ...

class CaptureRequest(_message.Message):
    __slots__ = ("request_id", "customer", "hold_id", "quantity_micros", "credits_micros", "lines")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    hold_id: str
    quantity_micros: int
    credits_micros: int
    lines: _containers.RepeatedCompositeFieldContainer[UsageLine]
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., hold_id: _Optional[str] = ..., quantity_micros: _Optional[int] = ..., credits_micros: _Optional[int] = ..., lines: _Optional[_Iterable[_Union[UsageLine, _Mapping]]] = ...) -> None: ...

class CaptureResponse(_message.Message):
    __slots__ = ("captured_micros", "released_micros", "shortfall_micros", "is_late", "credit_type_id", "available_micros", "differs", "lines", "overage_micros")
    CAPTURED_MICROS_FIELD_NUMBER: _ClassVar[int]
    RELEASED_MICROS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_MICROS_FIELD_NUMBER: _ClassVar[int]
    IS_LATE_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_MICROS_FIELD_NUMBER: _ClassVar[int]
    DIFFERS_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_MICROS_FIELD_NUMBER: _ClassVar[int]
    captured_micros: int
    released_micros: int
    shortfall_micros: int
    is_late: bool
    credit_type_id: str
    available_micros: int
    differs: bool
    lines: _containers.RepeatedCompositeFieldContainer[LineResult]
    overage_micros: int
    def __init__(self, captured_micros: _Optional[int] = ..., released_micros: _Optional[int] = ..., shortfall_micros: _Optional[int] = ..., is_late: _Optional[bool] = ..., credit_type_id: _Optional[str] = ..., available_micros: _Optional[int] = ..., differs: _Optional[bool] = ..., lines: _Optional[_Iterable[_Union[LineResult, _Mapping]]] = ..., overage_micros: _Optional[int] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("request_id", "customer", "hold_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    hold_id: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., hold_id: _Optional[str] = ...) -> None: ...

class ReleaseResponse(_message.Message):
    __slots__ = ("released_micros", "credit_type_id", "available_micros")
    RELEASED_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_MICROS_FIELD_NUMBER: _ClassVar[int]
    released_micros: int
    credit_type_id: str
    available_micros: int
    def __init__(self, released_micros: _Optional[int] = ..., credit_type_id: _Optional[str] = ..., available_micros: _Optional[int] = ...) -> None: ...

class ExtendHoldRequest(_message.Message):
    __slots__ = ("request_id", "customer", "hold_id", "quantity_micros", "credits_micros", "hold_ttl")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    HOLD_TTL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    hold_id: str
    quantity_micros: int
    credits_micros: int
    hold_ttl: _duration_pb2.Duration
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., hold_id: _Optional[str] = ..., quantity_micros: _Optional[int] = ..., credits_micros: _Optional[int] = ..., hold_ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ExtendHoldResponse(_message.Message):
    __slots__ = ("decision", "denial_reason", "held_micros", "credit_type_id", "available_micros", "affordable_credits_micros", "expire_time", "overage_held_micros", "reached_cap", "shadow_denial")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    DENIAL_REASON_FIELD_NUMBER: _ClassVar[int]
    HELD_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_MICROS_FIELD_NUMBER: _ClassVar[int]
    AFFORDABLE_CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_HELD_MICROS_FIELD_NUMBER: _ClassVar[int]
    REACHED_CAP_FIELD_NUMBER: _ClassVar[int]
    SHADOW_DENIAL_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    denial_reason: DenialReason
    held_micros: int
    credit_type_id: str
    available_micros: int
    affordable_credits_micros: int
    expire_time: _timestamp_pb2.Timestamp
    overage_held_micros: int
    reached_cap: SpendCapUse
    shadow_denial: ShadowDenial
    def __init__(self, decision: _Optional[_Union[Decision, str]] = ..., denial_reason: _Optional[_Union[DenialReason, str]] = ..., held_micros: _Optional[int] = ..., credit_type_id: _Optional[str] = ..., available_micros: _Optional[int] = ..., affordable_credits_micros: _Optional[int] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., overage_held_micros: _Optional[int] = ..., reached_cap: _Optional[_Union[SpendCapUse, _Mapping]] = ..., shadow_denial: _Optional[_Union[ShadowDenial, _Mapping]] = ...) -> None: ...

class DebitRequest(_message.Message):
    __slots__ = ("request_id", "customer", "product_id", "quantity_micros", "credits_micros", "group_values", "properties", "lines")
    class GroupValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUES_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    product_id: str
    quantity_micros: int
    credits_micros: int
    group_values: _containers.ScalarMap[str, str]
    properties: _containers.ScalarMap[str, str]
    lines: _containers.RepeatedCompositeFieldContainer[UsageLine]
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., product_id: _Optional[str] = ..., quantity_micros: _Optional[int] = ..., credits_micros: _Optional[int] = ..., group_values: _Optional[_Mapping[str, str]] = ..., properties: _Optional[_Mapping[str, str]] = ..., lines: _Optional[_Iterable[_Union[UsageLine, _Mapping]]] = ...) -> None: ...

class DebitResponse(_message.Message):
    __slots__ = ("decision", "denial_reason", "debited_micros", "credit_type_id", "available_micros", "affordable_quantity_micros", "affordable_credits_micros", "lines", "overage_micros", "reached_cap", "shadow_denial")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    DENIAL_REASON_FIELD_NUMBER: _ClassVar[int]
    DEBITED_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_MICROS_FIELD_NUMBER: _ClassVar[int]
    AFFORDABLE_QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    AFFORDABLE_CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_MICROS_FIELD_NUMBER: _ClassVar[int]
    REACHED_CAP_FIELD_NUMBER: _ClassVar[int]
    SHADOW_DENIAL_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    denial_reason: DenialReason
    debited_micros: int
    credit_type_id: str
    available_micros: int
    affordable_quantity_micros: int
    affordable_credits_micros: int
    lines: _containers.RepeatedCompositeFieldContainer[LineResult]
    overage_micros: int
    reached_cap: SpendCapUse
    shadow_denial: ShadowDenial
    def __init__(self, decision: _Optional[_Union[Decision, str]] = ..., denial_reason: _Optional[_Union[DenialReason, str]] = ..., debited_micros: _Optional[int] = ..., credit_type_id: _Optional[str] = ..., available_micros: _Optional[int] = ..., affordable_quantity_micros: _Optional[int] = ..., affordable_credits_micros: _Optional[int] = ..., lines: _Optional[_Iterable[_Union[LineResult, _Mapping]]] = ..., overage_micros: _Optional[int] = ..., reached_cap: _Optional[_Union[SpendCapUse, _Mapping]] = ..., shadow_denial: _Optional[_Union[ShadowDenial, _Mapping]] = ...) -> None: ...

class Grant(_message.Message):
    __slots__ = ("grant_id", "grant_kind", "credit_type_id", "product_id", "granted_micros", "captured_micros", "held_micros", "expired_micros", "voided_micros", "available_micros", "priority", "effective_time", "expire_time", "cost_basis_micros", "scope_product_ids", "grant_schedule_id", "source_id", "create_time", "void_time", "void_reason", "void_actor", "rolled_over_micros", "rolled_from_grant_id", "slot_id")
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    GRANT_KIND_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    GRANTED_MICROS_FIELD_NUMBER: _ClassVar[int]
    CAPTURED_MICROS_FIELD_NUMBER: _ClassVar[int]
    HELD_MICROS_FIELD_NUMBER: _ClassVar[int]
    EXPIRED_MICROS_FIELD_NUMBER: _ClassVar[int]
    VOIDED_MICROS_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    COST_BASIS_MICROS_FIELD_NUMBER: _ClassVar[int]
    SCOPE_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    GRANT_SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    VOID_TIME_FIELD_NUMBER: _ClassVar[int]
    VOID_REASON_FIELD_NUMBER: _ClassVar[int]
    VOID_ACTOR_FIELD_NUMBER: _ClassVar[int]
    ROLLED_OVER_MICROS_FIELD_NUMBER: _ClassVar[int]
    ROLLED_FROM_GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    SLOT_ID_FIELD_NUMBER: _ClassVar[int]
    grant_id: str
    grant_kind: GrantKind
    credit_type_id: str
    product_id: str
    granted_micros: int
    captured_micros: int
    held_micros: int
    expired_micros: int
    voided_micros: int
    available_micros: int
    priority: int
    effective_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    cost_basis_micros: int
    scope_product_ids: _containers.RepeatedScalarFieldContainer[str]
    grant_schedule_id: str
    source_id: str
    create_time: _timestamp_pb2.Timestamp
    void_time: _timestamp_pb2.Timestamp
    void_reason: str
    void_actor: str
    rolled_over_micros: int
    rolled_from_grant_id: str
    slot_id: str
    def __init__(self, grant_id: _Optional[str] = ..., grant_kind: _Optional[_Union[GrantKind, str]] = ..., credit_type_id: _Optional[str] = ..., product_id: _Optional[str] = ..., granted_micros: _Optional[int] = ..., captured_micros: _Optional[int] = ..., held_micros: _Optional[int] = ..., expired_micros: _Optional[int] = ..., voided_micros: _Optional[int] = ..., available_micros: _Optional[int] = ..., priority: _Optional[int] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cost_basis_micros: _Optional[int] = ..., scope_product_ids: _Optional[_Iterable[str]] = ..., grant_schedule_id: _Optional[str] = ..., source_id: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., void_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., void_reason: _Optional[str] = ..., void_actor: _Optional[str] = ..., rolled_over_micros: _Optional[int] = ..., rolled_from_grant_id: _Optional[str] = ..., slot_id: _Optional[str] = ...) -> None: ...

class GetBalanceRequest(_message.Message):
    __slots__ = ("customer", "credit_type_id", "seat_id")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    SEAT_ID_FIELD_NUMBER: _ClassVar[int]
    customer: str
    credit_type_id: str
    seat_id: str
    def __init__(self, customer: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., seat_id: _Optional[str] = ...) -> None: ...

class SeatBalance(_message.Message):
    __slots__ = ("subscription_id", "seat_id", "slot_id", "credit_type_id", "available_micros", "held_micros", "remaining_micros", "draws_shared_pool", "grants")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    SEAT_ID_FIELD_NUMBER: _ClassVar[int]
    SLOT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_MICROS_FIELD_NUMBER: _ClassVar[int]
    HELD_MICROS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_MICROS_FIELD_NUMBER: _ClassVar[int]
    DRAWS_SHARED_POOL_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    seat_id: str
    slot_id: str
    credit_type_id: str
    available_micros: int
    held_micros: int
    remaining_micros: int
    draws_shared_pool: bool
    grants: _containers.RepeatedCompositeFieldContainer[Grant]
    def __init__(self, subscription_id: _Optional[str] = ..., seat_id: _Optional[str] = ..., slot_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., available_micros: _Optional[int] = ..., held_micros: _Optional[int] = ..., remaining_micros: _Optional[int] = ..., draws_shared_pool: _Optional[bool] = ..., grants: _Optional[_Iterable[_Union[Grant, _Mapping]]] = ...) -> None: ...

class PoolBalance(_message.Message):
    __slots__ = ("credit_type_id", "available_micros", "held_micros", "remaining_micros", "shortfall_micros", "grants", "next_expire_time", "next_expiring_micros", "overage", "owed_micros", "owed_money_micros")
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_MICROS_FIELD_NUMBER: _ClassVar[int]
    HELD_MICROS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_MICROS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_MICROS_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    NEXT_EXPIRING_MICROS_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_FIELD_NUMBER: _ClassVar[int]
    OWED_MICROS_FIELD_NUMBER: _ClassVar[int]
    OWED_MONEY_MICROS_FIELD_NUMBER: _ClassVar[int]
    credit_type_id: str
    available_micros: int
    held_micros: int
    remaining_micros: int
    shortfall_micros: int
    grants: _containers.RepeatedCompositeFieldContainer[Grant]
    next_expire_time: _timestamp_pb2.Timestamp
    next_expiring_micros: int
    overage: _containers.RepeatedCompositeFieldContainer[OverageBalance]
    owed_micros: int
    owed_money_micros: int
    def __init__(self, credit_type_id: _Optional[str] = ..., available_micros: _Optional[int] = ..., held_micros: _Optional[int] = ..., remaining_micros: _Optional[int] = ..., shortfall_micros: _Optional[int] = ..., grants: _Optional[_Iterable[_Union[Grant, _Mapping]]] = ..., next_expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., next_expiring_micros: _Optional[int] = ..., overage: _Optional[_Iterable[_Union[OverageBalance, _Mapping]]] = ..., owed_micros: _Optional[int] = ..., owed_money_micros: _Optional[int] = ...) -> None: ...

class OverageBalance(_message.Message):
    __slots__ = ("contract_id", "captured_micros", "held_micros", "cap_micros", "start_time", "end_time")
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    CAPTURED_MICROS_FIELD_NUMBER: _ClassVar[int]
    HELD_MICROS_FIELD_NUMBER: _ClassVar[int]
    CAP_MICROS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    contract_id: str
    captured_micros: int
    held_micros: int
    cap_micros: int
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    def __init__(self, contract_id: _Optional[str] = ..., captured_micros: _Optional[int] = ..., held_micros: _Optional[int] = ..., cap_micros: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetBalanceResponse(_message.Message):
    __slots__ = ("pools", "as_of_time", "seats")
    POOLS_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    SEATS_FIELD_NUMBER: _ClassVar[int]
    pools: _containers.RepeatedCompositeFieldContainer[PoolBalance]
    as_of_time: _timestamp_pb2.Timestamp
    seats: _containers.RepeatedCompositeFieldContainer[SeatBalance]
    def __init__(self, pools: _Optional[_Iterable[_Union[PoolBalance, _Mapping]]] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., seats: _Optional[_Iterable[_Union[SeatBalance, _Mapping]]] = ...) -> None: ...

class GetDecisionRequest(_message.Message):
    __slots__ = ("customer", "hold_id", "ask")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    customer: str
    hold_id: str
    ask: DecisionAsk
    def __init__(self, customer: _Optional[str] = ..., hold_id: _Optional[str] = ..., ask: _Optional[_Union[DecisionAsk, _Mapping]] = ...) -> None: ...

class DecisionAsk(_message.Message):
    __slots__ = ("product_id", "quantity_micros", "credits_micros", "group_values", "properties", "lines")
    class GroupValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUES_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    quantity_micros: int
    credits_micros: int
    group_values: _containers.ScalarMap[str, str]
    properties: _containers.ScalarMap[str, str]
    lines: _containers.RepeatedCompositeFieldContainer[UsageLine]
    def __init__(self, product_id: _Optional[str] = ..., quantity_micros: _Optional[int] = ..., credits_micros: _Optional[int] = ..., group_values: _Optional[_Mapping[str, str]] = ..., properties: _Optional[_Mapping[str, str]] = ..., lines: _Optional[_Iterable[_Union[UsageLine, _Mapping]]] = ...) -> None: ...

class Draw(_message.Message):
    __slots__ = ("grant_id", "amount_micros")
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    grant_id: str
    amount_micros: int
    def __init__(self, grant_id: _Optional[str] = ..., amount_micros: _Optional[int] = ...) -> None: ...

class ShadowDenial(_message.Message):
    __slots__ = ("denial_reason", "spend_cap_id", "concurrency_cap_id", "missing_micros")
    DENIAL_REASON_FIELD_NUMBER: _ClassVar[int]
    SPEND_CAP_ID_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_CAP_ID_FIELD_NUMBER: _ClassVar[int]
    MISSING_MICROS_FIELD_NUMBER: _ClassVar[int]
    denial_reason: DenialReason
    spend_cap_id: str
    concurrency_cap_id: str
    missing_micros: int
    def __init__(self, denial_reason: _Optional[_Union[DenialReason, str]] = ..., spend_cap_id: _Optional[str] = ..., concurrency_cap_id: _Optional[str] = ..., missing_micros: _Optional[int] = ...) -> None: ...

class ConcurrencyCapUse(_message.Message):
    __slots__ = ("concurrency_cap_id", "group_key", "group_value", "product_id", "holds_max", "open_holds", "free_time")
    CONCURRENCY_CAP_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    HOLDS_MAX_FIELD_NUMBER: _ClassVar[int]
    OPEN_HOLDS_FIELD_NUMBER: _ClassVar[int]
    FREE_TIME_FIELD_NUMBER: _ClassVar[int]
    concurrency_cap_id: str
    group_key: str
    group_value: str
    product_id: str
    holds_max: int
    open_holds: int
    free_time: _timestamp_pb2.Timestamp
    def __init__(self, concurrency_cap_id: _Optional[str] = ..., group_key: _Optional[str] = ..., group_value: _Optional[str] = ..., product_id: _Optional[str] = ..., holds_max: _Optional[int] = ..., open_holds: _Optional[int] = ..., free_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SpendCapUse(_message.Message):
    __slots__ = ("spend_cap_id", "group_key", "group_value", "limit_micros", "used_micros", "window_start_time", "window_end_time", "window_hours", "scope", "product_id", "owner", "cap_group_id")
    SPEND_CAP_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_MICROS_FIELD_NUMBER: _ClassVar[int]
    USED_MICROS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_START_TIME_FIELD_NUMBER: _ClassVar[int]
    WINDOW_END_TIME_FIELD_NUMBER: _ClassVar[int]
    WINDOW_HOURS_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    CAP_GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    spend_cap_id: str
    group_key: str
    group_value: str
    limit_micros: int
    used_micros: int
    window_start_time: _timestamp_pb2.Timestamp
    window_end_time: _timestamp_pb2.Timestamp
    window_hours: int
    scope: CapScope
    product_id: str
    owner: CapOwner
    cap_group_id: str
    def __init__(self, spend_cap_id: _Optional[str] = ..., group_key: _Optional[str] = ..., group_value: _Optional[str] = ..., limit_micros: _Optional[int] = ..., used_micros: _Optional[int] = ..., window_start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., window_end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., window_hours: _Optional[int] = ..., scope: _Optional[_Union[CapScope, str]] = ..., product_id: _Optional[str] = ..., owner: _Optional[_Union[CapOwner, str]] = ..., cap_group_id: _Optional[str] = ...) -> None: ...

class DecisionLine(_message.Message):
    __slots__ = ("product_id", "dimension_values", "quantity_micros", "credits_micros", "contract_id", "rate_id", "price_micros", "per_micros", "draws")
    class DimensionValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_VALUES_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    RATE_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    PER_MICROS_FIELD_NUMBER: _ClassVar[int]
    DRAWS_FIELD_NUMBER: _ClassVar[int]
    product_id: str
    dimension_values: _containers.ScalarMap[str, str]
    quantity_micros: int
    credits_micros: int
    contract_id: str
    rate_id: str
    price_micros: int
    per_micros: int
    draws: _containers.RepeatedCompositeFieldContainer[Draw]
    def __init__(self, product_id: _Optional[str] = ..., dimension_values: _Optional[_Mapping[str, str]] = ..., quantity_micros: _Optional[int] = ..., credits_micros: _Optional[int] = ..., contract_id: _Optional[str] = ..., rate_id: _Optional[str] = ..., price_micros: _Optional[int] = ..., per_micros: _Optional[int] = ..., draws: _Optional[_Iterable[_Union[Draw, _Mapping]]] = ...) -> None: ...

class GetDecisionResponse(_message.Message):
    __slots__ = ("decision", "denial_reason", "credits_micros", "price_micros", "per_micros", "credit_type_id", "contract_id", "draws", "grants", "spend_caps", "decide_time", "expire_time", "concurrency_caps", "shadow_denial", "available_micros", "rate_id", "lines", "overage_micros")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    DENIAL_REASON_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    PER_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    DRAWS_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    SPEND_CAPS_FIELD_NUMBER: _ClassVar[int]
    DECIDE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_CAPS_FIELD_NUMBER: _ClassVar[int]
    SHADOW_DENIAL_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_MICROS_FIELD_NUMBER: _ClassVar[int]
    RATE_ID_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_MICROS_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    denial_reason: DenialReason
    credits_micros: int
    price_micros: int
    per_micros: int
    credit_type_id: str
    contract_id: str
    draws: _containers.RepeatedCompositeFieldContainer[Draw]
    grants: _containers.RepeatedCompositeFieldContainer[Grant]
    spend_caps: _containers.RepeatedCompositeFieldContainer[SpendCapUse]
    decide_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    concurrency_caps: _containers.RepeatedCompositeFieldContainer[ConcurrencyCapUse]
    shadow_denial: ShadowDenial
    available_micros: int
    rate_id: str
    lines: _containers.RepeatedCompositeFieldContainer[DecisionLine]
    overage_micros: int
    def __init__(self, decision: _Optional[_Union[Decision, str]] = ..., denial_reason: _Optional[_Union[DenialReason, str]] = ..., credits_micros: _Optional[int] = ..., price_micros: _Optional[int] = ..., per_micros: _Optional[int] = ..., credit_type_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., draws: _Optional[_Iterable[_Union[Draw, _Mapping]]] = ..., grants: _Optional[_Iterable[_Union[Grant, _Mapping]]] = ..., spend_caps: _Optional[_Iterable[_Union[SpendCapUse, _Mapping]]] = ..., decide_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., concurrency_caps: _Optional[_Iterable[_Union[ConcurrencyCapUse, _Mapping]]] = ..., shadow_denial: _Optional[_Union[ShadowDenial, _Mapping]] = ..., available_micros: _Optional[int] = ..., rate_id: _Optional[str] = ..., lines: _Optional[_Iterable[_Union[DecisionLine, _Mapping]]] = ..., overage_micros: _Optional[int] = ...) -> None: ...

class AuthorizeBatchRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[AuthorizeRequest]
    def __init__(self, items: _Optional[_Iterable[_Union[AuthorizeRequest, _Mapping]]] = ...) -> None: ...

class AuthorizeBatchResult(_message.Message):
    __slots__ = ("response", "error")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    response: AuthorizeResponse
    error: _status_pb2.Status
    def __init__(self, response: _Optional[_Union[AuthorizeResponse, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class AuthorizeBatchResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[AuthorizeBatchResult]
    def __init__(self, results: _Optional[_Iterable[_Union[AuthorizeBatchResult, _Mapping]]] = ...) -> None: ...

class CaptureBatchRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[CaptureRequest]
    def __init__(self, items: _Optional[_Iterable[_Union[CaptureRequest, _Mapping]]] = ...) -> None: ...

class CaptureBatchResult(_message.Message):
    __slots__ = ("response", "error")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    response: CaptureResponse
    error: _status_pb2.Status
    def __init__(self, response: _Optional[_Union[CaptureResponse, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class CaptureBatchResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[CaptureBatchResult]
    def __init__(self, results: _Optional[_Iterable[_Union[CaptureBatchResult, _Mapping]]] = ...) -> None: ...

class DebitBatchRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[DebitRequest]
    def __init__(self, items: _Optional[_Iterable[_Union[DebitRequest, _Mapping]]] = ...) -> None: ...

class DebitBatchResult(_message.Message):
    __slots__ = ("response", "error")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    response: DebitResponse
    error: _status_pb2.Status
    def __init__(self, response: _Optional[_Union[DebitResponse, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class DebitBatchResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[DebitBatchResult]
    def __init__(self, results: _Optional[_Iterable[_Union[DebitBatchResult, _Mapping]]] = ...) -> None: ...

class LeaseRequest(_message.Message):
    __slots__ = ("request_id", "customer", "product_id", "credits_micros", "group_values", "ttl")
    class GroupValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUES_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    product_id: str
    credits_micros: int
    group_values: _containers.ScalarMap[str, str]
    ttl: _duration_pb2.Duration
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., product_id: _Optional[str] = ..., credits_micros: _Optional[int] = ..., group_values: _Optional[_Mapping[str, str]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class LeasePrice(_message.Message):
    __slots__ = ("properties", "price_micros", "per_micros")
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    PER_MICROS_FIELD_NUMBER: _ClassVar[int]
    properties: _containers.ScalarMap[str, str]
    price_micros: int
    per_micros: int
    def __init__(self, properties: _Optional[_Mapping[str, str]] = ..., price_micros: _Optional[int] = ..., per_micros: _Optional[int] = ...) -> None: ...

class LeaseResponse(_message.Message):
    __slots__ = ("decision", "denial_reason", "lease_id", "leased_micros", "expire_time", "ttl", "credit_type_id", "available_micros", "prices", "capped_keys", "reached_cap")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    DENIAL_REASON_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    LEASED_MICROS_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    CAPPED_KEYS_FIELD_NUMBER: _ClassVar[int]
    REACHED_CAP_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    denial_reason: DenialReason
    lease_id: str
    leased_micros: int
    expire_time: _timestamp_pb2.Timestamp
    ttl: _duration_pb2.Duration
    credit_type_id: str
    available_micros: int
    prices: _containers.RepeatedCompositeFieldContainer[LeasePrice]
    capped_keys: _containers.RepeatedScalarFieldContainer[str]
    reached_cap: SpendCapUse
    def __init__(self, decision: _Optional[_Union[Decision, str]] = ..., denial_reason: _Optional[_Union[DenialReason, str]] = ..., lease_id: _Optional[str] = ..., leased_micros: _Optional[int] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., credit_type_id: _Optional[str] = ..., available_micros: _Optional[int] = ..., prices: _Optional[_Iterable[_Union[LeasePrice, _Mapping]]] = ..., capped_keys: _Optional[_Iterable[str]] = ..., reached_cap: _Optional[_Union[SpendCapUse, _Mapping]] = ...) -> None: ...

class LeaseUse(_message.Message):
    __slots__ = ("request_id", "quantity_micros", "credits_micros", "group_values", "properties", "use_time")
    class GroupValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUES_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    USE_TIME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    quantity_micros: int
    credits_micros: int
    group_values: _containers.ScalarMap[str, str]
    properties: _containers.ScalarMap[str, str]
    use_time: _timestamp_pb2.Timestamp
    def __init__(self, request_id: _Optional[str] = ..., quantity_micros: _Optional[int] = ..., credits_micros: _Optional[int] = ..., group_values: _Optional[_Mapping[str, str]] = ..., properties: _Optional[_Mapping[str, str]] = ..., use_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class LeaseUseResult(_message.Message):
    __slots__ = ("captured_micros", "overage_micros", "shortfall_micros", "is_late", "error")
    CAPTURED_MICROS_FIELD_NUMBER: _ClassVar[int]
    OVERAGE_MICROS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_MICROS_FIELD_NUMBER: _ClassVar[int]
    IS_LATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    captured_micros: int
    overage_micros: int
    shortfall_micros: int
    is_late: bool
    error: _status_pb2.Status
    def __init__(self, captured_micros: _Optional[int] = ..., overage_micros: _Optional[int] = ..., shortfall_micros: _Optional[int] = ..., is_late: _Optional[bool] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class LeaseRenewal(_message.Message):
    __slots__ = ("credits_micros", "ttl")
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    credits_micros: int
    ttl: _duration_pb2.Duration
    def __init__(self, credits_micros: _Optional[int] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SettleLeaseRequest(_message.Message):
    __slots__ = ("request_id", "customer", "lease_id", "uses", "renewal")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    RENEWAL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    lease_id: str
    uses: _containers.RepeatedCompositeFieldContainer[LeaseUse]
    renewal: LeaseRenewal
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., lease_id: _Optional[str] = ..., uses: _Optional[_Iterable[_Union[LeaseUse, _Mapping]]] = ..., renewal: _Optional[_Union[LeaseRenewal, _Mapping]] = ...) -> None: ...

class SettleLeaseResponse(_message.Message):
    __slots__ = ("results", "decision", "denial_reason", "leased_micros", "expire_time", "ttl", "credit_type_id", "available_micros", "prices", "capped_keys")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    DENIAL_REASON_FIELD_NUMBER: _ClassVar[int]
    LEASED_MICROS_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    CAPPED_KEYS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[LeaseUseResult]
    decision: Decision
    denial_reason: DenialReason
    leased_micros: int
    expire_time: _timestamp_pb2.Timestamp
    ttl: _duration_pb2.Duration
    credit_type_id: str
    available_micros: int
    prices: _containers.RepeatedCompositeFieldContainer[LeasePrice]
    capped_keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, results: _Optional[_Iterable[_Union[LeaseUseResult, _Mapping]]] = ..., decision: _Optional[_Union[Decision, str]] = ..., denial_reason: _Optional[_Union[DenialReason, str]] = ..., leased_micros: _Optional[int] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., credit_type_id: _Optional[str] = ..., available_micros: _Optional[int] = ..., prices: _Optional[_Iterable[_Union[LeasePrice, _Mapping]]] = ..., capped_keys: _Optional[_Iterable[str]] = ...) -> None: ...

class EndLeaseRequest(_message.Message):
    __slots__ = ("request_id", "customer", "lease_id", "uses")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    lease_id: str
    uses: _containers.RepeatedCompositeFieldContainer[LeaseUse]
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., lease_id: _Optional[str] = ..., uses: _Optional[_Iterable[_Union[LeaseUse, _Mapping]]] = ...) -> None: ...

class EndLeaseResponse(_message.Message):
    __slots__ = ("results", "released_micros", "credit_type_id", "available_micros")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    RELEASED_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_MICROS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[LeaseUseResult]
    released_micros: int
    credit_type_id: str
    available_micros: int
    def __init__(self, results: _Optional[_Iterable[_Union[LeaseUseResult, _Mapping]]] = ..., released_micros: _Optional[int] = ..., credit_type_id: _Optional[str] = ..., available_micros: _Optional[int] = ...) -> None: ...
