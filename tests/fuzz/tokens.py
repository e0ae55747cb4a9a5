# SPDX-License-Identifier: Apache-2.0
"""Page tokens that were never returned: cut, edited, and forged so that their checksum is right.

The checksum is over the list's filters, which the services' code knows. They are guessed here, and a guess is proved
by a token that was really returned.
"""

import ast
import json
import random
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from meshkit.page import next_token, read_token
from tests.fuzz import values

SERVICES = Path(__file__).resolve().parents[2] / "services"
KEYS = (
    "\0",
    "a\0b",
    "\ud800",
    "",
    "-1",
    "9" * 30,
    "9223372036854775808",
    "²",
    "１２３",
    "1_0",
    "0001-01-01T00:00:00+00:00",
    "9999-12-31T23:59:59.999999-23:59",
    "2025-06-01T00:00:00",
    "2025-06-01",
    "2025-06-01T00:00:00+00:00",
    "NaN",
    "x" * 1_001,
    "😀" * 100,
    "[]",
)


def bad_token(dice: random.Random, token: str, request: Message) -> str:
    """Return a token made from one that was returned to `request`."""
    match dice.randrange(5):
        case 0:
            return token[: dice.randrange(len(token))]
        case 1:
            at = dice.randrange(len(token))
            return token[:at] + dice.choice("AZaz09-_=+/.\u00e9") + token[at + 1 :]
        case 2:
            return token * dice.choice((2, 3, 50))
        case _:
            return _forged(dice, token, request)


def _forged(dice: random.Random, token: str, request: Message) -> str:
    after = _keys_of(token)
    filters = next((one for one in _guesses(request) if read_token(token, one) is not None), None)
    if filters is None:
        return dice.choice(values.DEEP_TOKENS)
    forged = list(after)
    for _ in range(dice.choice((1, 1, len(forged)))):
        forged[dice.randrange(len(forged))] = dice.choice(KEYS)
    if dice.random() < 0.2:
        forged = forged[1:] if dice.random() < 0.5 else [*forged, dice.choice(KEYS)]
    return next_token(forged, filters)


def _keys_of(token: str) -> Sequence[str]:
    keys: Sequence[str] = json.loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))["after"]
    return keys


def _guesses(request: Message) -> Iterator[dict[str, str]]:
    fields = [one for one in request.DESCRIPTOR.fields if not one.name.startswith("page_")]
    for named in _list_names():
        yield {"list": named} | {one.name: _as_text(request, one) for one in fields}


def _as_text(request: Message, described: FieldDescriptor) -> str:
    value = getattr(request, described.name)
    if described.message_type is None:
        return str(value)
    if request.DESCRIPTOR.name == "ListRatesRequest":
        return f"{value.seconds}.{value.nanos}"
    return str(value.ToDatetime()) + "+00:00" if request.HasField(described.name) else "None"


@cache
def _list_names() -> tuple[str, ...]:
    """Return the value of every `"list": "…"` in the services' code."""
    found = set()
    for path in SERVICES.rglob("wire/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if (
                        isinstance(key, ast.Constant)
                        and key.value == "list"
                        and isinstance(value, ast.Constant)
                    ):
                        found.add(str(value.value))
    return tuple(sorted(found))
