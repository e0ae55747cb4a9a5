# SPDX-License-Identifier: Apache-2.0
"""How long one operation goes on, and when it tries again. No I/O: whoever waits is told for how long."""

import random
import time
from collections.abc import Callable
from datetime import timedelta

from grpc import StatusCode

from purser_client.faults import LedgerFault

# "Ask me again": nobody was there, somebody else was faster, too many are there, the replica is going away.
RETRIED = frozenset(
    {StatusCode.UNAVAILABLE, StatusCode.ABORTED, StatusCode.RESOURCE_EXHAUSTED, StatusCode.CANCELLED}
)
# When these are the last word, no answer could be had; every other code is one.
UNANSWERED = RETRIED | {StatusCode.DEADLINE_EXCEEDED}

FIRST_PAUSE_SECONDS = 0.02
PAUSE_SECONDS_MAX = 0.5
ATTEMPTS_MAX = 1_000


class Patience:
    """The time one operation has, retries and pauses included.

    now: a clock that only grows, in seconds. chance: gives 0 <= x < 1, so that callers do not return in step.
    """

    def __init__(
        self,
        deadline: timedelta,
        *,
        now: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._now = now
        self._chance = chance
        self._ends = now() + deadline.total_seconds()
        self.attempts = 0

    def seconds_left(self) -> float:
        """Return the seconds until the operation ends, >= 0."""
        return max(0.0, self._ends - self._now())

    def pause_after(self, fault: LedgerFault) -> float | None:
        """Count a failed attempt and return how many seconds to wait before the next; None: give up.

        Doubles from 20 ms to 500 ms, less a chance of up to a half; never less than the Ledger asks for. A pause
        that the time left does not cover is not begun.
        """
        self.attempts += 1
        if fault.code not in RETRIED or self.attempts >= ATTEMPTS_MAX:
            return None
        doubled = min(PAUSE_SECONDS_MAX, FIRST_PAUSE_SECONDS * 2 ** min(self.attempts - 1, 10))
        pause = doubled * (1 - self._chance() / 2)
        if fault.retry_after is not None:
            # A little more than asked, each a different little: those sent away together do not return together.
            pause = max(pause, fault.retry_after.total_seconds() * (1 + self._chance() / 4))
        return pause if pause < self.seconds_left() else None
