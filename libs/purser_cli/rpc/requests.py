# SPDX-License-Identifier: Apache-2.0
"""Messages made of plain values (texts, numbers, lists, mappings), and plain values made of messages."""

import csv
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from purser_cli.rpc import values
from purser_cli.rpc.descriptors import class_of, descriptor_of, enum_of, is_map, owner_of, set_fields
from purser_cli.rpc.values import MICROS_ENDING, WrongValue

FILE_BYTES_MAX = 4 * 1024 * 1024


def short_name(field: FieldDescriptor) -> str:
    """Return a field's name in files and `key=value`: without its unit, unless another field has that name."""
    short = field.name.removesuffix(MICROS_ENDING)
    return field.name if not short or short in owner_of(field).fields_by_name else short


def field_named(message: Descriptor, name: str) -> tuple[FieldDescriptor, bool]:
    """Return a field by its short name, or its name, and whether its value is a decimal of millionths.

    Raises WrongValue.
    """
    wanted = name.replace("-", "_")
    for field in message.fields:
        if wanted == short_name(field):
            return field, field.name.endswith(MICROS_ENDING)
    for field in message.fields:
        if wanted in (field.name, field.json_name):
            return field, False
    raise WrongValue(f"{name!r}; there are {', '.join(short_name(field) for field in message.fields)}")


def fill(message: Message, plain: Mapping[str, Any]) -> None:
    """Set the fields of a message from plain values; null leaves a field out. Raises WrongValue."""
    for key, value in plain.items():
        try:
            field, as_micros = field_named(descriptor_of(message), str(key))
        except WrongValue as error:
            raise WrongValue(f"there is no field {error.text}") from None
        if value is not None:
            set_field(message, field, value, as_micros=as_micros)


def set_field(message: Message, field: FieldDescriptor, value: Any, *, as_micros: bool) -> None:
    """Set one field from its plain value. Raises WrongValue, with the field's path."""
    try:
        if is_map(field):
            _set_map(message, field, value)
        elif field.is_repeated:
            _set_list(getattr(message, field.name), field, value, as_micros=as_micros)
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(_message(field, value))
        else:
            setattr(message, field.name, values.scalar(field, value, as_micros=as_micros))
    except WrongValue as error:
        raise error.inside(f".{short_name(field) if as_micros else field.name}") from None


def plain(message: Message) -> dict[str, Any]:
    """Return a message as plain values, which `fill` takes. Fields that are not set are left out."""
    return {short_name(field): plain_field(field, value) for field, value in set_fields(message)}


def plain_field(field: FieldDescriptor, value: Any) -> Any:
    """Return the value of one field as plain values."""
    if is_map(field):
        return dict(value)
    if field.is_repeated:
        return [_plain_one(field, one) for one in value]
    return _plain_one(field, value)


def pairs(text: str) -> dict[str, Any]:
    """Return the mapping of a text: JSON, or key=value,key=value.

    A key may lead inside: proration.is_prorated=true.     Raises WrongValue.
    """
    if text.lstrip().startswith("{"):
        return json_object(text)
    found: dict[str, Any] = {}
    for part in next(csv.reader([text], skipinitialspace=True), []):
        key, is_split, value = part.partition("=")
        if not is_split:
            raise WrongValue(f"{part!r} is neither key=value nor JSON")
        *outer, last = key.strip().split(".")
        inside = found
        for name in outer:
            inside = inside.setdefault(name, {})
        inside[last] = value.strip()
    return found


def json_object(text: str) -> dict[str, Any]:
    """Return a JSON object; its numbers keep every digit. Raises WrongValue."""
    try:
        found = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise WrongValue(f"this is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise WrongValue("this is not a JSON object")
    return found


def content_of(text: str) -> str:
    """Return a text, or the content of the file that @FILE names. Raises WrongValue."""
    if not text.startswith("@"):
        return text
    path = Path(text[1:]).expanduser()
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise WrongValue(f"{path} is larger than {FILE_BYTES_MAX:,} bytes")
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongValue(f"{path} cannot be read: {error}") from None


def _message(field: FieldDescriptor, value: Any) -> Message:
    kind = class_of(field)
    made = values.special(kind, value)
    if made is None:
        made = kind()
        fill(made, _mapping(value))
    return made


def _mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, str):
        return pairs(content_of(value))
    raise WrongValue(f"{value!r} is neither key=value nor an object")


def _set_list(into: Any, field: FieldDescriptor, value: Any, *, as_micros: bool) -> None:
    del into[:]
    for number, one in enumerate(_list(value)):
        try:
            if field.message_type is None:
                into.append(values.scalar(field, one, as_micros=as_micros))
            else:
                into.append(_message(field, one))
        except WrongValue as error:
            raise error.inside(f"[{number}]") from None


def _list(value: Any) -> Iterable[Any]:
    """Return the elements of a list; a text that is a JSON list is one too."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple):
        raise WrongValue(f"{value!r} is not a list")
    for one in value:
        text = content_of(one).strip() if isinstance(one, str) else ""
        if text.startswith("[") and text.endswith("]"):
            yield from json_object(f'{{"list": {text}}}')["list"]
        else:
            yield one


def _set_map(message: Message, field: FieldDescriptor, value: Any) -> None:
    into = getattr(message, field.name)
    for one in value if isinstance(value, list | tuple) else [value]:
        for key, text in _mapping(one).items():
            if isinstance(text, Mapping | list):
                raise WrongValue(f"{key!r} has a value that is not a text")
            into[str(key)] = str(text)


def _plain_one(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        text = values.special_text(value)
        return plain(value) if text is None else text
    if field.enum_type is not None:
        return values.enum_name(enum_of(field), value)
    if field.name.endswith(MICROS_ENDING) and short_name(field) != field.name:
        return values.decimal_text(value)
    return value
