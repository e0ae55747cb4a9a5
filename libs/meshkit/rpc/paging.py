# SPDX-License-Identifier: Apache-2.0
"""Pages on the wire. A store returns one row more than the page size: without that row, the page is the last one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol, TypeVar

from google.protobuf.message import Message

from meshkit.page import Page, next_token, read_token
from meshkit.quantity import INT64_MAX
from meshkit.rpc.fields import EPOCH, Fields

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 500
# gRPC's clients accept 4 MiB unless they say otherwise; the rest is for the response's other fields.
PAGE_BYTES_MAX = 4_000_000
# The number and length of a message within its response.
FIELD_BYTES_MAX = 8
KEY_BYTES_MAX = 1_000
YEAR_MAX = 9_999
DIGITS_MAX = 19

T = TypeVar("T")
M = TypeVar("M", bound=Message)


class PagedRequest(Protocol):
    """Any List request."""

    @property
    def page_size(self) -> int: ...
    @property
    def page_token(self) -> str: ...


def text_key(key: str) -> str:
    """Return a sort key that is a text. Raises ValueError for one that no row has."""
    # A lone surrogate cannot be encoded, and raises UnicodeEncodeError, which is a ValueError.
    if len(key.encode()) > KEY_BYTES_MAX or "\0" in key:
        raise ValueError(key)
    return key


def time_key(key: str) -> datetime:
    """Return a sort key that is an instant in ISO 8601 with its offset. Raises ValueError for one that no row has."""
    at = datetime.fromisoformat(key)
    if at.tzinfo is None or not EPOCH.year <= at.year < YEAR_MAX:
        raise ValueError(key)
    return at


def number_key(key: str) -> int:
    """Return a sort key that is a whole number ≥ 0. Raises ValueError for one that no row has."""
    if len(key) > DIGITS_MAX or not 0 <= int(key) <= INT64_MAX:
        raise ValueError(key)
    return int(key)


def page_from_wire(
    fields: Fields,
    request: PagedRequest,
    filters: Mapping[str, str],
    *,
    keys: Sequence[Callable[[str], object]] = (text_key,),
    newest_first: bool = False,
) -> Page:
    """Return the requested page. filters: bind a token to this list, its filters and its order.

    keys: one parser per sort key of a token; it raises ValueError for a text that is not such a key. A token can be
    forged, so its keys are checked as any other input is. newest_first: the list is in the opposite order.
    """
    page = read_page(fields, page_size=request.page_size, page_token=request.page_token, filters=filters)
    if page.after is not None and not _are_readable(page.after, keys):
        fields.add("page_token", "is not a token of this list")
    return replace(page, newest_first=newest_first)


def page_to_wire(
    rows: Sequence[T],
    page: Page,
    filters: Mapping[str, str],
    keys: Callable[[T], Sequence[str]],
    to_wire: Callable[[T], M],
) -> tuple[list[M], str]:
    """Return the messages of the page's rows and its next_page_token, which is empty on the last page.

    keys: a row's sort keys. The page ends early where its messages would be larger than PAGE_BYTES_MAX together.
    """
    shown = messages_that_fit(map(to_wire, rows[: page.size]))
    return shown, next_token(keys(rows[len(shown) - 1]), filters) if len(shown) < len(rows) else ""


def messages_that_fit(messages: Iterable[M]) -> list[M]:
    """Return the first messages, at least one, as many as are not larger than PAGE_BYTES_MAX together."""
    fitting: list[M] = []
    left = PAGE_BYTES_MAX
    for message in messages:
        left -= message.ByteSize() + FIELD_BYTES_MAX
        if fitting and left < 0:
            break
        fitting.append(message)
    return fitting


def read_page(fields: Fields, *, page_size: int, page_token: str, filters: Mapping[str, str]) -> Page:
    """Return the page that a list request names: page_size 0 means 50, more than 500 means 500.

    Records violations for a negative page_size, and for a token that next_token did not make with `filters`.
    """
    if page_size < 0:
        fields.add("page_size", "must not be negative")
    size = min(page_size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
    if not page_token:
        return Page(size, None)
    after = read_token(page_token, filters)
    if after is None:
        fields.add(
            "page_token", "must be the next_page_token of a response to the same request, filters unchanged"
        )
    return Page(size, after)


def _are_readable(after: Sequence[str], keys: Sequence[Callable[[str], object]]) -> bool:
    if len(after) != len(keys):
        return False
    try:
        for key, read in zip(after, keys, strict=True):
            read(key)
    except ValueError:
        return False
    return True
