# SPDX-License-Identifier: Apache-2.0
"""ListDeliveries, ReplayDelivery."""

from collections.abc import Sequence

from meshkit.clock import Clock
from meshkit.page import Page
from services.alert.domain.commands import ReplayDelivery
from services.alert.domain.delivery import Delivery
from services.alert.domain.errors import DeliveryStillPending, WebhookEndpointDisabled
from services.alert.domain.queries import ListDeliveries
from services.alert.operations.ports import Courier
from services.alert.store import PostgresStore


class Deliveries:
    """Lists deliveries, and replays them."""

    def __init__(self, *, store: PostgresStore, courier: Courier, wall: Clock) -> None:
        self._store = store
        self._courier = courier
        self._wall = wall

    async def list(self, query: ListDeliveries, page: Page) -> Sequence[Delivery]:
        """Return a page, newest first, and one row more if there is one."""
        async with self._store.transaction() as tx:
            return await tx.deliveries.list(query, page)

    async def replay(self, command: ReplayDelivery) -> Delivery:
        """Make a finished delivery pending again, with the same id and body and 2 days of new tries.

        Raises DeliveryNotFound, DeliveryStillPending, WebhookEndpointDisabled.
        """
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, Delivery)) is not None:
                return first
            known = await tx.deliveries.get(command.delivery_id)
            # Lock the endpoint first, as DisableWebhookEndpoint does. So a disabled endpoint has no pending delivery.
            endpoint = await tx.endpoints.lock(known.webhook_endpoint_id)
            if endpoint.disable_time is not None:
                raise WebhookEndpointDisabled(webhook_endpoint_id=endpoint.webhook_endpoint_id)
            delivery = await tx.deliveries.replay(known.delivery_id, at=self._wall.now())
            if delivery is None:
                raise DeliveryStillPending(delivery_id=known.delivery_id)
            await tx.responses.store(command, delivery)
        self._courier.wake()
        return delivery
