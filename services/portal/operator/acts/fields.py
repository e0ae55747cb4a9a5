# SPDX-License-Identifier: Apache-2.0
"""The fields of an operator's forms: what was typed, as values for a request. The rules are the services'."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final
from zoneinfo import ZoneInfo

from meshkit.quantity import INT64_MAX, MICROS
from meshkit.rpc.fields import timestamp

Values = Mapping[str, Any]
Problems = Mapping[str, str]
EXAMPLE: Final = "Enter a number with at most 6 decimals, such as 12.5 or -3."


class Kind(Enum):
    """How a field is typed, and what it becomes."""

    ID = "id"  # a text that the page fills in
    TEXT = "text"
    CREDITS = "credits"  # int: × 10^6
    TIME = "time"  # Timestamp; None if left out
    FLAG = "flag"  # bool
    CHOICE = "choice"  # one of `choices`; an ID may have them too


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. label and hint: for people. choices: of CHOICE, names for values."""

    name: str
    label: str = ""
    kind: Kind = Kind.TEXT
    is_required: bool = True
    hint: str = ""
    choices: Mapping[str, str] | None = None

    @property
    def is_asked(self) -> bool:
        return self.kind is not Kind.ID


def read(fields: Iterable[Field], typed: Mapping[str, str], zone: ZoneInfo) -> tuple[Values, Problems]:
    """Return the values of all fields, and what is wrong with which. zone: of times, which are typed without one."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in fields:
        text = typed.get(field.name, "").strip()
        if not text and field.is_required and field.kind is not Kind.FLAG:
            problems[field.name] = "This is required."
            continue
        try:
            values[field.name] = _value(field, text, zone)
        except ValueError as error:
            problems[field.name] = str(error)
    return values, problems


def _value(field: Field, text: str, zone: ZoneInfo) -> Any:
    match field.kind:
        case Kind.TEXT:
            return text
        case Kind.CREDITS:
            return _micros(text)
        case Kind.TIME:
            return timestamp(_time(text, zone)) if text else None
        case Kind.FLAG:
            return bool(text)
        case Kind.CHOICE | Kind.ID:
            if text and field.choices is not None and text not in field.choices:
                raise ValueError("Choose one of the list.")
            return text


def _micros(text: str) -> int:
    try:
        micros = Decimal(text) * MICROS
    except InvalidOperation:
        raise ValueError(EXAMPLE) from None
    if not micros.is_finite() or micros != micros.to_integral_value() or abs(micros) > INT64_MAX:
        raise ValueError(EXAMPLE)
    return int(micros)


def _time(text: str, zone: ZoneInfo) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        raise ValueError("Enter a day and a time, such as 2025-07-01T00:00.") from None
