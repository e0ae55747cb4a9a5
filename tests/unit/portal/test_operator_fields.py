# SPDX-License-Identifier: Apache-2.0
"""What operators type, as exact values."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from meshkit.quantity import INT64_MAX
from purser.ledger.v1.ledger_admin_pb2 import HOLD_STATE_HELD, Hold
from services.portal.formats import instant
from services.portal.operator.acts.fields import EXAMPLE, Field, Kind, read
from services.portal.operator.showing import word

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("typed", "micros"),
    [
        ("12", 12_000_000),
        ("-0.000001", -1),
        ("1.5e3", 1_500_000_000),
        (" 7 ", 7_000_000),
        ("9223372036854.775807", INT64_MAX),
    ],
)
def test_credits_are_read_exactly(typed: str, micros: int) -> None:
    values, problems = read([Field(name="amount", kind=Kind.CREDITS)], {"amount": typed}, BERLIN)

    assert (values, problems) == ({"amount": micros}, {})


@pytest.mark.parametrize(
    "typed", ["0.0000001", "9223372036854.775808", "1,5", "ten", "NaN", "Infinity", "1e400"]
)
def test_what_is_no_amount_of_whole_micros_is_refused(typed: str) -> None:
    values, problems = read([Field(name="amount", kind=Kind.CREDITS)], {"amount": typed}, BERLIN)

    assert (values, problems) == ({}, {"amount": EXAMPLE})


def test_a_time_is_one_of_the_viewers_zone() -> None:
    field = Field(name="at", kind=Kind.TIME, is_required=False)

    values, _ = read([field], {"at": "2025-07-01T00:00"}, BERLIN)

    assert instant(values["at"]) == datetime(2025, 6, 30, 22, tzinfo=UTC)
    assert read([field], {}, BERLIN) == ({"at": None}, {})
    assert "at" in read([field], {"at": "tomorrow"}, BERLIN)[1]


def test_a_required_field_and_a_choice_are_checked() -> None:
    fields = [Field(name="reason"), Field(name="service", kind=Kind.ID, choices={"ledger": "Ledger"})]

    assert read(fields, {"reason": " ", "service": "other"}, BERLIN)[1] == {
        "reason": "This is required.",
        "service": "Choose one of the list.",
    }
    assert read(fields, {"reason": "why", "service": "ledger"}, BERLIN)[1] == {}


def test_values_of_enums_are_words_and_those_of_later_versions_numbers() -> None:
    of_later_version = Hold.FromString(b"\x20\x63")  # field 4 is 99

    assert word(Hold(hold_state=HOLD_STATE_HELD), "hold_state") == "held"
    assert word(of_later_version, "hold_state") == "99"
