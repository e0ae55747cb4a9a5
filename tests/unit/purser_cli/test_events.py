# SPDX-License-Identifier: Apache-2.0
"""Lines of usage events: what is an event, and what is rejected with which reason."""

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest

from purser.ledger.v1 import usage_pb2 as pb
from purser_cli.importing.events import LineRejected, event_from_line
from purser_cli.importing.lines import LINE_BYTES_MAX, Line, Place, read_lines

EVENT = {
    "transaction_id": "tx-1",
    "customer": "acme",
    "event_type": "ai_call",
    "timestamp": "2025-06-01T12:00:00Z",
    "properties": {"units": "1.5"},
}


def lines_of(content: bytes) -> list[Line]:
    return list(read_lines(BytesIO(content), Place()))


def event_of(text: str | bytes) -> pb.UsageEvent:
    content = text.encode() if isinstance(text, str) else text
    (line,) = lines_of(content)
    return event_from_line(line)


def an_event(**more: object) -> pb.UsageEvent:
    return event_of(json.dumps(EVENT | more))


def test_a_line_is_an_event() -> None:
    event = an_event(hold_id="hld_1")

    assert an_event().hold_id == ""
    assert event.hold_id == "hld_1"
    assert (event.transaction_id, event.customer, event.event_type) == ("tx-1", "acme", "ai_call")
    assert event.timestamp.ToDatetime(UTC) == datetime(2025, 6, 1, 12, tzinfo=UTC)
    assert dict(event.properties) == {"units": "1.5"}


@pytest.mark.parametrize(
    ("text", "offset", "micros"),
    [
        ("2025-06-01T14:00:00+02:00", timedelta(0), 0),
        ("2025-06-01T08:30:00-03:30", timedelta(0), 0),
        ("2025-06-01t12:00:00z", timedelta(0), 0),
        ("2025-06-01 12:00:01.5Z", timedelta(seconds=1), 500_000),
        ("2025-06-01T12:00:00.123456789Z", timedelta(0), 123_456),
    ],
)
def test_a_time_has_a_zone_of_any_offset(text: str, offset: timedelta, micros: int) -> None:
    at = an_event(timestamp=text).timestamp.ToDatetime(UTC)

    assert at == datetime(2025, 6, 1, 12, tzinfo=UTC) + offset + timedelta(microseconds=micros)


@pytest.mark.parametrize(
    "text",
    [
        "2025-06-01T12:00:00",
        "2025-06-01T12:00:00+0200",
        "2025-06-01T12:00Z",
        "2025-06-01",
        "20250601T120000Z",
        "2025-06-31T12:00:00Z",
        "2025-06-01T12:00:60Z",
        "2025-06-01T12:00:00+24:00",
        "",
        "yesterday",
        1_748_779_200,
        None,
    ],
)
def test_a_time_without_a_zone_or_in_another_form_is_rejected(text: object) -> None:
    with pytest.raises(LineRejected) as rejected:
        an_event(timestamp=text)

    assert (rejected.value.reason, rejected.value.field) == ("INVALID_FIELD", "timestamp")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("5", "5"),
        ("-0.10", "-0.10"),
        ("12345678901234567890.123456789", "12345678901234567890.123456789"),
        ("1.5e3", "1500"),
        ("25E-1", "2.5"),
        ("1e40", "1" + 40 * "0"),
        ("1e41", "1e41"),
        ("1e99999999999999999999", "1e99999999999999999999"),
    ],
)
def test_a_number_keeps_every_digit(number: str, text: str) -> None:
    event = event_of(f'{{"properties": {{"units": {number}}}}}')

    assert event.properties["units"] == text


@pytest.mark.parametrize(
    ("text", "reason", "field"),
    [
        ("not json", "MALFORMED_JSON", ""),
        ('{"customer": "acme"', "MALFORMED_JSON", ""),
        ('{"customer": "acme"} {}', "MALFORMED_JSON", ""),
        ("[]", "MALFORMED_JSON", ""),
        ('"acme"', "MALFORMED_JSON", ""),
        (b'{"customer": "\xff"}', "MALFORMED_JSON", ""),
        ('{"properties": {"units": NaN}}', "MALFORMED_JSON", ""),
        ("[" * 200_000, "MALFORMED_JSON", ""),
        ('{"customer_id": "acme"}', "UNKNOWN_KEY", "customer_id"),
        ('{"customer": "a", "customer": "a"}', "DUPLICATE_KEY", "customer"),
        ('{"properties": {"a": "1", "b": "2", "a": "1"}}', "DUPLICATE_KEY", "a"),
        ('{"customer": 7}', "INVALID_FIELD", "customer"),
        ('{"transaction_id": null}', "INVALID_FIELD", "transaction_id"),
        ('{"event_type": ["ai_call"]}', "INVALID_FIELD", "event_type"),
        ('{"customer": "\\ud800"}', "INVALID_FIELD", "customer"),
        ('{"properties": []}', "INVALID_FIELD", "properties"),
        ('{"properties": {"units": true}}', "INVALID_FIELD", "properties[units]"),
        ('{"properties": {"units": null}}', "INVALID_FIELD", "properties[units]"),
        ('{"properties": {"units": {"in": 1}}}', "INVALID_FIELD", "properties[units]"),
        ('{"properties": {"units": "\\udfff"}}', "INVALID_FIELD", "properties[units]"),
        ('{"properties": {"\\udfff": "1"}}', "INVALID_FIELD", "properties"),
    ],
)
def test_what_is_no_event_is_rejected_with_reason_and_field(
    text: str | bytes, reason: str, field: str
) -> None:
    with pytest.raises(LineRejected) as rejected:
        event_of(text)

    assert (rejected.value.reason, rejected.value.field) == (reason, field)
    assert rejected.value.detail


def test_the_longest_line_is_read_and_one_byte_more_is_rejected() -> None:
    longest = json.dumps(EVENT).encode().ljust(LINE_BYTES_MAX)

    assert event_of(longest + b"\n").customer == "acme"
    assert event_of(longest).customer == "acme"
    for too_long in (longest + b" \n", longest + b" ", longest * 3 + b"\n"):
        with pytest.raises(LineRejected) as rejected:
            event_of(too_long)
        assert rejected.value.reason == "LINE_TOO_LONG"


def test_reading_goes_on_from_any_place_with_the_right_numbers() -> None:
    content = b"a\r\n\n" + b"x" * (3 * LINE_BYTES_MAX) + b"\nlast"
    lines = lines_of(content)

    assert [(line.number, line.is_too_long) for line in lines] == [
        (1, False),
        (2, False),
        (3, True),
        (4, False),
    ]
    assert [line.content for line in lines if not line.is_too_long] == [b"a", b"", b"last"]
    for skipped in range(4):
        place = lines[skipped].start
        assert list(read_lines(BytesIO(content), place)) == lines[skipped:]
    assert lines[-1].end == Place(4, len(content))
