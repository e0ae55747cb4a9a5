# SPDX-License-Identifier: Apache-2.0
"""When an operation is retried, and when it gives up. No I/O: the caller sleeps for the returned pause."""

import random
import time
from collections.abc import Callable
from datetime import timedelta

from grpc import StatusCode

from purser_client.faults import LedgerFault

# Retrying may help: no server was reachable, another transaction won, the Ledger is overloaded, a replica is stopping.
RETRIED = frozenset(
    {StatusCode.UNAVAILABLE, StatusCode.ABORTED, StatusCode.RESOURCE_EXHAUSTED, StatusCode.CANCELLED}
)
# An operation that ends with one of these got no answer from the Ledger. Every other code is an answer.
UNANSWERED = RETRIED | {StatusCode.DEADLINE_EXCEEDED}

FIRST_PAUSE_SECONDS = 0.02
PAUSE_SECONDS_MAX = 0.5
ATTEMPTS_MAX = 1_000
# Attempts that a refused token may take; after them it is not the token that is wrong.
TOKENS_MAX = 3


class RetrySchedule:
    """The time that one operation has, including its retries and the pauses between them.

    now: a monotonic clock, in seconds. chance: returns 0 <= x < 1; it spreads the retries of many callers.
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
        """Count a failed attempt. Return the seconds to wait before the next one; None: give up.

        The pause doubles from 20 ms to 500 ms, minus a random share of up to one half. It is never shorter than the
        Ledger asks for. Gives up when the pause would last longer than the time that is left.
        """
        self.attempts += 1
        if fault.is_renewable and self.attempts < TOKENS_MAX:
            return 0.0
        if fault.code not in RETRIED or self.attempts >= ATTEMPTS_MAX:
            return None
        doubled = min(PAUSE_SECONDS_MAX, FIRST_PAUSE_SECONDS * 2 ** min(self.attempts - 1, 10))
        pause = doubled * (1 - self._chance() / 2)
        if fault.retry_after is not None:
            # Up to a quarter longer than the Ledger asks, at random: callers rejected together do not return together.
            pause = max(pause, fault.retry_after.total_seconds() * (1 + self._chance() / 4))
        return pause if pause < self.seconds_left() else None
