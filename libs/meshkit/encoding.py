# SPDX-License-Identifier: Apache-2.0
"""Stdlib dataclasses to JSON and back (stored responses, notices)."""

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


@cache
def _adapter(as_type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(as_type)
