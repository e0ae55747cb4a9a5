import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from purser.access.v1 import access_pb2 as _access_pb2
from purser.contract.v1 import contract_pb2 as _contract_pb2
from purser.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AutoTopUpStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUTO_TOP_UP_STATUS_UNSPECIFIED: _ClassVar[AutoTopUpStatus]
    AUTO_TOP_UP_STATUS_IDLE: _ClassVar[AutoTopUpStatus]
    AUTO_TOP_UP_STATUS_ASKED: _ClassVar[AutoTopUpStatus]
    AUTO_TOP_UP_STATUS_ORDERED: _ClassVar[AutoTopUpStatus]
    AUTO_TOP_UP_STATUS_BLOCKED: _ClassVar[AutoTopUpStatus]
    AUTO_TOP_UP_STATUS_DISABLED: _ClassVar[AutoTopUpStatus]

class AutoTopUpStopReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUTO_TOP_UP_STOP_REASON_UNSPECIFIED: _ClassVar[AutoTopUpStopReason]
    AUTO_TOP_UP_STOP_REASON_PAYMENT_FAILED: _ClassVar[AutoTopUpStopReason]
    AUTO_TOP_UP_STOP_REASON_ACTION_REQUIRED: _ClassVar[AutoTopUpStopReason]
    AUTO_TOP_UP_STOP_REASON_DAILY_LIMIT: _ClassVar[AutoTopUpStopReason]
    AUTO_TOP_UP_STOP_REASON_MONTHLY_LIMIT: _ClassVar[AutoTopUpStopReason]
    AUTO_TOP_UP_STOP_REASON_CUSTOMER_SUSPENDED: _ClassVar[AutoTopUpStopReason]
    AUTO_TOP_UP_STOP_REASON_CONTRACT_ENDED: _ClassVar[AutoTopUpStopReason]
    AUTO_TOP_UP_STOP_REASON_PACK_UNAVAILABLE: _ClassVar[AutoTopUpStopReason]
    AUTO_TOP_UP_STOP_REASON_BY_REQUEST: _ClassVar[AutoTopUpStopReason]
AUTO_TOP_UP_STATUS_UNSPECIFIED: AutoTopUpStatus
AUTO_TOP_UP_STATUS_IDLE: AutoTopUpStatus
AUTO_TOP_UP_STATUS_ASKED: AutoTopUpStatus
AUTO_TOP_UP_STATUS_ORDERED: AutoTopUpStatus
AUTO_TOP_UP_STATUS_BLOCKED: AutoTopUpStatus
AUTO_TOP_UP_STATUS_DISABLED: AutoTopUpStatus
AUTO_TOP_UP_STOP_REASON_UNSPECIFIED: AutoTopUpStopReason
AUTO_TOP_UP_STOP_REASON_PAYMENT_FAILED: AutoTopUpStopReason
AUTO_TOP_UP_STOP_REASON_ACTION_REQUIRED: AutoTopUpStopReason
AUTO_TOP_UP_STOP_REASON_DAILY_LIMIT: AutoTopUpStopReason
AUTO_TOP_UP_STOP_REASON_MONTHLY_LIMIT: AutoTopUpStopReason
AUTO_TOP_UP_STOP_REASON_CUSTOMER_SUSPENDED: AutoTopUpStopReason
AUTO_TOP_UP_STOP_REASON_CONTRACT_ENDED: AutoTopUpStopReason
AUTO_TOP_UP_STOP_REASON_PACK_UNAVAILABLE: AutoTopUpStopReason
AUTO_TOP_UP_STOP_REASON_BY_REQUEST: AutoTopUpStopReason

