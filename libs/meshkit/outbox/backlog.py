# SPDX-License-Identifier: Apache-2.0
"""What waits in an outbox, for StatusService and for /metrics."""

from dataclasses import dataclass
from datetime import datetime

from meshkit.metrics import DEAD_LETTERS, OUTBOX_OLDEST_SECONDS, OUTBOX_PENDING


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many notices are pending, since when the oldest of them is, and how many dead letters wait."""

    pending: int
    oldest_time: datetime | None
    dead_letters: int

    def show(self, outbox: str, *, at: datetime) -> None:
        """Show it in /metrics as of `at`, which may be earlier than the oldest notice: clocks of replicas differ."""
        age_seconds = 0.0 if self.oldest_time is None else (at - self.oldest_time).total_seconds()
        OUTBOX_PENDING.labels(outbox).set(self.pending)
        OUTBOX_OLDEST_SECONDS.labels(outbox).set(max(0.0, age_seconds))
        DEAD_LETTERS.labels(outbox).set(self.dead_letters)
