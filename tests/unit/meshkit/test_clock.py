# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta, timezone

import pytest

from meshkit.clock import ManualClock, SystemClock

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(NOON)

    assert clock.now() == NOON
    assert clock.now() == NOON
    clock.advance(timedelta(hours=1))

    assert clock.now() == NOON + timedelta(hours=1)


def test_a_manual_clock_may_be_set_to_its_present_time() -> None:
    clock = ManualClock(NOON)

    clock.advance_to(NOON)

    assert clock.now() == NOON


def test_a_manual_clock_never_goes_back_by_even_a_microsecond() -> None:
    clock = ManualClock(NOON)

    with pytest.raises(ValueError, match="earlier"):
        clock.advance_to(NOON - timedelta(microseconds=1))

    assert clock.now() == NOON


def test_a_manual_clock_returns_utc_whatever_zone_it_was_set_in() -> None:
    clock = ManualClock(datetime(2025, 6, 1, 14, tzinfo=timezone(timedelta(hours=2))))

    assert clock.now() == NOON
    assert clock.now().tzinfo is UTC


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        ManualClock(datetime(2025, 6, 1))


def test_the_system_clock_returns_aware_utc() -> None:
    assert SystemClock().now().tzinfo is UTC
