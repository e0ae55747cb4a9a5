# SPDX-License-Identifier: Apache-2.0
"""Stores an event and queues its notifications: one delivery for each enabled endpoint that wants its type."""

from datetime import datetime

from meshkit.ids import Ids
from services.alert.domain.delivery import DeliveryId, NewDelivery
from services.alert.domain.event import Occurrence, event_from
from services.alert.operations.ports import Courier
from services.alert.store import Transaction


async def notify(tx: Transaction, occurrence: Occurrence, *, at: datetime, ids: Ids) -> None:
    """Insert the event and its deliveries, due at once. at: wall time. Wake the courier after the commit.

    It goes to the vendor's endpoints that want its type, unless it is of a customer's own alert, and to the
    destinations of its customer.
    """
    sequence = await tx.events.next_sequence(occurrence.customer_id)
    event = event_from(occurrence, customer_sequence=sequence, at=at)
    await tx.events.insert(event)
    endpoints = [] if occurrence.is_own else await tx.endpoints.hold_wanting(event.event_type)
    endpoints += await tx.destinations.hold_wanting(occurrence)
    await tx.deliveries.insert(
        [
            NewDelivery(
                delivery_id=DeliveryId(ids.new("dlv")),
                webhook_endpoint_id=webhook_endpoint_id,
                event=event,
                create_time=at,
            )
            for webhook_endpoint_id in endpoints
        ]
    )


class Couriers:
    """Wakes several couriers: webhooks and the feed."""

    def __init__(self, *couriers: Courier) -> None:
        self._couriers = list(couriers)

    def add(self, courier: Courier) -> None:
        self._couriers.append(courier)

    def wake(self) -> None:
        for courier in self._couriers:
            courier.wake()
