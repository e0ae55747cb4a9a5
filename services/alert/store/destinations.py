# SPDX-License-Identifier: Apache-2.0
"""Statements about the destinations of customers: what an endpoint of the kind EMAIL lacks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from access import current_caller
from meshkit.page import Page
from services.alert.domain.alert import CustomerId
from services.alert.domain.delivery import Delivery
from services.alert.domain.destination import Code, Destination
from services.alert.domain.endpoint import WebhookEndpointId
from services.alert.domain.errors import DestinationNotFound, WebhookEndpointNotFound
from services.alert.domain.event import ALERT_EVENTS, EventType, Occurrence
from services.alert.store.deliveries import DELIVERY_COLUMNS, delivery_from_row
from services.alert.tables import deliveries, destinations, webhook_endpoints

_SELECT = select(
    destinations.c.webhook_endpoint_id,
    destinations.c.customer_id,
    destinations.c.event_types,
    destinations.c.confirm_time,
    destinations.c.remove_time,
    destinations.c.code,
    destinations.c.code_expire_time,
    destinations.c.code_tries,
    webhook_endpoints.c.recipients,
    webhook_endpoints.c.create_time,
    webhook_endpoints.c.disable_time,
).join_from(
    destinations,
    webhook_endpoints,
    destinations.c.webhook_endpoint_id == webhook_endpoints.c.webhook_endpoint_id,
)
_IS_KEPT = destinations.c.remove_time.is_(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A destination with its code."""

    destination: Destination
    code: Code


