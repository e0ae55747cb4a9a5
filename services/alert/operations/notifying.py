# SPDX-License-Identifier: Apache-2.0
"""Queues a notification: one delivery for each enabled endpoint that wants its type."""

from datetime import datetime

from meshkit.ids import Ids
from services.alert.domain.alert import CustomerId
from services.alert.domain.delivery import DeliveryId, Edge, NewDelivery
from services.alert.domain.event import EventId, EventType
from services.alert.store import Transaction


async def notify(
    tx: Transaction,
    event_type: EventType,
    cause: Edge | EventId,
    *,
    customer_id: CustomerId,
    payload: str,
    at: datetime,
    ids: Ids,
) -> None:
    """Insert the deliveries, due at once. at: wall time. Wake the courier after the commit."""
    await tx.deliveries.insert(
        [
            NewDelivery(
                delivery_id=DeliveryId(ids.new("dlv")),
                webhook_endpoint_id=webhook_endpoint_id,
                cause=cause,
                customer_id=customer_id,
                event_type=event_type,
                create_time=at,
                payload=payload,
            )
            for webhook_endpoint_id in await tx.endpoints.hold_enabled(event_type)
        ]
    )
