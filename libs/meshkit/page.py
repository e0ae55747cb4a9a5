# SPDX-License-Identifier: Apache-2.0
"""Pages of a list: how many rows, after which one. Tokens are opaque and bound to their filters."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 500
PAGE_TOKEN_LENGTH_MAX = 2_000


class Violations(Protocol):
    """Where bad fields are recorded: meshkit.rpc.fields.Fields."""

    def add(self, field: str, description: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Page:
    """What a list asks its store for: at most `size` rows that sort behind `after` (None: from the start)."""

    size: int
    after: tuple[str, ...] | None


def read_page(fields: Violations, *, page_size: int, page_token: str, filters: Mapping[str, str]) -> Page:
    """Return the page a list request asks for: page_size 0 means 50, more than 500 means 500.

    Records violations for a negative page_size, and for a token that next_token did not make with `filters`.
    """
    if page_size < 0:
        fields.add("page_size", "must not be negative")
    size = min(page_size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
    if not page_token:
        return Page(size, None)
    after = _after(page_token, filters)
    if after is None:
        fields.add(
            "page_token", "must be the next_page_token of a response to the same request, filters unchanged"
        )
    return Page(size, after)


def next_token(after: Sequence[str], filters: Mapping[str, str]) -> str:
    """Return the token of the page that starts after the row with the sort keys `after`."""
    text = json.dumps({"after": list(after), "seal": _seal(after, filters)}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _after(token: str, filters: Mapping[str, str]) -> tuple[str, ...] | None:
    if len(token) > PAGE_TOKEN_LENGTH_MAX:
        return None
    try:
        content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    match content:
        case {"after": list(after), "seal": str(seal)} if all(isinstance(key, str) for key in after):
            return tuple(after) if seal == _seal(after, filters) else None
        case _:
            return None


def _seal(after: Sequence[str], filters: Mapping[str, str]) -> str:
    """Return a short hash: no secret, it catches tokens that were cut, edited or used with other filters."""
    text = json.dumps([list(after), sorted(filters.items())], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
