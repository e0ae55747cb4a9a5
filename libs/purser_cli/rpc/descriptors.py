# SPDX-License-Identifier: Apache-2.0
"""What a message consists of. protobuf's stubs have two types for one descriptor; here they are one."""

from typing import Any, cast

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass


def fields_of(message: Message) -> list[FieldDescriptor]:
    """Return all fields of a message's type."""
    return list(descriptor_of(message).fields)


def set_fields(message: Message) -> list[tuple[FieldDescriptor, Any]]:
    """Return the fields that are set, with their values."""
    return cast(list[tuple[FieldDescriptor, Any]], message.ListFields())


def descriptor_of(message: Message) -> Descriptor:
    """Return the type of a message."""
    return cast(Descriptor, message.DESCRIPTOR)


def has_field(message: Message, name: str) -> bool:
    """Return whether the message's type has a field of this name."""
    return name in descriptor_of(message).fields_by_name


def owner_of(field: FieldDescriptor) -> Descriptor:
    """Return the type that has the field."""
    return cast(Descriptor, field.containing_type)


def enum_of(field: FieldDescriptor) -> EnumDescriptor:
    """Return the enum of an enum field."""
    return cast(EnumDescriptor, field.enum_type)


def class_of(field: FieldDescriptor) -> type[Message]:
    """Return the class of a message field's values."""
    return GetMessageClass(cast(Descriptor, field.message_type))


def is_map(field: FieldDescriptor) -> bool:
    """Return whether a field is a map."""
    return bool(field.message_type is not None and field.message_type.GetOptions().map_entry)


def is_list_of_messages(field: FieldDescriptor) -> bool:
    """Return whether a field repeats a message."""
    return bool(field.is_repeated and field.message_type is not None and not is_map(field))


def is_required(field: FieldDescriptor) -> bool:
    """Return whether the proto says that a field must be set."""
    behaviors: Any = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.REQUIRED in behaviors