class StoredDestinations:
    """The event types are here and not in the endpoint's row, where a replica of the previous version would look."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, destination: Destination, code: Code) -> None:
        """Insert a destination whose endpoint is inserted already."""
        await self._connection.execute(
            insert(destinations).values(
                webhook_endpoint_id=destination.destination_id,
                customer_id=destination.customer_id,
                event_types=[one.value for one in destination.event_types],
                code=code.text,
                code_expire_time=code.expire_time,
                code_tries=code.tries,
                create_time=destination.create_time,
            )
        )

    async def get(self, destination_id: WebhookEndpointId) -> Destination:
        """Return a destination, removed or not. Raises DestinationNotFound."""
        found = await self._connection.execute(
            _SELECT.where(destinations.c.webhook_endpoint_id == destination_id)
        )
        return _known(found.first(), destination_id).destination

    async def lock(self, destination_id: WebhookEndpointId) -> Coded:
        """Return a destination and its code, locked until the commit. Raises DestinationNotFound."""
        wanted = _SELECT.where(destinations.c.webhook_endpoint_id == destination_id)
        found = await self._connection.execute(wanted.with_for_update(of=destinations))
        return _known(found.first(), destination_id)

    async def count_try(self, destination_id: WebhookEndpointId) -> None:
        """Count a wrong code of a locked destination."""
        await self._connection.execute(_one(destination_id).values(code_tries=destinations.c.code_tries + 1))

    async def save(self, destination: Destination) -> None:
        """Save when a locked destination was confirmed and removed."""
        await self._connection.execute(
            _one(destination.destination_id).values(
                confirm_time=destination.confirm_time, remove_time=destination.remove_time
            )
        )

    async def of(self, customer_id: CustomerId) -> list[Destination]:
        """Return the destinations of a customer that are not removed, in order of creation."""
        wanted = _SELECT.where(destinations.c.customer_id == customer_id, _IS_KEPT)
        rows = await self._connection.execute(wanted.order_by(destinations.c.webhook_endpoint_id))
        return [_from_row(row).destination for row in rows]

    async def created_since(self, customer_id: CustomerId, at: datetime) -> int:
        """Return how many destinations of a customer were created after an instant, removed ones included."""
        wanted = select(func.count()).where(
            destinations.c.customer_id == customer_id, destinations.c.create_time > at
        )
        return int((await self._connection.execute(wanted)).scalar_one())

    async def hold_wanting(self, occurrence: Occurrence) -> list[WebhookEndpointId]:
        """Return the enabled destinations that an event goes to, locked so that none is disabled before the commit.

        Only those of the event's customer: never an event that the customer does not see, nor an alert of the vendor.
        """
        is_of_vendor = occurrence.event_type in ALERT_EVENTS and not occurrence.is_own
        if occurrence.is_internal or is_of_vendor or not occurrence.customer_id:
            return []
        wanted = (
            select(webhook_endpoints.c.webhook_endpoint_id)
            .join(
                destinations,
                destinations.c.webhook_endpoint_id == webhook_endpoints.c.webhook_endpoint_id,
            )
            .where(
                destinations.c.customer_id == occurrence.customer_id,
                _IS_KEPT,
                destinations.c.confirm_time.is_not(None),
                destinations.c.event_types.contains([occurrence.event_type.value]),
                webhook_endpoints.c.disable_time.is_(None),
            )
            .order_by(webhook_endpoints.c.webhook_endpoint_id)
            .with_for_update(read=True, of=webhook_endpoints)
        )
        rows = await self._connection.execute(wanted)
        return [WebhookEndpointId(found) for found in rows.scalars()]

    async def refuse(self, webhook_endpoint_id: WebhookEndpointId) -> None:
        """Raise WebhookEndpointNotFound for a customer's destination, which the vendor does not change."""
        wanted = select(destinations.c.webhook_endpoint_id).where(
            destinations.c.webhook_endpoint_id == webhook_endpoint_id
        )
        if (await self._connection.execute(wanted)).first() is not None:
            raise WebhookEndpointNotFound(webhook_endpoint_id=webhook_endpoint_id)

    async def mailed(self, customer_id: CustomerId, page: Page) -> list[tuple[Delivery, str]]:
        """Return what was mailed to the destinations that are not removed, newest first, each with its address.

        A page, and one row more if there is one.
        """
        of_one = select(*DELIVERY_COLUMNS).where(
            deliveries.c.webhook_endpoint_id == destinations.c.webhook_endpoint_id
        )
        if page.after is not None:
            of_one = of_one.where(deliveries.c.delivery_id < page.after[0])
        newest = of_one.order_by(deliveries.c.delivery_id.desc()).limit(page.size + 1).lateral()
        wanted = (
            select(newest, webhook_endpoints.c.recipients)
            .select_from(destinations)
            .join(
                webhook_endpoints,
                webhook_endpoints.c.webhook_endpoint_id == destinations.c.webhook_endpoint_id,
            )
            .join(newest, true())
            .where(destinations.c.customer_id == customer_id, _IS_KEPT)
            .order_by(newest.c.delivery_id.desc())
            .limit(page.size + 1)
        )
        rows = await self._connection.execute(wanted)
        return [(delivery_from_row(row), row.recipients[0]) for row in rows]


def _one(destination_id: WebhookEndpointId) -> Any:
    return update(destinations).where(destinations.c.webhook_endpoint_id == destination_id)


def _known(row: Row[*tuple[Any, ...]] | None, destination_id: WebhookEndpointId) -> Coded:
    if row is None or not current_caller().may_see(row.customer_id):
        raise DestinationNotFound(destination_id=destination_id)
    return _from_row(row)


def _from_row(row: Row[*tuple[Any, ...]]) -> Coded:
    (address,) = row.recipients
    return Coded(
        destination=Destination(
            destination_id=WebhookEndpointId(row.webhook_endpoint_id),
            customer_id=CustomerId(row.customer_id),
            address=address,
            event_types=tuple(EventType(one) for one in row.event_types),
            create_time=row.create_time,
            confirm_time=row.confirm_time,
            disable_time=row.disable_time,
            remove_time=row.remove_time,
        ),
        code=Code(text=row.code, expire_time=row.code_expire_time, tries=row.code_tries),
    )
