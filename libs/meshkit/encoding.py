# SPDX-License-Identifier: Apache-2.0
"""Stdlib dataclasses to JSON and back (answers, notices), and to one canonical text (for hashes)."""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


def to_json(value: object) -> Any:
    """Return a dataclass (or a builtin) as plain JSON data: integers stay integers, instants are ISO 8601."""
    as_type: Any = type(value)
    return _adapter(as_type).dump_python(value, mode="json")


def to_json_text(value: object) -> str:
    """Return what to_json does, written out; several times faster."""
    as_type: Any = type(value)
    return _adapter(as_type).dump_json(value).decode()


def from_json(as_type: type[T], data: object) -> T:
    """Return the `as_type` that to_json made `data` of. Raises pydantic.ValidationError."""
    hashable: Any = as_type
    decoded: T = _adapter(hashable).validate_python(data)
    return decoded


def canonical(value: object) -> str:
    """Return one text per meaning: equal values give equal texts, in every process.

    Sets are sorted, instants are in UTC, and a dataclass field that holds its default is left out, so that a
    field added later does not change the text of requests made before. Raises TypeError for a float, and for
    anything that is not made of dataclasses, mappings, lists, tuples, sets, enums, times, texts, bytes,
    integers, booleans and None.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


@cache
def _adapter(as_type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(as_type)


def _plain(value: object) -> object:
    match value:
        case Enum():
            return _plain(value.value)
        case None | bool() | int() | str():
            return value
        case bytes():
            return value.hex()
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case timedelta():
            return value // timedelta(microseconds=1)
        case Mapping():
            return sorted(([_plain(key), _plain(item)] for key, item in value.items()), key=json.dumps)
        case AbstractSet():
            return sorted((_plain(item) for item in value), key=json.dumps)
        case list() | tuple():
            return [_plain(item) for item in value]
        case _ if is_dataclass(value):
            return _plain_dataclass(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no canonical form")


def _plain_dataclass(value: Any) -> dict[str, object]:
    plain: dict[str, object] = {"": type(value).__name__}
    for field in fields(value):
        held = getattr(value, field.name)
        default = field.default if field.default_factory is MISSING else field.default_factory()
        if default is MISSING or held != default:
            plain[field.name] = _plain(held)
    return plain
