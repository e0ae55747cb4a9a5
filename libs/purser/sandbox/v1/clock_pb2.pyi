import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from purser.access.v1 import access_pb2 as _access_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetTimeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetTimeResponse(_message.Message):
    __slots__ = ("now_time",)
    NOW_TIME_FIELD_NUMBER: _ClassVar[int]
    now_time: _timestamp_pb2.Timestamp
    def __init__(self, now_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AdvanceTimeRequest(_message.Message):
    __slots__ = ("new_time", "local_only")
    NEW_TIME_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ONLY_FIELD_NUMBER: _ClassVar[int]
    new_time: _timestamp_pb2.Timestamp
    local_only: bool
    def __init__(self, new_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., local_only: _Optional[bool] = ...) -> None: ...

class AdvanceTimeResponse(_message.Message):
    __slots__ = ("now_time",)
    NOW_TIME_FIELD_NUMBER: _ClassVar[int]
    now_time: _timestamp_pb2.Timestamp
    def __init__(self, now_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
