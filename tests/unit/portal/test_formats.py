# SPDX-License-Identifier: Apache-2.0
"""Amounts and times as people read them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from purser.type.v1.money_pb2 import Money
from services.portal.formats import Formats, Instant

NOON = datetime(2025, 7, 3, 12, 0, tzinfo=UTC)
ENGLISH = Formats("en", ZoneInfo("UTC"), NOON)
GERMAN = Formats("de", ZoneInfo("Europe/Berlin"), NOON)


@pytest.mark.parametrize(
    ("micros", "english", "german"),
    [
        (0, "0", "0"),
        (493_548_387, "493.54", "493,54"),
        (493_549_999, "493.54", "493,54"),
        (400_000_000, "400", "400"),
        (1_234_567_100_000, "1,234,567.1", "1.234.567,1"),
        (9_999, "0", "0"),
        (10_000, "0.01", "0,01"),
        (-1_500_000, "-1.5", "-1,5"),
        (9_223_372_036_854_775_807, "9,223,372,036,854.77", "9.223.372.036.854,77"),
    ],
)
def test_credits_are_rounded_down_to_two_places(micros: int, english: str, german: str) -> None:
    assert ENGLISH.credits(micros) == english
    assert GERMAN.credits(micros) == german


def test_quantities_are_exact() -> None:
    assert ENGLISH.quantity(1_000_001) == "1.000001"
    assert ENGLISH.credits(1_000_001, places=6) == "1.000001"
    assert GERMAN.count(12_345) == "12.345"


@pytest.mark.parametrize(
    ("code", "micros", "english", "german"),
    [
        ("USD", 91_230_000, "$91.23", "91,23 $"),
        ("USD", 91_232_877, "$91.232877", "91,232877 $"),
        ("USD", -20_000_000, "-$20.00", "-20,00 $"),
        ("JPY", 500_000_000, "¥500", "500 ¥"),
    ],
)
def test_money_is_exact_in_its_currency(code: str, micros: int, english: str, german: str) -> None:
    money = Money(currency_code=code, micros=micros)

    assert ENGLISH.money(money) == english
    assert GERMAN.money(money).replace("\xa0", " ") == german


@pytest.mark.parametrize(
    ("part", "whole", "shown"), [(0, 0, "0%"), (1, 3, "33%"), (999, 1000, "99%"), (5, 5, "100%")]
)
def test_a_share_is_rounded_down(part: int, whole: int, shown: str) -> None:
    assert ENGLISH.percent(part, whole) == shown


def test_days_and_times_are_those_of_the_viewers_zone() -> None:
    late = datetime(2025, 6, 30, 22, 30, tzinfo=UTC)
    stamp = Timestamp()
    stamp.FromDatetime(late)

    assert [ENGLISH.date(late), GERMAN.date(late), GERMAN.date(stamp)] == [
        "30 Jun 2025",
        "01.07.2025",
        "01.07.2025",
    ]
    assert ENGLISH.date(date(2025, 7, 1)) == "1 Jul 2025"
    assert [ENGLISH.time(late), GERMAN.time(stamp)] == ["30 Jun 2025, 22:30", "01.07.2025, 00:30"]
    assert [ENGLISH.hour(late), GERMAN.hour(late)] == ["22:30", "00:30"]
    assert GERMAN.iso(late) == "2025-06-30T22:30:00Z"


@pytest.mark.parametrize(
    ("time", "english", "german"),
    [
        (NOON - timedelta(hours=3), "3 hours ago", "vor 3 Stunden"),
        (NOON + timedelta(days=2), "in 2 days", "in 2 Tagen"),
    ],
)
def test_distances_are_in_words(time: Instant, english: str, german: str) -> None:
    assert [ENGLISH.ago(time), GERMAN.ago(time)] == [english, german]
    assert ENGLISH.ago(time, time) == "in 0 seconds"
