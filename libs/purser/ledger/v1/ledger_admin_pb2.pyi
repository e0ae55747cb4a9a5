import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from purser.access.v1 import access_pb2 as _access_pb2
from purser.ledger.v1 import ledger_pb2 as _ledger_pb2
from purser.type.v1 import billing_period_pb2 as _billing_period_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CopyKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COPY_KIND_UNSPECIFIED: _ClassVar[CopyKind]
    COPY_KIND_CUSTOMER: _ClassVar[CopyKind]
    COPY_KIND_PRODUCT: _ClassVar[CopyKind]
    COPY_KIND_RATE_CARD: _ClassVar[CopyKind]
    COPY_KIND_CONTRACT: _ClassVar[CopyKind]
    COPY_KIND_WATCH: _ClassVar[CopyKind]
    COPY_KIND_SEAT_CHANGE: _ClassVar[CopyKind]

class CapWindow(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAP_WINDOW_UNSPECIFIED: _ClassVar[CapWindow]
    CAP_WINDOW_BILLING_PERIOD: _ClassVar[CapWindow]
    CAP_WINDOW_DAY: _ClassVar[CapWindow]
    CAP_WINDOW_WEEK: _ClassVar[CapWindow]
    CAP_WINDOW_MONTH: _ClassVar[CapWindow]
    CAP_WINDOW_ROLLING: _ClassVar[CapWindow]

class DebtEntryKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEBT_ENTRY_KIND_UNSPECIFIED: _ClassVar[DebtEntryKind]
    DEBT_ENTRY_KIND_REFUND: _ClassVar[DebtEntryKind]
    DEBT_ENTRY_KIND_RECOVERY: _ClassVar[DebtEntryKind]
    DEBT_ENTRY_KIND_REVERSAL: _ClassVar[DebtEntryKind]

class EntryKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENTRY_KIND_UNSPECIFIED: _ClassVar[EntryKind]
    ENTRY_KIND_GRANT: _ClassVar[EntryKind]
    ENTRY_KIND_SEAT_ADJUSTMENT: _ClassVar[EntryKind]
    ENTRY_KIND_CAPTURE: _ClassVar[EntryKind]
    ENTRY_KIND_EXPIRY: _ClassVar[EntryKind]
    ENTRY_KIND_VOID: _ClassVar[EntryKind]
    ENTRY_KIND_SHORTFALL: _ClassVar[EntryKind]
    ENTRY_KIND_UNCHARGED: _ClassVar[EntryKind]
    ENTRY_KIND_REINSTATEMENT: _ClassVar[EntryKind]
    ENTRY_KIND_CORRECTION: _ClassVar[EntryKind]
    ENTRY_KIND_OVERAGE: _ClassVar[EntryKind]
    ENTRY_KIND_OVERAGE_CORRECTION: _ClassVar[EntryKind]

class HoldState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HOLD_STATE_UNSPECIFIED: _ClassVar[HoldState]
    HOLD_STATE_HELD: _ClassVar[HoldState]
    HOLD_STATE_CAPTURED: _ClassVar[HoldState]
    HOLD_STATE_RELEASED: _ClassVar[HoldState]
    HOLD_STATE_EXPIRED: _ClassVar[HoldState]

class SummaryWindow(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUMMARY_WINDOW_UNSPECIFIED: _ClassVar[SummaryWindow]
    SUMMARY_WINDOW_PERIOD: _ClassVar[SummaryWindow]
    SUMMARY_WINDOW_DAY: _ClassVar[SummaryWindow]
    SUMMARY_WINDOW_HOUR: _ClassVar[SummaryWindow]
COPY_KIND_UNSPECIFIED: CopyKind
COPY_KIND_CUSTOMER: CopyKind
COPY_KIND_PRODUCT: CopyKind
COPY_KIND_RATE_CARD: CopyKind
COPY_KIND_CONTRACT: CopyKind
COPY_KIND_WATCH: CopyKind
COPY_KIND_SEAT_CHANGE: CopyKind
CAP_WINDOW_UNSPECIFIED: CapWindow
CAP_WINDOW_BILLING_PERIOD: CapWindow
CAP_WINDOW_DAY: CapWindow
CAP_WINDOW_WEEK: CapWindow
CAP_WINDOW_MONTH: CapWindow
CAP_WINDOW_ROLLING: CapWindow
DEBT_ENTRY_KIND_UNSPECIFIED: DebtEntryKind
DEBT_ENTRY_KIND_REFUND: DebtEntryKind
DEBT_ENTRY_KIND_RECOVERY: DebtEntryKind
DEBT_ENTRY_KIND_REVERSAL: DebtEntryKind
ENTRY_KIND_UNSPECIFIED: EntryKind
ENTRY_KIND_GRANT: EntryKind
ENTRY_KIND_SEAT_ADJUSTMENT: EntryKind
ENTRY_KIND_CAPTURE: EntryKind
ENTRY_KIND_EXPIRY: EntryKind
ENTRY_KIND_VOID: EntryKind
ENTRY_KIND_SHORTFALL: EntryKind
ENTRY_KIND_UNCHARGED: EntryKind
ENTRY_KIND_REINSTATEMENT: EntryKind
ENTRY_KIND_CORRECTION: EntryKind
ENTRY_KIND_OVERAGE: EntryKind
ENTRY_KIND_OVERAGE_CORRECTION: EntryKind
HOLD_STATE_UNSPECIFIED: HoldState
HOLD_STATE_HELD: HoldState
HOLD_STATE_CAPTURED: HoldState
HOLD_STATE_RELEASED: HoldState
HOLD_STATE_EXPIRED: HoldState
SUMMARY_WINDOW_UNSPECIFIED: SummaryWindow
SUMMARY_WINDOW_PERIOD: SummaryWindow
SUMMARY_WINDOW_DAY: SummaryWindow
SUMMARY_WINDOW_HOUR: SummaryWindow

class RepairCopyRequest(_message.Message):
    __slots__ = ("request_id", "copy_kind", "copy_id", "customer_id", "subscription_id", "reason", "actor")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    COPY_KIND_FIELD_NUMBER: _ClassVar[int]
    COPY_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    copy_kind: CopyKind
    copy_id: str
    customer_id: str
    subscription_id: str
    reason: str
    actor: str
    def __init__(self, request_id: _Optional[str] = ..., copy_kind: _Optional[_Union[CopyKind, str]] = ..., copy_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class RepairCopyResponse(_message.Message):
    __slots__ = ("number_before",)
    NUMBER_BEFORE_FIELD_NUMBER: _ClassVar[int]
    number_before: int
    def __init__(self, number_before: _Optional[int] = ...) -> None: ...

class IssueGrantRequest(_message.Message):
    __slots__ = ("request_id", "customer", "credit_type_id", "grant_kind", "product_id", "amount_micros", "cost_basis_micros", "priority", "effective_time", "expire_time", "scope_product_ids", "source_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    GRANT_KIND_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    COST_BASIS_MICROS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    SCOPE_PRODUCT_IDS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    credit_type_id: str
    grant_kind: _ledger_pb2.GrantKind
    product_id: str
    amount_micros: int
    cost_basis_micros: int
    priority: int
    effective_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    scope_product_ids: _containers.RepeatedScalarFieldContainer[str]
    source_id: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., grant_kind: _Optional[_Union[_ledger_pb2.GrantKind, str]] = ..., product_id: _Optional[str] = ..., amount_micros: _Optional[int] = ..., cost_basis_micros: _Optional[int] = ..., priority: _Optional[int] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., scope_product_ids: _Optional[_Iterable[str]] = ..., source_id: _Optional[str] = ...) -> None: ...

class IssueGrantResponse(_message.Message):
    __slots__ = ("grant",)
    GRANT_FIELD_NUMBER: _ClassVar[int]
    grant: _ledger_pb2.Grant
    def __init__(self, grant: _Optional[_Union[_ledger_pb2.Grant, _Mapping]] = ...) -> None: ...

class VoidGrantRequest(_message.Message):
    __slots__ = ("request_id", "customer", "grant_id", "reason", "actor")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    grant_id: str
    reason: str
    actor: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., grant_id: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class VoidGrantResponse(_message.Message):
    __slots__ = ("grant", "voided_micros")
    GRANT_FIELD_NUMBER: _ClassVar[int]
    VOIDED_MICROS_FIELD_NUMBER: _ClassVar[int]
    grant: _ledger_pb2.Grant
    voided_micros: int
    def __init__(self, grant: _Optional[_Union[_ledger_pb2.Grant, _Mapping]] = ..., voided_micros: _Optional[int] = ...) -> None: ...

class SpendCap(_message.Message):
    __slots__ = ("spend_cap_id", "customer_id", "credit_type_id", "group_key", "group_value", "limit_micros", "window", "create_time", "window_hours", "scope", "product_id", "owner", "cap_group_id", "is_shadow")
    SPEND_CAP_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_MICROS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    WINDOW_HOURS_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    CAP_GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    IS_SHADOW_FIELD_NUMBER: _ClassVar[int]
    spend_cap_id: str
    customer_id: str
    credit_type_id: str
    group_key: str
    group_value: str
    limit_micros: int
    window: CapWindow
    create_time: _timestamp_pb2.Timestamp
    window_hours: int
    scope: _ledger_pb2.CapScope
    product_id: str
    owner: _ledger_pb2.CapOwner
    cap_group_id: str
    is_shadow: bool
    def __init__(self, spend_cap_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., group_key: _Optional[str] = ..., group_value: _Optional[str] = ..., limit_micros: _Optional[int] = ..., window: _Optional[_Union[CapWindow, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., window_hours: _Optional[int] = ..., scope: _Optional[_Union[_ledger_pb2.CapScope, str]] = ..., product_id: _Optional[str] = ..., owner: _Optional[_Union[_ledger_pb2.CapOwner, str]] = ..., cap_group_id: _Optional[str] = ..., is_shadow: _Optional[bool] = ...) -> None: ...

class SetSpendCapRequest(_message.Message):
    __slots__ = ("request_id", "customer", "credit_type_id", "group_key", "group_value", "limit_micros", "window", "window_hours", "scope", "product_id", "cap_group_id", "is_shadow")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_MICROS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    WINDOW_HOURS_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CAP_GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    IS_SHADOW_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    credit_type_id: str
    group_key: str
    group_value: str
    limit_micros: int
    window: CapWindow
    window_hours: int
    scope: _ledger_pb2.CapScope
    product_id: str
    cap_group_id: str
    is_shadow: bool
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., group_key: _Optional[str] = ..., group_value: _Optional[str] = ..., limit_micros: _Optional[int] = ..., window: _Optional[_Union[CapWindow, str]] = ..., window_hours: _Optional[int] = ..., scope: _Optional[_Union[_ledger_pb2.CapScope, str]] = ..., product_id: _Optional[str] = ..., cap_group_id: _Optional[str] = ..., is_shadow: _Optional[bool] = ...) -> None: ...

class SetSpendCapResponse(_message.Message):
    __slots__ = ("spend_cap",)
    SPEND_CAP_FIELD_NUMBER: _ClassVar[int]
    spend_cap: SpendCap
    def __init__(self, spend_cap: _Optional[_Union[SpendCap, _Mapping]] = ...) -> None: ...

class RemoveSpendCapRequest(_message.Message):
    __slots__ = ("request_id", "customer", "spend_cap_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    SPEND_CAP_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    spend_cap_id: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., spend_cap_id: _Optional[str] = ...) -> None: ...

class RemoveSpendCapResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CapGroup(_message.Message):
    __slots__ = ("cap_group_id", "customer_id", "name", "group_key", "size", "create_time")
    CAP_GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    cap_group_id: str
    customer_id: str
    name: str
    group_key: str
    size: int
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, cap_group_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., name: _Optional[str] = ..., group_key: _Optional[str] = ..., size: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SetCapGroupRequest(_message.Message):
    __slots__ = ("request_id", "customer", "cap_group_id", "name", "group_key", "group_values")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    CAP_GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    cap_group_id: str
    name: str
    group_key: str
    group_values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., cap_group_id: _Optional[str] = ..., name: _Optional[str] = ..., group_key: _Optional[str] = ..., group_values: _Optional[_Iterable[str]] = ...) -> None: ...

class SetCapGroupResponse(_message.Message):
    __slots__ = ("cap_group",)
    CAP_GROUP_FIELD_NUMBER: _ClassVar[int]
    cap_group: CapGroup
    def __init__(self, cap_group: _Optional[_Union[CapGroup, _Mapping]] = ...) -> None: ...

class RemoveCapGroupRequest(_message.Message):
    __slots__ = ("request_id", "customer", "cap_group_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    CAP_GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    cap_group_id: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., cap_group_id: _Optional[str] = ...) -> None: ...

class RemoveCapGroupResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCapGroupRequest(_message.Message):
    __slots__ = ("customer", "cap_group_id")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    CAP_GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    customer: str
    cap_group_id: str
    def __init__(self, customer: _Optional[str] = ..., cap_group_id: _Optional[str] = ...) -> None: ...

class GetCapGroupResponse(_message.Message):
    __slots__ = ("cap_group", "group_values")
    CAP_GROUP_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUES_FIELD_NUMBER: _ClassVar[int]
    cap_group: CapGroup
    group_values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cap_group: _Optional[_Union[CapGroup, _Mapping]] = ..., group_values: _Optional[_Iterable[str]] = ...) -> None: ...

class ListCapGroupsRequest(_message.Message):
    __slots__ = ("customer", "page_size", "page_token")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer: str
    page_size: int
    page_token: str
    def __init__(self, customer: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCapGroupsResponse(_message.Message):
    __slots__ = ("cap_groups", "next_page_token")
    CAP_GROUPS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    cap_groups: _containers.RepeatedCompositeFieldContainer[CapGroup]
    next_page_token: str
    def __init__(self, cap_groups: _Optional[_Iterable[_Union[CapGroup, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SetTimeZoneRequest(_message.Message):
    __slots__ = ("request_id", "customer", "time_zone")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    time_zone: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., time_zone: _Optional[str] = ...) -> None: ...

class SetTimeZoneResponse(_message.Message):
    __slots__ = ("customer_id", "time_zone")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    time_zone: str
    def __init__(self, customer_id: _Optional[str] = ..., time_zone: _Optional[str] = ...) -> None: ...

class ListSpendCapsRequest(_message.Message):
    __slots__ = ("customer", "page_size", "page_token")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer: str
    page_size: int
    page_token: str
    def __init__(self, customer: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSpendCapsResponse(_message.Message):
    __slots__ = ("spend_caps", "next_page_token", "time_zone")
    SPEND_CAPS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    spend_caps: _containers.RepeatedCompositeFieldContainer[SpendCap]
    next_page_token: str
    time_zone: str
    def __init__(self, spend_caps: _Optional[_Iterable[_Union[SpendCap, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., time_zone: _Optional[str] = ...) -> None: ...

class ConcurrencyCap(_message.Message):
    __slots__ = ("concurrency_cap_id", "customer_id", "credit_type_id", "group_key", "group_value", "product_id", "holds_max", "create_time", "is_shadow")
    CONCURRENCY_CAP_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    HOLDS_MAX_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    IS_SHADOW_FIELD_NUMBER: _ClassVar[int]
    concurrency_cap_id: str
    customer_id: str
    credit_type_id: str
    group_key: str
    group_value: str
    product_id: str
    holds_max: int
    create_time: _timestamp_pb2.Timestamp
    is_shadow: bool
    def __init__(self, concurrency_cap_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., group_key: _Optional[str] = ..., group_value: _Optional[str] = ..., product_id: _Optional[str] = ..., holds_max: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., is_shadow: _Optional[bool] = ...) -> None: ...

class SetConcurrencyCapRequest(_message.Message):
    __slots__ = ("request_id", "customer", "credit_type_id", "group_key", "product_id", "group_value", "holds_max", "is_shadow")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    HOLDS_MAX_FIELD_NUMBER: _ClassVar[int]
    IS_SHADOW_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    credit_type_id: str
    group_key: str
    product_id: str
    group_value: str
    holds_max: int
    is_shadow: bool
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., group_key: _Optional[str] = ..., product_id: _Optional[str] = ..., group_value: _Optional[str] = ..., holds_max: _Optional[int] = ..., is_shadow: _Optional[bool] = ...) -> None: ...

class SetConcurrencyCapResponse(_message.Message):
    __slots__ = ("concurrency_cap",)
    CONCURRENCY_CAP_FIELD_NUMBER: _ClassVar[int]
    concurrency_cap: ConcurrencyCap
    def __init__(self, concurrency_cap: _Optional[_Union[ConcurrencyCap, _Mapping]] = ...) -> None: ...

class RemoveConcurrencyCapRequest(_message.Message):
    __slots__ = ("request_id", "customer", "concurrency_cap_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_CAP_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    concurrency_cap_id: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., concurrency_cap_id: _Optional[str] = ...) -> None: ...

class RemoveConcurrencyCapResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListConcurrencyCapsRequest(_message.Message):
    __slots__ = ("customer", "page_size", "page_token")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer: str
    page_size: int
    page_token: str
    def __init__(self, customer: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListConcurrencyCapsResponse(_message.Message):
    __slots__ = ("concurrency_caps", "next_page_token")
    CONCURRENCY_CAPS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    concurrency_caps: _containers.RepeatedCompositeFieldContainer[ConcurrencyCap]
    next_page_token: str
    def __init__(self, concurrency_caps: _Optional[_Iterable[_Union[ConcurrencyCap, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ShadowMode(_message.Message):
    __slots__ = ("customer_id", "product_id", "is_on", "update_time")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    IS_ON_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    product_id: str
    is_on: bool
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, customer_id: _Optional[str] = ..., product_id: _Optional[str] = ..., is_on: _Optional[bool] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SetShadowModeRequest(_message.Message):
    __slots__ = ("request_id", "customer", "product_id", "is_on")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    IS_ON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    product_id: str
    is_on: bool
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., product_id: _Optional[str] = ..., is_on: _Optional[bool] = ...) -> None: ...

class SetShadowModeResponse(_message.Message):
    __slots__ = ("shadow_mode",)
    SHADOW_MODE_FIELD_NUMBER: _ClassVar[int]
    shadow_mode: ShadowMode
    def __init__(self, shadow_mode: _Optional[_Union[ShadowMode, _Mapping]] = ...) -> None: ...

class ListShadowModesRequest(_message.Message):
    __slots__ = ("customer",)
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    customer: str
    def __init__(self, customer: _Optional[str] = ...) -> None: ...

class ListShadowModesResponse(_message.Message):
    __slots__ = ("shadow_modes",)
    SHADOW_MODES_FIELD_NUMBER: _ClassVar[int]
    shadow_modes: _containers.RepeatedCompositeFieldContainer[ShadowMode]
    def __init__(self, shadow_modes: _Optional[_Iterable[_Union[ShadowMode, _Mapping]]] = ...) -> None: ...

class ShadowDenials(_message.Message):
    __slots__ = ("customer_id", "day", "credit_type_id", "denial_reason", "cap_id", "product_id", "group_key", "group_value", "denials", "credits_micros", "first_time", "last_time")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    DENIAL_REASON_FIELD_NUMBER: _ClassVar[int]
    CAP_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    DENIALS_FIELD_NUMBER: _ClassVar[int]
    CREDITS_MICROS_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    day: _timestamp_pb2.Timestamp
    credit_type_id: str
    denial_reason: _ledger_pb2.DenialReason
    cap_id: str
    product_id: str
    group_key: str
    group_value: str
    denials: int
    credits_micros: int
    first_time: _timestamp_pb2.Timestamp
    last_time: _timestamp_pb2.Timestamp
    def __init__(self, customer_id: _Optional[str] = ..., day: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., credit_type_id: _Optional[str] = ..., denial_reason: _Optional[_Union[_ledger_pb2.DenialReason, str]] = ..., cap_id: _Optional[str] = ..., product_id: _Optional[str] = ..., group_key: _Optional[str] = ..., group_value: _Optional[str] = ..., denials: _Optional[int] = ..., credits_micros: _Optional[int] = ..., first_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListShadowDenialsRequest(_message.Message):
    __slots__ = ("customer", "start_time", "end_time", "page_size", "page_token")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, customer: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListShadowDenialsResponse(_message.Message):
    __slots__ = ("shadow_denials", "next_page_token")
    SHADOW_DENIALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    shadow_denials: _containers.RepeatedCompositeFieldContainer[ShadowDenials]
    next_page_token: str
    def __init__(self, shadow_denials: _Optional[_Iterable[_Union[ShadowDenials, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListGrantsRequest(_message.Message):
    __slots__ = ("customer", "credit_type_id", "page_size", "page_token")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer: str
    credit_type_id: str
    page_size: int
    page_token: str
    def __init__(self, customer: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSeatBalancesRequest(_message.Message):
    __slots__ = ("customer", "subscription_id", "page_size", "page_token")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer: str
    subscription_id: str
    page_size: int
    page_token: str
    def __init__(self, customer: _Optional[str] = ..., subscription_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSeatBalancesResponse(_message.Message):
    __slots__ = ("seats", "next_page_token", "as_of_time")
    SEATS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    seats: _containers.RepeatedCompositeFieldContainer[_ledger_pb2.SeatBalance]
    next_page_token: str
    as_of_time: _timestamp_pb2.Timestamp
    def __init__(self, seats: _Optional[_Iterable[_Union[_ledger_pb2.SeatBalance, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListDebtsRequest(_message.Message):
    __slots__ = ("customer", "page_size", "page_token")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer: str
    page_size: int
    page_token: str
    def __init__(self, customer: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class Debt(_message.Message):
    __slots__ = ("grant_id", "source_id", "credit_type_id", "owed_micros", "owed_money_micros", "currency_code")
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    OWED_MICROS_FIELD_NUMBER: _ClassVar[int]
    OWED_MONEY_MICROS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    grant_id: str
    source_id: str
    credit_type_id: str
    owed_micros: int
    owed_money_micros: int
    currency_code: str
    def __init__(self, grant_id: _Optional[str] = ..., source_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., owed_micros: _Optional[int] = ..., owed_money_micros: _Optional[int] = ..., currency_code: _Optional[str] = ...) -> None: ...

class DebtEntry(_message.Message):
    __slots__ = ("debt_entry_id", "kind", "grant_id", "credit_type_id", "refund_id", "to_void_micros", "refunded_micros", "recovered_micros", "taken_micros", "given_back_micros", "other_grant_id", "currency_code", "create_time")
    DEBT_ENTRY_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    REFUND_ID_FIELD_NUMBER: _ClassVar[int]
    TO_VOID_MICROS_FIELD_NUMBER: _ClassVar[int]
    REFUNDED_MICROS_FIELD_NUMBER: _ClassVar[int]
    RECOVERED_MICROS_FIELD_NUMBER: _ClassVar[int]
    TAKEN_MICROS_FIELD_NUMBER: _ClassVar[int]
    GIVEN_BACK_MICROS_FIELD_NUMBER: _ClassVar[int]
    OTHER_GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    debt_entry_id: str
    kind: DebtEntryKind
    grant_id: str
    credit_type_id: str
    refund_id: str
    to_void_micros: int
    refunded_micros: int
    recovered_micros: int
    taken_micros: int
    given_back_micros: int
    other_grant_id: str
    currency_code: str
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, debt_entry_id: _Optional[str] = ..., kind: _Optional[_Union[DebtEntryKind, str]] = ..., grant_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., refund_id: _Optional[str] = ..., to_void_micros: _Optional[int] = ..., refunded_micros: _Optional[int] = ..., recovered_micros: _Optional[int] = ..., taken_micros: _Optional[int] = ..., given_back_micros: _Optional[int] = ..., other_grant_id: _Optional[str] = ..., currency_code: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListDebtsResponse(_message.Message):
    __slots__ = ("debts", "entries", "next_page_token")
    DEBTS_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    debts: _containers.RepeatedCompositeFieldContainer[Debt]
    entries: _containers.RepeatedCompositeFieldContainer[DebtEntry]
    next_page_token: str
    def __init__(self, debts: _Optional[_Iterable[_Union[Debt, _Mapping]]] = ..., entries: _Optional[_Iterable[_Union[DebtEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListGrantsResponse(_message.Message):
    __slots__ = ("grants", "next_page_token")
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    grants: _containers.RepeatedCompositeFieldContainer[_ledger_pb2.Grant]
    next_page_token: str
    def __init__(self, grants: _Optional[_Iterable[_Union[_ledger_pb2.Grant, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("sequence", "credit_type_id", "grant_id", "entry_kind", "amount_micros", "shortfall_micros", "effective_time", "create_time", "hold_id", "product_id", "group_values", "cause_id", "contract_id", "quantity_micros", "transaction_id", "corrects_sequence", "subject")
    class GroupValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    ENTRY_KIND_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_MICROS_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUES_FIELD_NUMBER: _ClassVar[int]
    CAUSE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_MICROS_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_ID_FIELD_NUMBER: _ClassVar[int]
    CORRECTS_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    credit_type_id: str
    grant_id: str
    entry_kind: EntryKind
    amount_micros: int
    shortfall_micros: int
    effective_time: _timestamp_pb2.Timestamp
    create_time: _timestamp_pb2.Timestamp
    hold_id: str
    product_id: str
    group_values: _containers.ScalarMap[str, str]
    cause_id: str
    contract_id: str
    quantity_micros: int
    transaction_id: str
    corrects_sequence: int
    subject: str
    def __init__(self, sequence: _Optional[int] = ..., credit_type_id: _Optional[str] = ..., grant_id: _Optional[str] = ..., entry_kind: _Optional[_Union[EntryKind, str]] = ..., amount_micros: _Optional[int] = ..., shortfall_micros: _Optional[int] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., hold_id: _Optional[str] = ..., product_id: _Optional[str] = ..., group_values: _Optional[_Mapping[str, str]] = ..., cause_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., quantity_micros: _Optional[int] = ..., transaction_id: _Optional[str] = ..., corrects_sequence: _Optional[int] = ..., subject: _Optional[str] = ...) -> None: ...

class ListEntriesRequest(_message.Message):
    __slots__ = ("customer", "credit_type_id", "grant_id", "page_size", "page_token")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer: str
    credit_type_id: str
    grant_id: str
    page_size: int
    page_token: str
    def __init__(self, customer: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., grant_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListEntriesResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Hold(_message.Message):
    __slots__ = ("hold_id", "credit_type_id", "product_id", "hold_state", "amount_micros", "captured_micros", "group_values", "create_time", "expire_time", "lines", "subject")
    class GroupValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    HOLD_STATE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    CAPTURED_MICROS_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    hold_id: str
    credit_type_id: str
    product_id: str
    hold_state: HoldState
    amount_micros: int
    captured_micros: int
    group_values: _containers.ScalarMap[str, str]
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    lines: _containers.RepeatedCompositeFieldContainer[_ledger_pb2.LineResult]
    subject: str
    def __init__(self, hold_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., product_id: _Optional[str] = ..., hold_state: _Optional[_Union[HoldState, str]] = ..., amount_micros: _Optional[int] = ..., captured_micros: _Optional[int] = ..., group_values: _Optional[_Mapping[str, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., lines: _Optional[_Iterable[_Union[_ledger_pb2.LineResult, _Mapping]]] = ..., subject: _Optional[str] = ...) -> None: ...

class ListHoldsRequest(_message.Message):
    __slots__ = ("customer", "hold_state", "page_size", "page_token", "hold_id")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    HOLD_STATE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    customer: str
    hold_state: HoldState
    page_size: int
    page_token: str
    hold_id: str
    def __init__(self, customer: _Optional[str] = ..., hold_state: _Optional[_Union[HoldState, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., hold_id: _Optional[str] = ...) -> None: ...

class ListHoldsResponse(_message.Message):
    __slots__ = ("holds", "next_page_token")
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    holds: _containers.RepeatedCompositeFieldContainer[Hold]
    next_page_token: str
    def __init__(self, holds: _Optional[_Iterable[_Union[Hold, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ReleaseHoldRequest(_message.Message):
    __slots__ = ("request_id", "customer", "hold_id", "reason", "actor")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    hold_id: str
    reason: str
    actor: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., hold_id: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class ReleaseHoldResponse(_message.Message):
    __slots__ = ("released_micros", "credit_type_id", "available_micros")
    RELEASED_MICROS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_MICROS_FIELD_NUMBER: _ClassVar[int]
    released_micros: int
    credit_type_id: str
    available_micros: int
    def __init__(self, released_micros: _Optional[int] = ..., credit_type_id: _Optional[str] = ..., available_micros: _Optional[int] = ...) -> None: ...

class GetUsageSummaryRequest(_message.Message):
    __slots__ = ("customer", "start_time", "end_time", "group_key", "window")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    GROUP_KEY_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    customer: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    group_key: str
    window: SummaryWindow
    def __init__(self, customer: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., group_key: _Optional[str] = ..., window: _Optional[_Union[SummaryWindow, str]] = ...) -> None: ...

class UsageRow(_message.Message):
    __slots__ = ("window", "product_id", "credit_type_id", "group_value", "captured_micros", "shortfall_micros", "captures")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_VALUE_FIELD_NUMBER: _ClassVar[int]
    CAPTURED_MICROS_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_MICROS_FIELD_NUMBER: _ClassVar[int]
    CAPTURES_FIELD_NUMBER: _ClassVar[int]
    window: _billing_period_pb2.BillingPeriod
    product_id: str
    credit_type_id: str
    group_value: str
    captured_micros: int
    shortfall_micros: int
    captures: int
    def __init__(self, window: _Optional[_Union[_billing_period_pb2.BillingPeriod, _Mapping]] = ..., product_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., group_value: _Optional[str] = ..., captured_micros: _Optional[int] = ..., shortfall_micros: _Optional[int] = ..., captures: _Optional[int] = ...) -> None: ...

class GetUsageSummaryResponse(_message.Message):
    __slots__ = ("rows",)
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[UsageRow]
    def __init__(self, rows: _Optional[_Iterable[_Union[UsageRow, _Mapping]]] = ...) -> None: ...

class VerifyLedgerRequest(_message.Message):
    __slots__ = ("customer",)
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    customer: str
    def __init__(self, customer: _Optional[str] = ...) -> None: ...

class Discrepancy(_message.Message):
    __slots__ = ("customer_id", "credit_type_id", "grant_id", "figure", "stored_micros", "recomputed_micros")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    FIGURE_FIELD_NUMBER: _ClassVar[int]
    STORED_MICROS_FIELD_NUMBER: _ClassVar[int]
    RECOMPUTED_MICROS_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    credit_type_id: str
    grant_id: str
    figure: str
    stored_micros: int
    recomputed_micros: int
    def __init__(self, customer_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., grant_id: _Optional[str] = ..., figure: _Optional[str] = ..., stored_micros: _Optional[int] = ..., recomputed_micros: _Optional[int] = ...) -> None: ...

class VerifyLedgerResponse(_message.Message):
    __slots__ = ("is_consistent", "discrepancies", "pools", "grants", "entries", "holds")
    IS_CONSISTENT_FIELD_NUMBER: _ClassVar[int]
    DISCREPANCIES_FIELD_NUMBER: _ClassVar[int]
    POOLS_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    is_consistent: bool
    discrepancies: _containers.RepeatedCompositeFieldContainer[Discrepancy]
    pools: int
    grants: int
    entries: int
    holds: int
    def __init__(self, is_consistent: _Optional[bool] = ..., discrepancies: _Optional[_Iterable[_Union[Discrepancy, _Mapping]]] = ..., pools: _Optional[int] = ..., grants: _Optional[int] = ..., entries: _Optional[int] = ..., holds: _Optional[int] = ...) -> None: ...

class AdjustBalanceRequest(_message.Message):
    __slots__ = ("request_id", "customer", "credit_type_id", "amount_micros", "expire_time", "reason", "actor")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICROS_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    credit_type_id: str
    amount_micros: int
    expire_time: _timestamp_pb2.Timestamp
    reason: str
    actor: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., amount_micros: _Optional[int] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class AdjustBalanceResponse(_message.Message):
    __slots__ = ("adjusted_micros", "grant_id")
    ADJUSTED_MICROS_FIELD_NUMBER: _ClassVar[int]
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    adjusted_micros: int
    grant_id: str
    def __init__(self, adjusted_micros: _Optional[int] = ..., grant_id: _Optional[str] = ...) -> None: ...
