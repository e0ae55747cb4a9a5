# SPDX-License-Identifier: Apache-2.0
"""RecordUsage: events go through the same lane as the gate's requests, in a second queue."""

import asyncio
from collections.abc import Callable, Sequence

from services.ledger.domain.usage.event import EventResult, RecordEvent
from services.ledger.operations.gate.gate import INTAKE_QUEUE, GateLane


class Intake:
    """Stores usage events and charges for them. Calls no other service."""

    def __init__(self, lane: GateLane, *, left_seconds: Callable[[], float | None]) -> None:
        self._lane = lane
        self._left_seconds = left_seconds

    async def record(self, events: Sequence[RecordEvent | EventResult]) -> list[EventResult]:
        """Record events in the order given; returns a result for each.

        A malformed event comes as its result, and is returned as it is. Raises LaneFull and LaneClosed, with nothing
        done; and Unavailable when the outcome of any of them is unknown: then all of them are to be repeated.
        """
        good = [event for event in events if isinstance(event, RecordEvent)]
        waiting = self._lane.put_all(good, left_seconds=self._left_seconds(), queue=INTAKE_QUEUE)
        results = iter(await asyncio.gather(*waiting))
        return [event if isinstance(event, EventResult) else next(results) for event in events]