class AutoTopUp(_message.Message):
    __slots__ = ("auto_top_up_id", "customer_id", "credit_type_id", "contract_id", "top_up_pack_id", "threshold_micros", "recharge_to_micros", "monthly_limit", "payment_gate", "status", "stop_reason", "until_time", "top_up_id", "failures", "create_time", "update_time")
    AUTO_TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_PACK_ID_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_MICROS_FIELD_NUMBER: _ClassVar[int]
    RECHARGE_TO_MICROS_FIELD_NUMBER: _ClassVar[int]
    MONTHLY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_GATE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STOP_REASON_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    auto_top_up_id: str
    customer_id: str
    credit_type_id: str
    contract_id: str
    top_up_pack_id: str
    threshold_micros: int
    recharge_to_micros: int
    monthly_limit: _money_pb2.Money
    payment_gate: _contract_pb2.PaymentGate
    status: AutoTopUpStatus
    stop_reason: AutoTopUpStopReason
    until_time: _timestamp_pb2.Timestamp
    top_up_id: str
    failures: int
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, auto_top_up_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., top_up_pack_id: _Optional[str] = ..., threshold_micros: _Optional[int] = ..., recharge_to_micros: _Optional[int] = ..., monthly_limit: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., payment_gate: _Optional[_Union[_contract_pb2.PaymentGate, str]] = ..., status: _Optional[_Union[AutoTopUpStatus, str]] = ..., stop_reason: _Optional[_Union[AutoTopUpStopReason, str]] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., top_up_id: _Optional[str] = ..., failures: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SetAutoTopUpRequest(_message.Message):
    __slots__ = ("request_id", "contract_id", "top_up_pack_id", "threshold_micros", "recharge_to_micros", "monthly_limit")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_PACK_ID_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_MICROS_FIELD_NUMBER: _ClassVar[int]
    RECHARGE_TO_MICROS_FIELD_NUMBER: _ClassVar[int]
    MONTHLY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    contract_id: str
    top_up_pack_id: str
    threshold_micros: int
    recharge_to_micros: int
    monthly_limit: _money_pb2.Money
    def __init__(self, request_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., top_up_pack_id: _Optional[str] = ..., threshold_micros: _Optional[int] = ..., recharge_to_micros: _Optional[int] = ..., monthly_limit: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class SetAutoTopUpResponse(_message.Message):
    __slots__ = ("auto_top_up",)
    AUTO_TOP_UP_FIELD_NUMBER: _ClassVar[int]
    auto_top_up: AutoTopUp
    def __init__(self, auto_top_up: _Optional[_Union[AutoTopUp, _Mapping]] = ...) -> None: ...

class DisableAutoTopUpRequest(_message.Message):
    __slots__ = ("request_id", "auto_top_up_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    AUTO_TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    auto_top_up_id: str
    def __init__(self, request_id: _Optional[str] = ..., auto_top_up_id: _Optional[str] = ...) -> None: ...

class DisableAutoTopUpResponse(_message.Message):
    __slots__ = ("auto_top_up",)
    AUTO_TOP_UP_FIELD_NUMBER: _ClassVar[int]
    auto_top_up: AutoTopUp
    def __init__(self, auto_top_up: _Optional[_Union[AutoTopUp, _Mapping]] = ...) -> None: ...

class GetAutoTopUpRequest(_message.Message):
    __slots__ = ("auto_top_up_id",)
    AUTO_TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    auto_top_up_id: str
    def __init__(self, auto_top_up_id: _Optional[str] = ...) -> None: ...

class GetAutoTopUpResponse(_message.Message):
    __slots__ = ("auto_top_up", "spent", "orders_today")
    AUTO_TOP_UP_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    ORDERS_TODAY_FIELD_NUMBER: _ClassVar[int]
    auto_top_up: AutoTopUp
    spent: _money_pb2.Money
    orders_today: int
    def __init__(self, auto_top_up: _Optional[_Union[AutoTopUp, _Mapping]] = ..., spent: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., orders_today: _Optional[int] = ...) -> None: ...

class ListAutoTopUpsRequest(_message.Message):
    __slots__ = ("customer",)
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    customer: str
    def __init__(self, customer: _Optional[str] = ...) -> None: ...

class ListAutoTopUpsResponse(_message.Message):
    __slots__ = ("auto_top_ups",)
    AUTO_TOP_UPS_FIELD_NUMBER: _ClassVar[int]
    auto_top_ups: _containers.RepeatedCompositeFieldContainer[AutoTopUp]
    def __init__(self, auto_top_ups: _Optional[_Iterable[_Union[AutoTopUp, _Mapping]]] = ...) -> None: ...
