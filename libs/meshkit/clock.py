# SPDX-License-Identifier: Apache-2.0
"""Time comes in by the door: whoever needs `now` is given a Clock and asks it once per request."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Something that knows the time."""

    def now(self) -> datetime:
        """Return the present instant: aware, UTC, microseconds."""
        ...


class SystemClock:
    """The machine's clock. Made only in a service's main."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is moved, and never moves back: for the sandbox and for tests."""

    def __init__(self, at: datetime) -> None:
        self._now = _as_utc(at)

    def now(self) -> datetime:
        return self._now

    def advance_to(self, at: datetime) -> None:
        """Move to `at`. The same instant is fine; an earlier one raises ValueError."""
        later = _as_utc(at)
        if later < self._now:
            raise ValueError(f"the clock stands at {self._now.isoformat()}; {later.isoformat()} is earlier")
        self._now = later

    def advance(self, delta: timedelta) -> None:
        """Move on by `delta` (≥ 0; raises ValueError otherwise)."""
        self.advance_to(self._now + delta)


def _as_utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone")
    return at.astimezone(UTC)
