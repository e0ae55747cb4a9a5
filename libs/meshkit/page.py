# SPDX-License-Identifier: Apache-2.0
"""Pages of a list: their size, and the row they start after. Page tokens are opaque and bound to the list's filters."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PAGE_TOKEN_LENGTH_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Page:
    """What a list requests from its store: at most `size` rows that sort after `after` (None: from the start).

    newest_first: the list is in the opposite order.
    """

    size: int
    after: tuple[str, ...] | None
    newest_first: bool = False


def next_token(after: Sequence[str], filters: Mapping[str, str]) -> str:
    """Return the token of the page that starts after the row with the sort keys `after`."""
    text = json.dumps({"after": list(after), "seal": _seal(after, filters)}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_token(token: str, filters: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the sort keys in a token; None unless next_token made it with these filters."""
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
    """Return a short hash that detects tokens that were cut, edited or used with other filters. It is no secret."""
    text = json.dumps([list(after), sorted(filters.items())], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
