# SPDX-License-Identifier: Apache-2.0
"""A line of JSON as a usage event. What only the Ledger can judge, such as a missing customer, is left to it."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import usage_pb2 as pb
from purser_cli.importing.lines import LINE_BYTES_MAX, Line

KEYS = ("transaction_id", "customer", "event_type", "timestamp", "properties", "hold_id")
# RFC 3339, section 5.6: with seconds and a zone.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
# A metric reads at most 40 characters of a number.
_DIGITS_MAX = 40


class LineRejected(Exception):
    """A line that is no event. reason: UPPER_SNAKE. field: the part of it that is wrong, if it is one part."""

    def __init__(self, reason: str, detail: str, *, field: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.field = field
        self.detail = detail


class _Number(str):
    """A JSON number as it was written, so that no digit is lost."""

    __slots__ = ()


def event_from_line(line: Line) -> pb.UsageEvent:
    """Return the event that a line describes. Raises LineRejected."""
    if line.is_too_long:
        raise LineRejected("LINE_TOO_LONG", f"a line has at most {LINE_BYTES_MAX} bytes")
    told = _object_from(line.content)
    for key in told:
        if key not in KEYS:
            raise LineRejected("UNKNOWN_KEY", f"is not one of {', '.join(KEYS)}", field=key[:64])
    event = pb.UsageEvent(
        transaction_id=_text("transaction_id", told.get("transaction_id", "")),
        customer=_text("customer", told.get("customer", "")),
        event_type=_text("event_type", told.get("event_type", "")),
        properties=_properties(told.get("properties", {})),
        hold_id=_text("hold_id", told.get("hold_id", "")),
    )
    if "timestamp" in told:
        event.timestamp.CopyFrom(timestamp(_time(told["timestamp"])))
    return event


def _object_from(content: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(
            content.decode(),
            object_pairs_hook=_without_duplicates,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise LineRejected("MALFORMED_JSON", f"is not UTF-8 at byte {error.start}") from error
    except (ValueError, RecursionError) as error:
        raise LineRejected("MALFORMED_JSON", f"is not JSON: {error}") from error
    if not isinstance(told, dict):
        raise LineRejected("MALFORMED_JSON", "must be a JSON object")
    return told


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise LineRejected("DUPLICATE_KEY", "occurs more than once", field=key[:64])
            seen.add(key)
    return told


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _text(field: str, value: object) -> str:
    if not isinstance(value, str) or isinstance(value, _Number):
        raise LineRejected("INVALID_FIELD", "must be a text", field=field)
    return _encodable(field, value)


def _encodable(field: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise LineRejected("INVALID_FIELD", "has half of a surrogate pair", field=field) from None
    return value


def _properties(told: object) -> dict[str, str]:
    if not isinstance(told, dict):
        raise LineRejected("INVALID_FIELD", "must be an object", field="properties")
    return {
        _encodable("properties", key): _property(f"properties[{key[:64]}]", value)
        for key, value in told.items()
    }


def _property(field: str, value: object) -> str:
    if isinstance(value, _Number):
        return _decimal_text(value)
    if isinstance(value, str):
        return _encodable(field, value)
    raise LineRejected("INVALID_FIELD", "must be a text or a number", field=field)


def _decimal_text(number: _Number) -> str:
    """Return a number without an exponent, if a metric could read it: 1.5e3 as 1500."""
    if "e" not in number and "E" not in number:
        return str(number)
    try:
        exact = Decimal(number)
    except ArithmeticError:
        return str(number)
    is_short = exact.is_finite() and abs(exact.adjusted()) <= _DIGITS_MAX
    return format(exact, "f") if is_short else str(number)


def _time(told: object) -> datetime:
    if not isinstance(told, str) or not _TIME.fullmatch(told):
        raise LineRejected(
            "INVALID_FIELD",
            "must be an RFC 3339 time with a zone, such as 2025-06-01T12:00:00Z",
            field="timestamp",
        )
    try:
        return datetime.fromisoformat(told.upper())
    except ValueError as error:
        raise LineRejected("INVALID_FIELD", f"is no time: {error}", field="timestamp") from error
