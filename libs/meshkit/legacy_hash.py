# SPDX-License-Identifier: Apache-2.0
"""The hash of a command as the revision before meshkit.rpc.fingerprint stored it: over class and field names.

It is needed only to recognise requests that were answered before the upgrade. Responses are kept for 35 days. Delete
this module, its use in meshkit.requests and the legacy hashes in tests/unit/formats 35 days after the last database
was upgraded.

The names are frozen. When you rename a command, one of its fields or a type inside it, add the new name to RENAMED.
When you add a field to a command, add it to ADDED. Otherwise tests/unit/formats fails.
"""

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any, Final

# Fields that commands did not have when these hashes were stored.
ADDED: Final = frozenset({"fingerprint"})
# Class and field names: today's name to the name at that time.
RENAMED: Final[Mapping[str, str]] = {"aggregated_property": "sum_property"}


class _Uncanonical(Exception):
    """A command holds a value that no command of that revision held."""


def legacy_hash(command: object) -> bytes | None:
    """Return the SHA-256 of the command's class name and its canonical JSON; None if that revision stored no such hash.

    Equal values give equal texts: sets are sorted, instants are in UTC, and a field that holds its default is left
    out. Commands of that revision were made of dataclasses, mappings, lists, tuples, sets, enums, times, texts, bytes,
    integers, booleans and None; one that holds anything else, such as a float, is newer.
    """
    name = _legacy_name(type(command).__name__)
    try:
        canonical = json.dumps(_plain(command), sort_keys=True, separators=(",", ":"))
    except _Uncanonical:
        return None
    return hashlib.sha256(f"{name}\n{canonical}".encode()).digest()


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
            raise _Uncanonical


def _plain_dataclass(value: Any) -> dict[str, object]:
    plain: dict[str, object] = {"": _legacy_name(type(value).__name__)}
    for field in fields(value):
        if field.name in ADDED:
            continue
        current = getattr(value, field.name)
        default = field.default if field.default_factory is MISSING else field.default_factory()
        if default is MISSING or current != default:
            plain[_legacy_name(field.name)] = _plain(current)
    return plain


def _legacy_name(name: str) -> str:
    return RENAMED.get(name, name)
