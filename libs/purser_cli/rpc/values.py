# SPDX-License-Identifier: Apache-2.0
"""Values as people write them, and the fields of messages: amounts as decimals, times, spans, money, short enums.

For options, `key=value` and files. Each `…_text` writes what the function of its name reads.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.quantity import MICROS
from purser.type.v1.money_pb2 import Money
from purser_cli.rpc.descriptors import descriptor_of, enum_of

MICROS_ENDING = "_micros"
INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
TRUTHS = {"true": True, "yes": True, "false": False, "no": False}
SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
TIMES = "a date (2025-07-01, which is midnight UTC) or a time with a zone (2025-07-01T09:30:00Z)"


class WrongValue(ValueError):
    """A text that is no value of its field; in one line that says what is. path: where, such as ".rates[0].price"."""

    def __init__(self, text: str, path: str = "") -> None:
        super().__init__(f"{path.removeprefix('.')}: {text}" if path else text)
        self.text = text
        self.path = path

    def inside(self, part: str) -> "WrongValue":
        """Return the same, seen from the message or list around it. part: ".field" or "[number]"."""
        return WrongValue(self.text, part + self.path)


def scalar(field: FieldDescriptor, value: object, *, as_micros: bool) -> Any:
    """Return the value of a field that is no message. as_micros: of a decimal. Raises WrongValue."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return _text(field, value)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        truth = value if isinstance(value, bool) else TRUTHS.get(str(value).lower())
        if truth is None:
            raise WrongValue(f"{value!r} is neither true nor false")
        return truth
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return enum_number(enum_of(field), value)
    number = decimal(value)
    if as_micros:
        number *= MICROS
    if number != number.to_integral_value():
        raise WrongValue(
            f"{value} has more than 6 decimals" if as_micros else f"{value} is not a whole number"
        )
    least, most = INTEGERS[field.cpp_type]
    if not least <= number <= most:
        raise WrongValue(f"{value} is too large")
    return int(number)


def decimal(value: object) -> Decimal:
    """Return an exact number. Raises WrongValue."""
    # A binary float has lost the digits that were written.
    text = repr(value) if isinstance(value, float) else str(value)
    try:
        number = Decimal(text) if not isinstance(value, bool) and text.isascii() else Decimal("nan")
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or abs(number.adjusted()) > 40:
        raise WrongValue(f"{text!r} is not a number, such as 12.5")
    return number


def decimal_text(micros: int) -> str:
    """Return millionths as a decimal: 12500000 is 12.5."""
    units, rest = divmod(abs(micros), MICROS)
    text = f"{units}.{rest:06d}".rstrip("0").removesuffix(".")
    return f"-{text}" if micros < 0 else text


def enum_number(enum: EnumDescriptor, value: object) -> int:
    """Return the number of an enum's value, by its short or its full name. Raises WrongValue."""
    wanted = str(value).upper().replace("-", "_")
    for one in enum.values:
        if wanted in (one.name, one.name.removeprefix(_prefix(enum))):
            return int(one.number)
    raise WrongValue(f"{value!r} is not one of {', '.join(enum_names(enum))}")


def enum_names(enum: EnumDescriptor) -> list[str]:
    """Return the short names of an enum that may be given."""
    return [enum_name(enum, one.number) for one in enum.values if one.number]


def enum_name(enum: EnumDescriptor, number: int) -> str:
    """Return the short name of a value: GRANT_KIND_TOP_UP is top-up."""
    known = enum.values_by_number.get(number)
    return known.name.removeprefix(_prefix(enum)).lower().replace("_", "-") if known else str(number)


def special(kind: type[Message], value: object) -> Message | None:
    """Return a message that is written as one text: a time, a span or money; None for others. Raises WrongValue."""
    if kind is Timestamp:
        stamp = Timestamp()
        stamp.FromDatetime(instant(value))
        return stamp
    if kind is Duration:
        span = Duration()
        span.FromTimedelta(timespan(value))
        return span
    if kind is Money and not isinstance(value, Mapping):
        return money(value)
    return None


def special_text(message: Message) -> str | None:
    """Return the text of a time, a span or money; None for other messages."""
    if isinstance(message, Timestamp):
        return instant_text(message)
    if isinstance(message, Duration):
        return timespan_text(message)
    if isinstance(message, Money):
        return money_text(message)
    return None


def instant(value: object) -> datetime:
    """Return a time of a date or an RFC 3339 text. Raises WrongValue."""
    if isinstance(value, datetime):
        time = value
    elif isinstance(value, date):
        time = datetime(value.year, value.month, value.day, tzinfo=UTC)
    else:
        text = str(value).strip().upper()
        try:
            time = datetime.fromisoformat(f"{text}T00:00:00Z" if len(text) == 10 else text)
        except ValueError:
            raise WrongValue(f"{value!r} is not {TIMES}") from None
    if time.tzinfo is None:
        raise WrongValue(f"{value!r} has no zone; give {TIMES}")
    return time.astimezone(UTC)


def instant_text(stamp: Timestamp) -> str:
    """Return a time as RFC 3339, in UTC; only the date at midnight."""
    text = stamp.ToJsonString()
    return text.removesuffix("T00:00:00Z")


def timespan(value: object) -> timedelta:
    """Return a span, such as 30d, 1h30m or 2.5s. Raises WrongValue."""
    text = str(value).strip().lower()
    parts = SPAN.fullmatch(text)
    if not text or not parts:
        raise WrongValue(f"{value!r} is not a span, such as 30d, 12h, 1h30m or 2.5s")
    days, hours, minutes = (int(part or 0) for part in parts.groups()[:3])
    seconds = Decimal(parts[4] or 0)
    try:
        return timedelta(days=days, hours=hours, minutes=minutes, microseconds=int(seconds * MICROS))
    except OverflowError:
        raise WrongValue(f"{value!r} is too long") from None


def timespan_text(span: Duration) -> str:
    """Return a span, such as 365d or 1h30m."""
    rest, text = span.seconds, ""
    for letter, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        count, rest = divmod(rest, length)
        text += f"{count}{letter}" if count else ""
    fraction = f"{span.nanos / 10**9:.9f}".rstrip("0")[1:] if span.nanos else ""
    return text + f"{rest}{fraction}s" if rest or fraction or not text else text


def money(value: object) -> Money:
    """Return money, such as "80 USD". Raises WrongValue."""
    words = str(value).split()
    if len(words) == 2 and words[0].isalpha():
        words.reverse()
    if len(words) != 2 or not words[1].isalpha():
        raise WrongValue(f"{value!r} is not an amount with its currency, such as 80 USD")
    made = Money(currency_code=words[1].upper())
    made.micros = scalar(descriptor_of(made).fields_by_name["micros"], words[0], as_micros=True)
    return made


def money_text(amount: Money) -> str:
    """Return money, such as 80.00 USD."""
    if not amount.currency_code and not amount.micros:
        return ""
    text = decimal_text(amount.micros)
    units, _, rest = text.partition(".")
    return f"{units}.{rest.ljust(2, '0')} {amount.currency_code}"


def _prefix(enum: EnumDescriptor) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper() + "_"


def _text(field: FieldDescriptor, value: object) -> str | bytes:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return str(value).encode()
    if isinstance(value, bool | Mapping | list) or value is None:
        raise WrongValue(f"{value!r} is not a text")
    return str(value)
