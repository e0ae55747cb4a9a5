# SPDX-License-Identifier: Apache-2.0
"""Pages on the wire: stores give one row more than a page holds, so that the last page is known to be it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from meshkit.page import Page, next_token, read_page
from meshkit.rpc.fields import Fields

T = TypeVar("T")


class PagedRequest(Protocol):
    """Any List request."""

    @property
    def page_size(self) -> int: ...
    @property
    def page_token(self) -> str: ...


def page_from_wire(
    fields: Fields,
    request: PagedRequest,
    filters: Mapping[str, str],
    *,
    keys: Sequence[Callable[[str], object]] = (str,),
) -> Page:
    """Return the page asked for. filters: they, and the list's name, bind its tokens.

    keys: what reads each sort key of a token, by ValueError telling that it is none.
    """
    page = read_page(fields, page_size=request.page_size, page_token=request.page_token, filters=filters)
    if page.after is not None and not _are_readable(page.after, keys):
        fields.add("page_token", "is not a token of this list")
    return page


def page_to_wire(
    rows: Sequence[T], page: Page, filters: Mapping[str, str], keys: Callable[[T], Sequence[str]]
) -> tuple[Sequence[T], str]:
    """Return the rows to show, and the next_page_token: empty when there are no more. keys: a row's sort keys."""
    shown = rows[: page.size]
    return shown, next_token(keys(shown[-1]), filters) if len(rows) > page.size else ""


def _are_readable(after: Sequence[str], keys: Sequence[Callable[[str], object]]) -> bool:
    if len(after) != len(keys):
        return False
    try:
        for key, read in zip(after, keys, strict=True):
            read(key)
    except ValueError:
        return False
    return True
