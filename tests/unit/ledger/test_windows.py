# SPDX-License-Identifier: Apache-2.0
"""Windows that are counted in steps: calendar windows in a time zone, and rolling ones."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Credits
from services.ledger.domain.gate.windows import (
    CapWindow,
    SteppedWindow,
    Tally,
    count,
    counts_at,
    spent_in,
    step_at,
    stepped,
    steps_from,
)
from tests.unit.ledger.builders import PROPERTY, TICK

HOUR = timedelta(hours=1)
WEEK, MONTH, DAY = CapWindow.WEEK, CapWindow.MONTH, CapWindow.DAY
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
ZONES = ["UTC", BERLIN, NEW_YORK, "Asia/Kathmandu", "Pacific/Auckland", "America/Havana", "Africa/Cairo"]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def a_window(kind: CapWindow, zone: str = "UTC", hours: int = 0) -> SteppedWindow:
    window = stepped(kind, hours, zone)
    return SteppedWindow(kind.value, zone=zone) if window is None else window


# Each row: window, zone, an instant, and the first and the first later instant of its window.
CALENDAR = [
    (WEEK, "UTC", "2025-06-02", "2025-06-02", "2025-06-09"),
    (WEEK, "UTC", "2025-06-01 23:59:59.999999", "2025-05-26", "2025-06-02"),
    (MONTH, "UTC", "2025-12-31 23:59:59.999999", "2025-12-01", "2026-01-01"),
    (MONTH, "UTC", "2024-02-29", "2024-02-01", "2024-03-01"),
    (DAY, BERLIN, "2025-06-15 21:59:59", "2025-06-14 22:00", "2025-06-15 22:00"),
    (DAY, BERLIN, "2025-06-15 22:00", "2025-06-15 22:00", "2025-06-16 22:00"),
    # The clocks go forward on 30 March 2025 in Berlin: 23 hours. They go back on 26 October: 25 hours.
    (DAY, BERLIN, "2025-03-30 12:00", "2025-03-29 23:00", "2025-03-30 22:00"),
    (DAY, BERLIN, "2025-10-26 12:00", "2025-10-25 22:00", "2025-10-26 23:00"),
    (WEEK, BERLIN, "2025-03-30 21:59:59", "2025-03-23 23:00", "2025-03-30 22:00"),
    (MONTH, BERLIN, "2025-10-31 22:59:59", "2025-09-30 22:00", "2025-10-31 23:00"),
    (MONTH, NEW_YORK, "2025-03-01 04:59:59", "2025-02-01 05:00", "2025-03-01 05:00"),
    (MONTH, NEW_YORK, "2025-03-15", "2025-03-01 05:00", "2025-04-01 04:00"),
    # Cairo skips the first hour of 25 April 2025; Havana has the first hour of 2 November 2025 twice.
    (DAY, "Africa/Cairo", "2025-04-25 12:00", "2025-04-24 22:00", "2025-04-25 21:00"),
    (DAY, "America/Havana", "2025-11-02 04:30", "2025-11-02 04:00", "2025-11-03 05:00"),
    (DAY, "America/Havana", "2025-11-02 05:30", "2025-11-02 04:00", "2025-11-03 05:00"),
]


@pytest.mark.parametrize(("kind", "zone", "at", "start", "end"), CALENDAR)
def test_calendar_windows_begin_and_end_at_midnight_in_the_zone(
    kind: CapWindow, zone: str, at: str, start: str, end: str
) -> None:
    window = counts_at(a_window(kind, zone), None, utc(at))

    assert (window.start, window.end) == (utc(start), utc(end))


def test_usage_periods_and_utc_days_are_counted_anyway() -> None:
    assert stepped(CapWindow.BILLING_PERIOD, 0, BERLIN) is None
    assert stepped(CapWindow.DAY, 0, "UTC") is None
    assert stepped(CapWindow.DAY, 0, BERLIN) == SteppedWindow("DAY", zone=BERLIN)
    assert stepped(CapWindow.ROLLING, 24, BERLIN) == stepped(CapWindow.ROLLING, 24, "UTC")


def test_a_rolling_window_moves_in_sixty_steps_and_ends_when_its_oldest_spend_leaves() -> None:
    window = a_window(CapWindow.ROLLING, hours=24)
    spent_at = utc("2025-06-15 12:10")
    tally = count(window, None, Credits.of(10), at=spent_at, used_time=spent_at)
    last = utc("2025-06-16 12:24") - TICK  # its step is 12:00 to 12:24

    assert step_at(window, spent_at) == utc("2025-06-15 12:00")
    assert spent_in(window, tally, last) == Credits.of(10)
    assert counts_at(window, tally, last).end == last + TICK
    assert spent_in(window, tally, last + TICK) == Credits(0)


def test_what_is_reported_ahead_of_its_time_counts_in_a_rolling_window_at_once() -> None:
    window = a_window(CapWindow.ROLLING, hours=1)
    now, ahead = utc("2025-06-15 12:00"), utc("2025-06-15 20:00")
    tally = count(window, None, Credits.of(10), at=now, used_time=ahead)

    assert spent_in(window, tally, now) == Credits.of(10)
    assert spent_in(window, tally, ahead + HOUR) == Credits.of(10)
    assert spent_in(window, tally, ahead + HOUR + timedelta(minutes=1)) == Credits(0)


def test_a_window_never_goes_back() -> None:
    window = a_window(MONTH)
    july = utc("2025-07-01")
    tally = count(window, None, Credits.of(10), at=july, used_time=july)

    assert spent_in(window, tally, july - TICK) == Credits.of(10)
    assert counts_at(window, tally, july - TICK).start == july
    assert count(window, tally, Credits.of(5), at=july - TICK, used_time=july - TICK) == tally


def test_less_never_makes_a_step_negative() -> None:
    window = a_window(WEEK)
    at = utc("2025-06-15")
    tally = count(window, None, Credits.of(10), at=at, used_time=at)

    less = count(window, tally, -Credits.of(11), at=at, used_time=at)

    assert spent_in(window, less, at) == Credits(0)


INSTANTS = st.datetimes(datetime(2025, 3, 1), datetime(2025, 11, 30)).map(lambda at: at.replace(tzinfo=UTC))
WINDOWS = st.one_of(
    st.tuples(st.sampled_from([DAY, WEEK, MONTH]), st.sampled_from(ZONES), st.just(0)),
    st.tuples(st.just(CapWindow.ROLLING), st.just("UTC"), st.integers(1, 168)),
)
# Each: at, how long before or ahead of it the usage was, and how much.
SPENDS = st.lists(
    st.tuples(
        INSTANTS, st.integers(-48 * 60, 24 * 60).map(lambda m: timedelta(minutes=m)), st.integers(1, 9)
    ),
    max_size=12,
)


def _local_name(kind: CapWindow, zone: str, at: datetime) -> object:
    """Return what names the calendar window of an instant, by the calendar of the place."""
    day: date = at.astimezone(ZoneInfo(zone)).date()
    return {DAY: day, WEEK: day.isocalendar()[:2], MONTH: (day.year, day.month)}[kind]


@PROPERTY
@given(WINDOWS, SPENDS, INSTANTS)
def test_a_window_counts_as_a_list_of_spends_would(
    case: tuple[CapWindow, str, int], spends: list[tuple[datetime, timedelta, int]], asked: datetime
) -> None:
    kind, zone, hours = case
    window = a_window(kind, zone, hours)
    tally: Tally | None = None
    spends = sorted(spend for spend in spends if spend[0] <= asked)
    for at, offset, amount in spends:
        tally = count(window, tally, Credits.of(amount), at=at, used_time=at + offset)

    found = spent_in(window, tally, asked).micros // 1_000_000

    used = [(at + offset, amount) for at, offset, amount in spends]
    if hours:
        length, step = timedelta(hours=hours), timedelta(minutes=hours)
        at_least = sum(amount for time, amount in used if time > asked - length)
        at_most = sum(amount for time, amount in used if time > asked - length - step)
        assert at_least <= found <= at_most
    else:
        name = _local_name(kind, zone, asked)
        assert found == sum(amount for time, amount in used if _local_name(kind, zone, time) == name)


@PROPERTY
@given(WINDOWS, INSTANTS, st.integers(-10 * 24 * 60, 24 * 60))
def test_the_steps_to_sum_are_those_that_count(
    case: tuple[CapWindow, str, int], at: datetime, minutes: int
) -> None:
    window = a_window(*case)
    used_time = at + timedelta(minutes=minutes)
    tally = count(window, None, Credits.of(1), at=at, used_time=used_time)
    starts = steps_from(window, at)

    found = [start for start in starts if start <= used_time][-1:]

    assert starts == sorted(set(starts))
    assert list(tally.steps) == [start for start in found if start == step_at(window, used_time)]
    assert tally.since == starts[0]
