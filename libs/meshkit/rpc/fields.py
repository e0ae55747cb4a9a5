# SPDX-License-Identifier: Apache-2.0
"""Field checks for wire.py: a request's invalid fields are all reported together, not one per attempt.

On a violation a method records it and returns a harmless placeholder of the right type. Use no returned value before
`check()` has passed.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.errors import FieldViolation, InvalidFields
from meshkit.quantity import INT64_MAX

T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# asyncpg stores this instant as 'infinity', and reads that as a time without an offset.
_INFINITY = datetime.max.replace(tzinfo=UTC)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # Unicode's category Cc
_SECONDS_MAX = 253_402_300_799  # 9999-12-31T23:59:59Z
_NANOS_MAX = 999_999_999
_SPAN_SECONDS_MAX = 315_576_000_000  # 10,000 years, the range of google.protobuf.Duration


class Fields:
    """Collects the violations of one request; `check()` raises InvalidFields when there are any."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []

    def add(self, field: str, description: str) -> None:
        """Record a violation that no other method checks for."""
        self._violations.append(FieldViolation(field, description))

    def check(self) -> None:
        """Raise InvalidFields with all violations, in the order found; do nothing when there are none."""
        if self._violations:
            raise InvalidFields(self._violations)

    def text(
        self,
        field: str,
        value: str,
        *,
        required: bool = True,
        max_length: int = 200,
        pattern: str | None = None,
    ) -> str:
        """Return a text of at most `max_length` characters that matches `pattern` and has no control character.

        An empty text is accepted only when not required, and is not matched against the pattern.
        """
        if not value:
            if required:
                self.add(field, "is required")
        elif value.isspace():
            self.add(field, "must not be blank")
        elif len(value) > max_length:
            self.add(field, f"must have at most {max_length} characters, has {len(value)}")
        elif not value.isprintable() and _CONTROL.search(value):  # isprintable() is fast and rarely false
            self.add(field, "must not contain control characters")
        elif pattern is not None and not re.fullmatch(pattern, value):
            self.add(field, f"must match {pattern}")
        return value

    def request_id(self, value: str) -> str:
        """Return the caller's idempotency key: 1 to 64 of A-Z a-z 0-9 . _ : - (a UUID by convention)."""
        if not value:
            self.add("request_id", "is required: a new UUID for each new request, the same one for a retry")
        elif not _REQUEST_ID.fullmatch(value):
            self.add("request_id", "must be 1 to 64 characters of A-Z a-z 0-9 . _ : -")
        return value

    def micros(self, field: str, value: int, *, minimum: int = 0, maximum: int = INT64_MAX) -> int:
        """Return an amount in micros, `minimum` ≤ value ≤ `maximum`."""
        return self._between(field, value, minimum, maximum)

    def count(self, field: str, value: int, *, minimum: int, maximum: int) -> int:
        """Return a whole number, `minimum` ≤ value ≤ `maximum`."""
        return self._between(field, value, minimum, maximum)

    def time(self, field: str, message: Timestamp, has: bool) -> datetime:
        """Return a required instant, nanoseconds cut to microseconds. The zero timestamp is refused."""
        at = self.optional_time(field, message, has)
        if at is not None:
            return at
        if not has:
            self.add(field, "is required")
        return EPOCH

    def optional_time(self, field: str, message: Timestamp, has: bool) -> datetime | None:
        """Return an instant, or None when absent. The zero timestamp is refused: absent means absent."""
        if not has:
            return None
        if 0 <= message.seconds <= _SECONDS_MAX and 0 <= message.nanos <= _NANOS_MAX:
            at = EPOCH + timedelta(seconds=message.seconds, microseconds=message.nanos // 1_000)
            if EPOCH < at < _INFINITY:
                return at
            if at == EPOCH:
                self.add(field, "must not be the zero timestamp; leave it out instead")
            else:
                self.add(field, "must be before the last microsecond of 9999; leave it out if it never comes")
        else:
            self.add(field, "must be a time between 1970 and 9999")
        return None

    def duration(
        self,
        field: str,
        message: Duration,
        has: bool,
        *,
        default: timedelta,
        minimum: timedelta,
        maximum: timedelta,
    ) -> timedelta:
        """Return a span within [minimum, maximum], `default` when absent; nanoseconds cut to microseconds."""
        if not has:
            return default
        if abs(message.seconds) <= _SPAN_SECONDS_MAX and abs(message.nanos) <= _NANOS_MAX:
            span = timedelta(seconds=message.seconds, microseconds=message.nanos // 1_000)
            if minimum <= span <= maximum:
                return span
        self.add(field, f"must be between {minimum.total_seconds():g} s and {maximum.total_seconds():g} s")
        return default

    def choice(self, field: str, value: int, mapping: Mapping[int, T]) -> T:
        """Return the value that `mapping` has for an enum number; UNSPECIFIED and unknown numbers are refused."""
        if value in mapping:
            return mapping[value]
        allowed = ", ".join(_name(choice) for choice in mapping.values())
        self.add(field, f"must be one of {allowed}")
        return next(iter(mapping.values()))

    def _between(self, field: str, value: int, minimum: int, maximum: int) -> int:
        if minimum <= value <= maximum:
            return value
        if value < minimum:
            self.add(field, f"must be at least {minimum}")
        else:
            self.add(field, f"must be at most {maximum}")
        return minimum


def timestamp(at: datetime) -> Timestamp:
    """Return the wire form of an aware instant."""
    since = at - EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def optional_timestamp(at: datetime | None) -> Timestamp | None:
    """Return the wire form of an instant, or None; a message built with None leaves the field unset."""
    return None if at is None else timestamp(at)


def span(length: timedelta) -> Duration:
    """Return the wire form of a span (≥ 0)."""
    assert length >= timedelta(0)
    return Duration(seconds=length.days * 86_400 + length.seconds, nanos=length.microseconds * 1_000)


def _name(choice: object) -> str:
    return choice.name if isinstance(choice, Enum) else str(choice)
