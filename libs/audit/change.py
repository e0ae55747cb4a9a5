# SPDX-License-Identifier: Apache-2.0
"""What a write was to change: its request as JSON, without secrets, of bounded size; and the ids that it names.

A field whose proto has the option debug_redact is shown as REDACTED. A request may be refused, and so contain anything.
"""

import json
import re
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

CHANGE_CHARACTERS_MAX: Final = 4_000
TEXT_CHARACTERS_MAX: Final = 500
VALUES_MAX: Final = 200
TARGET_IDS_MAX: Final = 50
REDACTED: Final = "(redacted)"
CUT: Final = "…"
# It has a separate column.
_LEFT_OUT: Final = "request_id"
# Such as "cus_0198f2…". Aliases and what is no id of the mesh's own is left out.
_ID: Final = re.compile(r"[a-z]{3}_[A-Za-z0-9_-]{1,60}")
_ID_NAMES: Final = ("_id", "_ids")
_NAMES_CUSTOMER: Final = "customer"


def change_of(request: Message) -> tuple[str, Mapping[str, object]]:
    """Return a request as JSON text of at most CHANGE_CHARACTERS_MAX, and as plain data.

    Long texts, and all after VALUES_MAX values, are replaced by "…". A text that is too long still ends with it, and is
    no JSON any more.
    """
    plain = _Plain().of(request)
    plain.pop(_LEFT_OUT, None)
    text = json.dumps(plain, separators=(",", ":"))
    return text if len(text) <= CHANGE_CHARACTERS_MAX else text[: CHANGE_CHARACTERS_MAX - 1] + CUT, plain


def ids_in(plain: object) -> tuple[str, ...]:
    """Return the ids in plain data, at most TARGET_IDS_MAX; those that are nested less deeply come first."""
    found: dict[str, None] = {}
    left: deque[tuple[str, object]] = deque([("", plain)])
    while left and len(found) < TARGET_IDS_MAX:
        name, value = left.popleft()
        match value:
            case Mapping():
                left.extend((str(key), item) for key, item in value.items())
            case list() | tuple():
                left.extend((name, item) for item in value)
            case str() if _is_id_name(name) and _ID.fullmatch(value):
                found[value] = None
            case _:
                pass
    return tuple(found)


def printable(text: str, characters_max: int = TEXT_CHARACTERS_MAX) -> str:
    """Return a text that PostgreSQL can store, cut to `characters_max`."""
    cut = text if len(text) <= characters_max else text[: characters_max - 1] + CUT
    return cut.replace("\0", "\ufffd")


def _is_id_name(name: str) -> bool:
    return name != _LEFT_OUT and (name.endswith(_ID_NAMES) or name == _NAMES_CUSTOMER)


class _Plain:
    """Converts one message to plain data, of at most VALUES_MAX values."""

    def __init__(self) -> None:
        self._left = VALUES_MAX

    def of(self, message: Message) -> dict[str, object]:
        fields: dict[str, object] = {}
        for field, value in message.ListFields():
            if self._left <= 0:
                fields[CUT] = CUT
                break
            fields[field.name] = self._field(field, value)
        return fields

    def _field(self, field: FieldDescriptor, value: Any) -> object:
        if field.GetOptions().debug_redact:
            return REDACTED
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            of_values = field.message_type.fields_by_name["value"]
            return {printable(str(key)): self._one(of_values, value[key]) for key in self._some(list(value))}
        if field.is_repeated:
            items = [self._one(field, item) for item in self._some(value)]
            return items if len(items) == len(value) else [*items, CUT]
        return self._one(field, value)

    def _some(self, values: Any) -> Any:
        return values[: max(0, self._left)]

    def _one(self, field: FieldDescriptor, value: Any) -> object:
        self._left -= 1
        match value:
            case Timestamp() | Duration():
                return _time(value)
            case Message():
                return self.of(value)
            case str():
                return printable(value)
            case bytes():
                return printable(value[:TEXT_CHARACTERS_MAX].hex())
            case _ if field.enum_type is not None:
                known = field.enum_type.values_by_number.get(value)
                return value if known is None else known.name
            case _:
                return value


def _time(value: Timestamp | Duration) -> str:
    try:
        return value.ToJsonString()
    except ValueError:  # out of range
        return f"{value.seconds} s {value.nanos} ns"
