# SPDX-License-Identifier: Apache-2.0
"""RecordUsage: events go through the same lane as the gate's requests, in a second queue."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from services.ledger.domain.usage.event import EventResult, RecordEvent
from services.ledger.operations.gate.batch import GateRpc, UnreadRequest
from services.ledger.operations.gate.gate import INTAKE_QUEUE, GateLane

Event = TypeVar("Event")
WireResult = TypeVar("WireResult")


class Intake:
    """Stores usage events and charges for them, in the order given. Calls no other service.

    Both methods raise LaneFull and LaneClosed, with nothing done; and Unavailable when the outcome of any of the events
    is unknown: then all of them are to be repeated.
    """

    def __init__(self, lane: GateLane, *, left_seconds: Callable[[], float | None]) -> None:
        self._lane = lane
        self._left_seconds = left_seconds

    async def call_all(
        self, events: Sequence[Event], rpc: GateRpc[Event, EventResult, WireResult]
    ) -> list[WireResult]:
        """Record events as they came over the wire, and return a result for the wire for each.

        An event is read and its result written in its batch: a thousand at once would keep the gate waiting.
        """
        unread = [UnreadRequest(event, rpc) for event in events]
        return list(
            await asyncio.gather(
                *self._lane.put_all(unread, left_seconds=self._left_seconds(), queue=INTAKE_QUEUE)
            )
        )

    async def record(self, events: Sequence[RecordEvent]) -> list[EventResult]:
        """Record events, and return a result for each; a malformed one gets its rejection."""
        good = [event for event in events if event.rejection is None]
        waiting = self._lane.put_all(good, left_seconds=self._left_seconds(), queue=INTAKE_QUEUE)
        results = iter(await asyncio.gather(*waiting))
        return [next(results) if event.rejection is None else event.rejection for event in events]
