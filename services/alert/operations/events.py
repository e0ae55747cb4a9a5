# SPDX-License-Identifier: Apache-2.0
"""PublishEvent: an event of Contract is stored, and posted once to each endpoint that wants its type."""

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.alert.domain.commands import PublishEvent
from services.alert.domain.event import EventReceipt
from services.alert.operations.notifying import notify
from services.alert.operations.ports import Courier
from services.alert.store import PostgresStore


class Events:
    """Accepts what Contract publishes. wall: dates deliveries."""

    def __init__(self, *, store: PostgresStore, courier: Courier, wall: Clock, ids: Ids) -> None:
        self._store = store
        self._courier = courier
        self._wall = wall
        self._ids = ids

    async def publish(self, command: PublishEvent) -> EventReceipt:
        """Store an event and queue its webhooks."""
        event, receipt = command.event, EventReceipt()
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, EventReceipt)) is not None:
                return first
            # Its notice may be repeated when the response to the first one is forgotten already.
            if not await tx.events.has(event.event_id):
                await notify(tx, event, at=self._wall.now(), ids=self._ids)
            await tx.responses.store(command, receipt)
        self._courier.wake()
        return receipt
