# SPDX-License-Identifier: Apache-2.0
"""How much a customer uses of a product, and how much of it to lease. No I/O."""

from typing import Final

WINDOW_SECONDS: Final = 1.0
# A lease is for so many seconds of the use of the last one.
AHEAD_SECONDS: Final = 2
# A lease has at most this share of what is available, so that no process starves another.
SHARE: Final = 10
# A lease is asked for once there are so many calls in a second: below, single calls are cheaper.
CALLS_MIN: Final = 3
# It is for so many average calls at least, so that its first renewal is not due at once...
CALLS_ASKED_MIN: Final = 20
# ...or there is none: near zero every call is decided by the Ledger.
CALLS_LEASED_MIN: Final = 5


class Demand:
    """Calls and credits (micros) of about the last second: the window before by its overlap, and this one."""

    __slots__ = ("_before", "_now", "_starts", "_used_at")

    def __init__(self, now: float) -> None:
        self._starts = now
        self._used_at = now
        self._now = self._before = (0, 0)

    def add(self, calls: int, micros: int, now: float) -> None:
        self._roll(now)
        self._now = (self._now[0] + calls, self._now[1] + micros)
        self._used_at = now

    def in_last_second(self, now: float) -> tuple[float, float]:
        """Return the calls and their credits in micros."""
        self._roll(now)
        overlap = 1 - (now - self._starts) / WINDOW_SECONDS
        return (self._now[0] + overlap * self._before[0], self._now[1] + overlap * self._before[1])

    def idle_seconds(self, now: float) -> float:
        """Return the seconds since a call, 0 if there was one in the last two windows."""
        self._roll(now)
        return now - self._used_at if self._now == self._before == (0, 0) else 0.0

    def _roll(self, now: float) -> None:
        windows = int((now - self._starts) / WINDOW_SECONDS)
        if windows > 0:
            self._before = self._now if windows == 1 else (0, 0)
            self._now = (0, 0)
            self._starts += windows * WINDOW_SECONDS


def lease_micros(demand: Demand, *, available_micros: int, calls_min: float = CALLS_MIN, now: float) -> int:
    """Return how much to lease; 0: nothing, because use is rare or credits are nearly gone.

    available_micros: what could be leased, including what this lease has already. calls_min: in the last second.
    """
    calls, micros = demand.in_last_second(now)
    if calls < calls_min or calls <= 0:
        return 0
    average = micros / calls
    wanted = max(AHEAD_SECONDS * micros, CALLS_ASKED_MIN * average)
    share = available_micros // SHARE
    if share < CALLS_LEASED_MIN * average:
        return 0
    return max(1, min(int(wanted), share))
