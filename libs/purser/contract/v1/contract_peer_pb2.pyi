import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from purser.access.v1 import access_pb2 as _access_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReportTopUpLevelRequest(_message.Message):
    __slots__ = ("request_id", "auto_top_up_id", "customer_id", "credit_type_id", "version", "in_alarm", "remaining_micros", "sequence", "observe_time")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    AUTO_TOP_UP_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CREDIT_TYPE_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    IN_ALARM_FIELD_NUMBER: _ClassVar[int]
    REMAINING_MICROS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    OBSERVE_TIME_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    auto_top_up_id: str
    customer_id: str
    credit_type_id: str
    version: int
    in_alarm: bool
    remaining_micros: int
    sequence: int
    observe_time: _timestamp_pb2.Timestamp
    def __init__(self, request_id: _Optional[str] = ..., auto_top_up_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., credit_type_id: _Optional[str] = ..., version: _Optional[int] = ..., in_alarm: _Optional[bool] = ..., remaining_micros: _Optional[int] = ..., sequence: _Optional[int] = ..., observe_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReportTopUpLevelResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
