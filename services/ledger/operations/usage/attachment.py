# SPDX-License-Identifier: Apache-2.0
"""Attaches events that came before their customer: once somebody has their name, they are recorded like others.

It may run late, twice, or on two replicas at once: an event is recorded once per customer and transaction_id.
"""

from collections.abc import Iterable
from datetime import timedelta

import structlog

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.ledger.domain.usage.event import LATE_MAX, EventResult, EventStatus
from services.ledger.operations.usage.intake import Intake
from services.ledger.store import PostgresStore

log = structlog.get_logger()

CHORE = "attach"
EVERY = timedelta(minutes=5)
EVENTS_PER_STEP = 500
STEPS_AT_ONCE_MAX = 2
NAMES_PER_RUN_MAX = 1_000
# An event that is rejected when it is attached is tried again after this time: its rate may have been added since.
RETRY_AFTER = timedelta(hours=1)


class Attachment:
    """Records waiting events. clock: dates events; wall: dates the chore."""

    def __init__(self, *, store: PostgresStore, intake: Intake, clock: Clock, wall: Clock) -> None:
        self._store = store
        self._intake = intake
        self._clock = clock
        self._wall = wall

    async def attach_now(self, names: Iterable[str]) -> None:
        """Attach the first events of a customer that has just become known; the rest follows in `run`."""
        try:
            for name in names:
                await self._attach(name, steps_max=STEPS_AT_ONCE_MAX)
        except MeshError as error:
            log.warning("events_not_attached", reason=error.reason)

    async def run(self) -> int:
        """Attach all that waits for known customers, if it is this replica's turn; returns how many events it took.

        Events that nobody's name was given to within 34 days are dropped.
        """
        now = self._wall.now()
        if not await self._store.run(lambda tx: tx.retention.claim(CHORE, at=now, due_again=now + EVERY)):
            return 0
        names = await self._store.run(lambda tx: tx.events.names_to_attach(NAMES_PER_RUN_MAX))
        attached = 0
        for name in names:
            attached += await self._attach(name, steps_max=None)
        received_before = self._clock.now() - LATE_MAX
        dropped = await self._store.run(
            lambda tx: tx.events.drop_unattached(received_before=received_before, rows_max=EVENTS_PER_STEP)
        )
        if dropped:
            log.warning("unattached_events_dropped", events=dropped)
        return attached

    async def _attach(self, name: str, *, steps_max: int | None) -> int:
        """Attach what waits under a name, step by step; returns how many events it took."""
        attached, steps = 0, 0
        while steps_max is None or steps < steps_max:
            steps += 1
            taken = await self._step(name)
            if taken is None:
                break
            attached += taken
        return attached

    async def _step(self, name: str) -> int | None:
        """Try the next events of a name; returns how many were recorded, None if there are none to try."""
        at = self._clock.now()
        events = await self._store.run(
            lambda tx: tx.events.waiting(name, tried_before=at - RETRY_AFTER, events_max=EVENTS_PER_STEP)
        )
        if not events:
            return None
        results = await self._intake.record(events)
        done: list[str] = []
        tried: list[str] = []
        for event, result in zip(events, results, strict=True):
            (done if _is_stored(result) else tried).append(event.transaction_id)
        await self._store.run(lambda tx: tx.events.settle_waiting(name, done=done, tried=tried, at=at))
        return len(done)


def _is_stored(result: EventResult) -> bool:
    return result.status not in (EventStatus.REJECTED, EventStatus.UNATTACHED)
