# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import InvalidFields
from meshkit.quantity import INT64_MAX
from meshkit.rpc.fields import Fields, optional_timestamp, span, timestamp

instants = st.datetimes(min_value=datetime(1970, 1, 1, 0, 0, 1), timezones=st.just(UTC))


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


COLOURS = {1: Colour.RED, 2: Colour.BLUE}


def complaint(use: Callable[[Fields], object]) -> str | None:
    """Return the message of the only violation, or None without a violation."""
    fields = Fields()
    use(fields)
    try:
        fields.check()
    except InvalidFields as error:
        (violation,) = error.violations
        return violation.description
    return None


def test_all_bad_fields_are_named_together_in_the_order_found() -> None:
    fields = Fields()
    fields.request_id("")
    fields.text("name", "fine")
    fields.micros("amount_micros", -1)
    fields.add("seats", "must be named")

    with pytest.raises(InvalidFields) as caught:
        fields.check()

    assert [violation.field for violation in caught.value.violations] == [
        "request_id",
        "amount_micros",
        "seats",
    ]
    assert caught.value.metadata == {"count": "3"}


def test_a_request_without_a_bad_field_passes() -> None:
    fields = Fields()

    assert fields.text("name", "Acme") == "Acme"
    assert fields.micros("amount_micros", 5) == 5
    fields.check()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("a", None),
        ("x" * 200, None),
        ("x" * 201, "must have at most 200 characters, has 201"),
        ("", "is required"),
        ("  ", "must not be blank"),
        ("a\x00b", "must not contain control characters"),
        ("a\nb", "must not contain control characters"),
        ("Ærøskøbing 漢字", None),
    ],
)
def test_a_text_is_present_short_enough_and_printable(value: str, says: str | None) -> None:
    assert complaint(lambda fields: fields.text("name", value)) == says


def test_an_optional_text_may_be_empty_even_with_a_pattern() -> None:
    assert complaint(lambda fields: fields.text("name", "", required=False, pattern="[a-z]+")) is None


@pytest.mark.parametrize(
    ("value", "fits"), [("abc", True), ("abcD", False), ("abc\n", False), ("Dabc", False)]
)
def test_a_pattern_must_match_the_whole_text(value: str, fits: bool) -> None:
    says = complaint(lambda fields: fields.text("name", value, pattern="[a-z]+"))

    assert (says is None) == fits


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("0198f2c4-7d1e-7a00-8000-000000000000", True),
        ("A.b_c:d-1", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("", False),
        ("a b", False),
        ("é", False),
        ("a\n", False),
    ],
)
def test_a_request_id_is_1_to_64_plain_characters(value: str, fits: bool) -> None:
    assert (complaint(lambda fields: fields.request_id(value)) is None) == fits


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (0, None),
        (-1, "must be at least 0"),
        (INT64_MAX, None),
        (INT64_MAX + 1, f"must be at most {INT64_MAX}"),
    ],
)
def test_micros_are_not_negative_and_fit_an_int64(value: int, says: str | None) -> None:
    assert complaint(lambda fields: fields.micros("amount_micros", value)) == says


@pytest.mark.parametrize(("value", "fits"), [(0, False), (1, True), (1_000, True), (1_001, False)])
def test_a_count_lies_between_its_bounds_inclusive(value: int, fits: bool) -> None:
    assert (complaint(lambda fields: fields.count("n", value, minimum=1, maximum=1_000)) is None) == fits


@given(instants)
def test_every_instant_survives_encoding(at: datetime) -> None:
    assert Fields().time("at", timestamp(at), True) == at


def test_nanoseconds_are_truncated_to_microseconds() -> None:
    at = Fields().time("at", Timestamp(seconds=1, nanos=1_999), True)

    assert at == datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)


# PostgreSQL's driver takes this instant for infinity.
TOO_LATE = "must be before the last microsecond of 9999; leave it out if it never comes"


@pytest.mark.parametrize(
    ("message", "has", "says"),
    [
        (Timestamp(), False, "is required"),
        (Timestamp(), True, "must not be the zero timestamp; leave it out instead"),
        (Timestamp(nanos=999), True, "must not be the zero timestamp; leave it out instead"),
        (Timestamp(nanos=1_000), True, None),
        (Timestamp(seconds=-1), True, "must be a time between 1970 and 9999"),
        (Timestamp(seconds=1, nanos=-1), True, "must be a time between 1970 and 9999"),
        (Timestamp(seconds=1, nanos=1_000_000_000), True, "must be a time between 1970 and 9999"),
        (Timestamp(seconds=253_402_300_799, nanos=999_998_999), True, None),
        (Timestamp(seconds=253_402_300_799, nanos=999_999_000), True, TOO_LATE),
        (Timestamp(seconds=253_402_300_799, nanos=999_999_999), True, TOO_LATE),
        (Timestamp(seconds=253_402_300_800), True, "must be a time between 1970 and 9999"),
        (Timestamp(seconds=INT64_MAX), True, "must be a time between 1970 and 9999"),
    ],
)
def test_a_required_time_is_present_and_valid(message: Timestamp, has: bool, says: str | None) -> None:
    assert complaint(lambda fields: fields.time("at", message, has)) == says


def test_an_optional_time_may_be_absent_but_not_zero() -> None:
    fields = Fields()

    assert fields.optional_time("at", Timestamp(), False) is None
    fields.check()
    assert complaint(lambda fields: fields.optional_time("at", Timestamp(), True)) is not None


@pytest.mark.parametrize(
    ("message", "fits"),
    [
        (Duration(nanos=999_999_999), False),
        (Duration(seconds=1), True),
        (Duration(seconds=86_400), True),
        (Duration(seconds=86_400, nanos=1_000), False),
        (Duration(seconds=-5), False),
        (Duration(seconds=INT64_MAX), False),
    ],
)
def test_a_span_lies_between_its_bounds_inclusive(message: Duration, fits: bool) -> None:
    says = complaint(
        lambda fields: fields.duration(
            "ttl",
            message,
            True,
            default=timedelta(minutes=5),
            minimum=timedelta(seconds=1),
            maximum=timedelta(days=1),
        )
    )

    assert says == (None if fits else "must be between 1 s and 86400 s")


def test_an_absent_span_is_its_default() -> None:
    five = timedelta(minutes=5)

    assert Fields().duration("ttl", Duration(), False, default=five, minimum=five, maximum=five) == five


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3_000_000)))
def test_every_span_survives_encoding(length: timedelta) -> None:
    wire = span(length)

    read = Fields().duration(
        "ttl", wire, True, default=timedelta(0), minimum=timedelta(0), maximum=timedelta(days=3_000_000)
    )

    assert read == length


@pytest.mark.parametrize(("number", "colour"), [(1, Colour.RED), (2, Colour.BLUE)])
def test_a_known_choice_becomes_the_value_it_stands_for(number: int, colour: Colour) -> None:
    assert Fields().choice("colour", number, COLOURS) is colour


@pytest.mark.parametrize("number", [0, 3, -1])
def test_an_unspecified_or_unknown_choice_is_refused_with_the_allowed_names(number: int) -> None:
    assert complaint(lambda fields: fields.choice("colour", number, COLOURS)) == "must be one of RED, BLUE"


def test_an_absent_instant_has_no_wire_form() -> None:
    assert optional_timestamp(None) is None
    assert optional_timestamp(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == Timestamp(seconds=1)
