from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from purser.access.v1 import access_pb2 as _access_pb2
from purser.ledger.v1 import ledger_pb2 as _ledger_pb2
from purser.ledger.v1 import ledger_admin_pb2 as _ledger_admin_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SetOwnSpendCapRequest(_message.Message):
    __slots__ = ("request_id", "customer", "credit_type_id", "group_key", "group_value", "limit_micros", "window", "window_hours", "scope", "product_id", "cap_group_id")
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
    request_id: str
    customer: str
    credit_type_id: str
    group_key: str
    group_value: str
    limit_micros: int
    window: _ledger_admin_pb2.CapWindow
    window_hours: int
    scope: _ledger_pb2.CapScope
    product_id: str
    cap_group_id: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., group_key: _Optional[str] = ..., group_value: _Optional[str] = ..., limit_micros: _Optional[int] = ..., window: _Optional[_Union[_ledger_admin_pb2.CapWindow, str]] = ..., window_hours: _Optional[int] = ..., scope: _Optional[_Union[_ledger_pb2.CapScope, str]] = ..., product_id: _Optional[str] = ..., cap_group_id: _Optional[str] = ...) -> None: ...

class SetOwnSpendCapResponse(_message.Message):
    __slots__ = ("spend_cap",)
    SPEND_CAP_FIELD_NUMBER: _ClassVar[int]
    spend_cap: _ledger_admin_pb2.SpendCap
    def __init__(self, spend_cap: _Optional[_Union[_ledger_admin_pb2.SpendCap, _Mapping]] = ...) -> None: ...

class RemoveOwnSpendCapRequest(_message.Message):
    __slots__ = ("request_id", "customer", "spend_cap_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    SPEND_CAP_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer: str
    spend_cap_id: str
    def __init__(self, request_id: _Optional[str] = ..., customer: _Optional[str] = ..., spend_cap_id: _Optional[str] = ...) -> None: ...

class RemoveOwnSpendCapResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
