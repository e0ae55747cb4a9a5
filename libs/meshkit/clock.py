# SPDX-License-Identifier: Apache-2.0
"""Clocks. Time is injected: code that needs `now` takes a Clock as an argument and reads it once per request."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the current time: aware, UTC, in microseconds."""
        ...


class SystemClock:
    """The machine's clock. Only a service's main creates one."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that changes only when it is advanced, and never moves back: for the sandbox and for tests."""

    def __init__(self, at: datetime) -> None:
        self._now = _as_utc(at)

    def now(self) -> datetime:
        return self._now

    def advance_to(self, at: datetime) -> None:
        """Set the clock to `at`. The current time is accepted; an earlier one raises ValueError."""
        later = _as_utc(at)
        if later < self._now:
            raise ValueError(f"the clock is at {self._now.isoformat()}; {later.isoformat()} is earlier")
        self._now = later

    def advance(self, delta: timedelta) -> None:
        """Advance by `delta` (≥ 0; raises ValueError otherwise)."""
        self.advance_to(self._now + delta)


def _as_utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone")
    return at.astimezone(UTC)
