# SPDX-License-Identifier: Apache-2.0
"""What became of many events: counts, and the events that are not recorded as they were sent.

Source: services/ledger/README.md, "Reported usage".
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.ledger.domain.usage.event import EventResult, EventStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An event that was rejected, or that is a duplicate of one with another content. event_index: from 0."""

    event_index: int
    result: EventResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The results of the first `event_count` events of a stream.

    by_status: new and rejected events. Duplicates are only in duplicate_count, whatever became of the first one.
    """

    event_count: int = 0
    by_status: Mapping[EventStatus, int]
    duplicate_count: int = 0
    problems: tuple[Problem, ...] = ()

    @classmethod
    def empty(cls) -> "Tally":
        return cls(by_status={})

    def plus(self, results: Sequence[EventResult]) -> "Tally":
        """Return the tally with the results of the events that follow."""
        found = Counter(result.status for result in results if not result.is_duplicate)
        return Tally(
            event_count=self.event_count + len(results),
            by_status=Counter(self.by_status) + found,
            duplicate_count=self.duplicate_count + sum(result.is_duplicate for result in results),
            problems=self.problems
            + tuple(
                Problem(event_index=index, result=result)
                for index, result in enumerate(results, start=self.event_count)
                if result.status is EventStatus.REJECTED or result.differs
            ),
        )
