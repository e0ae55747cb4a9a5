# SPDX-License-Identifier: Apache-2.0
"""Formats of values that are stored as JSON across deploys: stored responses, notices, jsonb columns.

A stored value outlives the code that wrote it, so each stored type declares a Format. How to change such a type:
libs/README.md, "Stored formats".
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")
Stored = TypeVar("Stored")

# No dataclass field can have this name. JSON of version 1 has no such key: it was written before versions existed.
VERSION_KEY: Final = "$format"

Json = dict[str, Any]
Upcaster = Callable[[Json], Json]


class FormatUndeclared(TypeError):
    """A service stores a type for which it declares no format."""


class FormatUnreadable(ValueError):
    """Stored JSON has a version that this revision does not know, for instance one of a later revision."""


@dataclass(frozen=True)
class Format(Generic[T]):
    """The stored format of one dataclass.

    name: unique in its service; for a notice, its kind. upcasters: one per older version; the n-th converts JSON of
    version n to version n + 1.
    """

    name: str
    stored_type: type[T]
    upcasters: tuple[Upcaster, ...] = ()

    @property
    def version(self) -> int:
        """The version that is written; the first one is 1."""
        return len(self.upcasters) + 1

    def encode(self, value: T) -> Json:
        """Return a value as JSON data: integers stay integers, instants are ISO 8601."""
        data: Json = self._adapter.dump_python(value, mode="json")
        return {VERSION_KEY: self.version, **data} if self.upcasters else data

    def to_text(self, value: T) -> bytes:
        """Return encode(value) as JSON text in UTF-8. Several times faster than encode and json.dumps."""
        text = self._adapter.dump_json(value)
        if self.upcasters:
            mark = b'{"%s":%d' % (VERSION_KEY.encode(), self.version)
            return mark + (b"}" if text == b"{}" else b"," + text[1:])
        return text

    def decode(self, data: Mapping[str, Any]) -> T:
        """Return the value in JSON data of any version. Raises FormatUnreadable, pydantic.ValidationError."""
        version = data.get(VERSION_KEY, 1)
        if version == self.version == 1:
            return self._adapter.validate_python(data)
        if not 1 <= version <= self.version:
            raise FormatUnreadable(
                f"{self.name} has version {version}; this revision knows 1 to {self.version}"
            )
        upcast = {key: value for key, value in data.items() if key != VERSION_KEY}
        for upcaster in self.upcasters[version - 1 :]:
            upcast = upcaster(upcast)
        return self._adapter.validate_python(upcast)

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        # Created at first use: creating all adapters would slow down a service's start.
        return TypeAdapter(self.stored_type)


class Formats(Generic[Stored]):
    """The formats of a service, or of one of its tables. Stored: the types that have one."""

    def __init__(self, *formats: Format[Any]) -> None:
        self._by_type: dict[type, Format[Any]] = {one.stored_type: one for one in formats}
        self._by_name: dict[str, Format[Any]] = {one.name: one for one in formats}
        assert len(self._by_type) == len(self._by_name) == len(formats)

    def __iter__(self) -> Iterator[Format[Any]]:
        return iter(self._by_name.values())

    def of(self, stored_type: type[T]) -> Format[T]:
        """Return the format of a type. Raises FormatUndeclared."""
        try:
            return self._by_type[stored_type]
        except KeyError:
            raise FormatUndeclared(f"{stored_type.__name__} has no format: declare it") from None

    def named(self, name: str) -> Format[Any]:
        """Return the format of a name. Raises FormatUndeclared."""
        try:
            return self._by_name[name]
        except KeyError:
            raise FormatUndeclared(f"no format is named {name!r}") from None

    def decode(self, name: str, data: Mapping[str, Any]) -> Stored:
        """Return the value in JSON data that was stored in the format of this name."""
        value: Stored = self.named(name).decode(data)
        return value
