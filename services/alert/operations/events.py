# SPDX-License-Identifier: Apache-2.0
"""PublishEvent: an event of Contract is stored, and posted once to each endpoint that wants its type."""

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.alert.domain.commands import PublishEvent
from services.alert.domain.event import EventReceipt
from services.alert.domain.invoice_total import INVOICE_EVENTS
from services.alert.operations.notifying import notify
from services.alert.operations.ports import Courier
from services.alert.store import PostgresStore


class Events:
    """Accepts what Contract publishes. invoices: watches those. wall: dates deliveries."""

    def __init__(
        self, *, store: PostgresStore, courier: Courier, invoices: Courier, wall: Clock, ids: Ids
    ) -> None:
        self._store = store
        self._invoices = invoices
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
        if event.event_type in INVOICE_EVENTS:
            self._invoices.wake()
        return receipt
