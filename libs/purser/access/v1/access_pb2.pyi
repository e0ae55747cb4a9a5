from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_GATE: _ClassVar[Role]
    ROLE_USAGE: _ClassVar[Role]
    ROLE_PAYMENTS: _ClassVar[Role]
    ROLE_SECURITY: _ClassVar[Role]
    ROLE_OPERATOR: _ClassVar[Role]
    ROLE_VIEWER: _ClassVar[Role]
    ROLE_CUSTOMER: _ClassVar[Role]
ROLE_UNSPECIFIED: Role
ROLE_GATE: Role
ROLE_USAGE: Role
ROLE_PAYMENTS: Role
ROLE_SECURITY: Role
ROLE_OPERATOR: Role
ROLE_VIEWER: Role
ROLE_CUSTOMER: Role
ACCESS_FIELD_NUMBER: _ClassVar[int]
access: _descriptor.FieldDescriptor

class Access(_message.Message):
    __slots__ = ("roles", "peers", "is_vendor_wide")
    ROLES_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    IS_VENDOR_WIDE_FIELD_NUMBER: _ClassVar[int]
    roles: _containers.RepeatedScalarFieldContainer[Role]
    peers: _containers.RepeatedScalarFieldContainer[str]
    is_vendor_wide: bool
    def __init__(self, roles: _Optional[_Iterable[_Union[Role, str]]] = ..., peers: _Optional[_Iterable[str]] = ..., is_vendor_wide: _Optional[bool] = ...) -> None: ...
