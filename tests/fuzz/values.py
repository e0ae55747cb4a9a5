# SPDX-License-Identifier: Apache-2.0
"""Values at and beyond the edges of each type, and plausible ones. Pure: all chance comes from `dice`."""

import random
from datetime import UTC, datetime
from typing import Final

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

INT64 = 2**63
INT32 = 2**31

# A text with this character is sent with a lone surrogate in its place, which is not UTF-8. Both take three bytes.
LONE: Final = "\ue000"
LONE_BYTES: Final = ("\ue000".encode(), b"\xed\xa0\x80")

LENGTHS: Final = (
    63,
    64,
    65,
    127,
    128,
    129,
    199,
    200,
    201,
    499,
    500,
    501,
    999,
    1_000,
    1_001,
    2_000,
    2_049,
    9_000,
)
COUNTS: Final = (0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 20, 21, 50, 51, 100, 101, 200, 201, 500, 501)
LARGE_COUNTS: Final = (999, 1_000, 1_001, 5_000)

TEXTS: Final = (
    "",
    " ",
    "\t",
    "a",
    "\0",
    "a\0b",
    "\x01",
    "\x7f",
    "\x85",
    LONE,
    f"cus_{LONE}",
    "\u202eright to left",
    "עברית مرحبا",
    "😀👩‍👩‍👧‍👦",
    "e\u0301\u0327" * 20,
    "\ufeff",
    "\uffff",
    "\U0010ffff",
    "İßſ",
    "'; DROP TABLE ledger.grants; --",
    "%s %d %(x)s {} {0} $1 :a \\",
    "../../etc/passwd",
    "null",
    "None",
    "0",
    "-1",
    "+1",
    "1.5",
    "0.0000001",
    "1e400",
    "NaN",
    "-Infinity",
    "1" * 30,
    "-" + "9" * 30,
    "9223372036854775807",
    "9223372036854775808",
    "0." + "0" * 37 + "1",
    "１２３",
    "²",
    "1_000",
    "USD",
    "usd",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
)
URLS: Final = (
    "http://",
    "http://[::1",
    "http://[::1]:99999/",
    "http://127.0.0.1:1/hook",
    "https://user:pass@127.0.0.1:1/",
    "http://0/",
    "http://0x7f.1:1/",
    "http://xn--/",
    "http://" + "a" * 64 + ".example/",
    "http://😀.example/",
    "http://exa mple/",
    "http://\u2024\u2024/",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "http://127.0.0.1:1/%zz\\",
    "http://127.0.0.1:1/#a?b",
    "//127.0.0.1/",
)
DEEP_TOKENS: Final = (
    "W10",
    "e30",
    "bnVsbA",
    "W1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tb",
    "====",
    "a",
    "ab==cd",
    "eyJhZnRlciI6WyJhIl0sInNlYWwiOiIifQ",
    "\u0100",
)

