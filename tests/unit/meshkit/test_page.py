# SPDX-License-Identifier: Apache-2.0
import base64
import json
from collections.abc import Callable

import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import InvalidFields
from meshkit.page import Page, next_token
from meshkit.rpc.fields import Fields
from meshkit.rpc.paging import (
    FIELD_BYTES_MAX,
    PAGE_BYTES_MAX,
    number_key,
    page_from_wire,
    page_to_wire,
    read_page,
    text_key,
    time_key,
)

FILTERS = {"customer_id": "cus_1"}

texts = st.text(max_size=60)


def read(page_token: str, filters: dict[str, str] = FILTERS, page_size: int = 0) -> Page:
    fields = Fields()
    page = read_page(fields, page_size=page_size, page_token=page_token, filters=filters)
    fields.check()
    return page


@pytest.mark.parametrize(
    ("asked", "given"), [(0, 50), (1, 1), (499, 499), (500, 500), (501, 500), (2**31 - 1, 500)]
)
def test_a_page_has_50_rows_unless_asked_and_never_more_than_500(asked: int, given: int) -> None:
    assert read("", page_size=asked) == Page(given, None)


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(InvalidFields, match="page_size must not be negative"):
        read("", page_size=-1)


@given(st.lists(texts, min_size=1, max_size=3), st.dictionaries(texts, texts, max_size=3))
def test_a_token_leads_to_the_row_it_was_made_for(after: list[str], filters: dict[str, str]) -> None:
    assert read(next_token(after, filters), filters).after == tuple(after)


def test_the_order_of_the_filters_does_not_matter() -> None:
    token = next_token(["a"], {"x": "1", "y": "2"})

    assert read(token, {"y": "2", "x": "1"}).after == ("a",)


@pytest.mark.parametrize("other", [{}, {"customer_id": "cus_2"}, {"customer_id": "cus_1", "kind": ""}])
def test_a_token_is_refused_with_other_filters(other: dict[str, str]) -> None:
    with pytest.raises(InvalidFields, match="page_token must be the next_page_token"):
        read(next_token(["a"], FILTERS), other)


def test_an_edited_token_is_refused() -> None:
    token = next_token(["a"], FILTERS)
    content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    content["after"] = ["b"]
    edited = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()

    with pytest.raises(InvalidFields):
        read(edited)


@given(st.one_of(texts, st.binary(max_size=80).map(lambda data: base64.urlsafe_b64encode(data).decode())))
def test_an_invented_token_is_refused_and_never_an_internal_error(token: str) -> None:
    if token:
        with pytest.raises(InvalidFields):
            read(token)


@pytest.mark.parametrize(
    "content", ["[]", '{"after":"a","seal":""}', '{"after":[1],"seal":""}', '{"after":["a"]}', "[" * 900]
)
def test_a_token_of_another_shape_is_refused(content: str) -> None:
    with pytest.raises(InvalidFields):
        read(base64.urlsafe_b64encode(content.encode()).decode())


class Asked:
    """A List request."""

    def __init__(self, page_token: str) -> None:
        self.page_size = 0
        self.page_token = page_token


FORGED = (
    (text_key, ["a\0b", "\ud800", "x" * 1_001]),
    (time_key, ["", "yesterday", "2025-06-01", "2025-06-01T00:00:00", "9999-12-31T23:59:59+00:00"]),
    (time_key, ["0001-01-01T00:00:00+00:00", "1969-12-31T23:59:59+00:00", "2025-06-01T00:00:00+99:00"]),
    (number_key, ["", "-1", "one", "9223372036854775808", "9" * 5_000, "1e3", "0x1"]),
)


@pytest.mark.parametrize(("key", "text"), [(key, text) for key, texts in FORGED for text in texts])
def test_a_forged_token_whose_keys_no_row_has_is_refused(key: Callable[[str], object], text: str) -> None:
    fields = Fields()

    page_from_wire(fields, Asked(next_token([text], FILTERS)), FILTERS, keys=(key,))

    with pytest.raises(InvalidFields, match="page_token"):
        fields.check()


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (text_key, "x" * 1_000),
        (time_key, "1970-01-01T00:00:00+00:00"),
        (time_key, "9998-12-31T23:59:59.999999+00:00"),
        (number_key, "0"),
        (number_key, "9223372036854775807"),
    ],
)
def test_the_outermost_keys_that_a_row_may_have_are_read(key: Callable[[str], object], text: str) -> None:
    fields = Fields()

    page = page_from_wire(fields, Asked(next_token([text], FILTERS)), FILTERS, keys=(key,))

    fields.check()
    assert page.after == (text,)


def _shown(sizes: list[int], page_size: int = 500) -> tuple[list[int], str]:
    """Return the sizes of the messages on the first page of a list of messages of these sizes, and its token."""
    rows = list(enumerate(sizes))
    messages, token = page_to_wire(
        rows, Page(page_size, None), FILTERS, lambda row: (str(row[0]),), lambda row: _message(row[1])
    )
    return [message.ByteSize() for message in messages], token


def _message(size: int) -> BytesValue:
    """Return a message of so many bytes, at least 100,000."""
    message = BytesValue(value=bytes(size - 5))
    message.value = bytes(size - (message.ByteSize() - len(message.value)))
    return message


FITS = PAGE_BYTES_MAX // 4 - FIELD_BYTES_MAX


@pytest.mark.parametrize(
    ("sizes", "shown", "last"),
    [
        ([FITS] * 4, 4, None),
        ([FITS] * 5, 4, "3"),
        ([FITS, FITS, FITS, FITS + 1], 3, "2"),
        ([PAGE_BYTES_MAX, 100_000], 1, "0"),  # a page has at least one row
        ([100_000, PAGE_BYTES_MAX], 1, "0"),
        ([PAGE_BYTES_MAX], 1, None),
    ],
)
def test_a_page_ends_where_the_next_message_would_not_fit(
    sizes: list[int], shown: int, last: str | None
) -> None:
    messages, token = _shown(sizes)

    assert messages == sizes[:shown]
    assert token == ("" if last is None else next_token([last], FILTERS))


def test_a_page_ends_at_its_size_if_all_messages_fit() -> None:
    assert _shown([100_000] * 3, page_size=2) == ([100_000] * 2, next_token(["1"], FILTERS))
    assert _shown([], page_size=2) == ([], "")
