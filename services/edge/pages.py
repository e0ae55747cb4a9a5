# SPDX-License-Identifier: Apache-2.0
"""Pages: Metronome's cursors are our page tokens, passed through."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from services.edge.faults import Refused

# Where an answer has no pages in Metronome's form, it is put together from at most so many of ours.
PAGES_MAX = 20


class ListResponse(Protocol):
    """A page of one of our lists."""

    @property
    def next_page_token(self) -> str: ...


R = TypeVar("R", bound=ListResponse)


async def all_pages(ask: Callable[[str], Awaitable[R]]) -> AsyncIterator[R]:
    """Yield every page of a list. ask: gets the page token. Raises Refused if there are too many."""
    token = ""
    for _ in range(PAGES_MAX):
        listed = await ask(token)
        yield listed
        token = listed.next_page_token
        if not token:
            return
    raise Refused(
        400, "the answer is too large; ask for less, such as a shorter span of time or one customer"
    )


def page_of(items: Sequence[object], next_page_token: str, *, key: str = "next_page") -> dict[str, object]:
    """Return a page in Metronome's form. key: where its SDK looks for the cursor."""
    return {"data": list(items), key: next_page_token or None}