_AMOUNTS: Final = (
    0,
    1,
    -1,
    2,
    999_999,
    10**6,
    10**9,
    10**12,
    10**15 - 1,
    10**15,
    10**15 + 1,
    10**18,
    10**18 + 1,
)
_LIMITS: Final = (INT64 - 1, INT64 - 2, -INT64, -INT64 + 1, INT64 // 2, INT64 // 10**6, INT64 // 10**6 + 1)
_INT64S: Final = (*_AMOUNTS, *_LIMITS, 2**53, 2**53 + 1, INT32, INT32 - 1, -INT32, 2**32)
_PAGES: Final = (0, 1, -1, 2, 9, 10, 11, 49, 50, 99, 100, 101, 255, 499, 500, 501, 999, 1_000, 10_000)
_INT32S: Final = (*_PAGES, INT32 - 1, -INT32)


def _seconds(*date: int) -> int:
    return int((datetime(*date, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


YEAR_9000: Final = _seconds(9000, 1, 1)
_LONG_AGO: Final = (
    _seconds(1, 1, 1),
    _seconds(1, 1, 1) - 1,
    _seconds(1583, 1, 1),
    _seconds(1969, 12, 31),
    0,
    1,
)
_THESE_YEARS: Final = (
    _seconds(2024, 2, 29),
    _seconds(2025, 1, 31),
    _seconds(2025, 5, 1),
    _seconds(2025, 6, 1),
)
_FAR: Final = (_seconds(2038, 1, 19), _seconds(2400, 2, 29), _seconds(8879, 12, 31))
_LAST: Final = (YEAR_9000 - 1, YEAR_9000, YEAR_9000 + 1, _seconds(9999, 11, 30), _seconds(9999, 12, 31))
_BEYOND: Final = (253_402_300_799, 253_402_300_800, -1, INT64 - 1, -INT64, INT32, 2**32)
_SECONDS: Final = (_LONG_AGO, _THESE_YEARS, _FAR, _LAST, _BEYOND)
_NANOS: Final = (0, 0, 0, 1, 999, 1_000, 999_999_000, 999_999_999, 1_000_000_000, -1, INT32 - 1, -INT32)
_SHORT_SPANS: Final = (0, 1, -1, 9, 10, 59, 60, 299, 300, 3_599, 3_600, 3_601, 86_399, 86_400, 86_401)
_LONG_SPANS: Final = (31_536_000, 120 * 366 * 86_400, 315_576_000_000, 315_576_000_001, -315_576_000_000)
_SPANS: Final = (*_SHORT_SPANS, *_LONG_SPANS, INT64 - 1, -INT64)


def an_int64(dice: random.Random) -> int:
    return dice.choice(_INT64S) if dice.random() < 0.8 else dice.randrange(-INT64, INT64)


def an_int32(dice: random.Random) -> int:
    return dice.choice(_INT32S) if dice.random() < 0.8 else dice.randrange(-INT32, INT32)


def a_plausible_number(dice: random.Random, name: str, now: int) -> int:
    """Return a number that a field of this name may well have. now: of the sandbox, in seconds."""
    if name.endswith("_micros"):
        return dice.choice((1, 10**6, 12 * 10**6, 10**9, dice.randrange(1, 10**8), dice.randrange(1, 10**11)))
    if name == "page_size":
        return dice.choice((1, 1, 2, 3, 500))
    if name in ("version", "sequence"):
        return dice.choice((1, 2, 3, now, now * 10**6, dice.randrange(1, 10**4)))
    if name.endswith("_delta"):
        return dice.choice((1, -1, 2, 5, -3))
    return dice.choice((0, 1, 1, 2, 3, 7, 50))


def an_enum(dice: random.Random, enum: EnumDescriptor) -> int:
    numbers = [value.number for value in enum.values]
    return dice.choice((0, -1, max(numbers) + 1, INT32 - 1, -INT32, dice.choice(numbers)))


def a_text(dice: random.Random) -> str:
    """Return an awkward text."""
    if dice.random() < 0.7:
        return dice.choice(TEXTS)
    length = dice.choice(LENGTHS) if dice.random() < 0.97 else 100_000
    return dice.choice(("x", "é", "😀", "1", "a ", LONE)) * length


def a_url(dice: random.Random) -> str:
    return dice.choice(URLS) if dice.random() < 0.8 else f"http://127.0.0.1:1/{'x' * dice.choice(LENGTHS)}"


def a_time(dice: random.Random) -> Timestamp:
    return Timestamp(seconds=dice.choice(dice.choice(_SECONDS)), nanos=dice.choice(_NANOS))


def a_plausible_time(dice: random.Random, now: int) -> Timestamp:
    """Return a time near `now`, which is in seconds."""
    day = 86_400
    near = (
        0,
        0,
        1,
        -1,
        60,
        -3_600,
        day,
        -day,
        33 * day,
        -33 * day,
        -34 * day,
        30 * day,
        365 * day,
        -365 * day,
    )
    return Timestamp(seconds=max(1, now + dice.choice(near)), nanos=dice.choice((0, 0, 1_000, 999_999_000)))


def a_span(dice: random.Random) -> Duration:
    return Duration(seconds=dice.choice(_SPANS), nanos=dice.choice(_NANOS))


def a_count(dice: random.Random) -> int:
    """Return how many elements a repeated field gets: seldom many, because large requests are slow."""
    return dice.choice(
        LARGE_COUNTS if dice.random() < 0.02 else COUNTS[:10] if dice.random() < 0.7 else COUNTS
    )
