# SPDX-License-Identifier: Apache-2.0
"""Builders of Alert's domain objects with defaults for irrelevant fields, and a function that stores them."""

from dataclasses import replace
from datetime import datetime

from meshkit.quantity import Credits
from services.alert.domain.alert import NOT_QUIET, Alert, AlertId, AlertType, CreditTypeId, CustomerId
from services.alert.domain.commands import ObserveCrossing
from services.alert.domain.delivery import DeliveryId, NewDelivery
from services.alert.domain.endpoint import Secret, SecretId, WebhookEndpoint, WebhookEndpointId, secret_text
from services.alert.domain.event import ALERT_EVENTS, Edge, Event, EventId, EventType
from services.alert.domain.status import Crossing
from services.alert.store import PostgresStore
from tests.support.alert import ACME, JUNE

ACME_ID = CustomerId(ACME)


def an_alert_row(number: int = 1, *, customer_id: str = ACME, at: datetime = JUNE) -> Alert:
    return Alert(
        alert_id=AlertId(f"alr_{number:03}"),
        name="Nearly out of credits" if number == 1 else f"Nearly out of credits ({number})",
        alert_type=AlertType.LOW_BALANCE,
        customer_id=CustomerId(customer_id),
        credit_type_id=CreditTypeId("crt_ai"),
        threshold=Credits.of(10),
        group_key="",
        group_value="",
        version=1,
        create_time=at,
        rearm=Credits.of(10),
        quiet_period=NOT_QUIET,
    )


def an_endpoint_row(number: int = 1, *, at: datetime = JUNE) -> WebhookEndpoint:
    return WebhookEndpoint(
        webhook_endpoint_id=WebhookEndpointId(f"end_{number:03}"),
        url=f"https://hooks{number}.example/",
        event_types=ALERT_EVENTS,
        create_time=at,
    )


def a_secret_row(number: int, endpoint: WebhookEndpoint) -> Secret:
    return Secret(
        secret_id=SecretId(f"sec_{number:03}"),
        webhook_endpoint_id=endpoint.webhook_endpoint_id,
        text=secret_text(bytes([number]) * 32),
        create_time=endpoint.create_time,
    )


def an_event_row(
    number: int = 1,
    *,
    event_id: str = "",
    event_type: EventType = EventType.TOP_UP_PAID,
    customer_id: str = ACME,
    customer_sequence: int = 0,
    is_internal: bool = False,
    edge: Edge | None = None,
    at: datetime = JUNE,
) -> Event:
    """Return the number-th event."""
    return Event(
        event_id=EventId(event_id or f"evt_{number:03}"),
        event_type=event_type,
        customer_id=CustomerId(customer_id),
        customer_sequence=customer_sequence or number,
        is_internal=is_internal,
        create_time=at,
        payload=f'{{"number":{number}}}',
        edge=edge,
    )


def a_new_delivery(number: int = 1, *, endpoint: int = 1, alert: int = 1, at: datetime = JUNE) -> NewDelivery:
    """Return the number-th observation of an alert, with a delivery to an endpoint."""
    return NewDelivery(
        delivery_id=DeliveryId(f"dlv_{endpoint:03}_{number:03}"),
        webhook_endpoint_id=WebhookEndpointId(f"end_{endpoint:03}"),
        event=an_event_row(
            number,
            event_id=f"evt_{alert:03}_{number:03}",
            event_type=EventType.IN_ALARM if number % 2 else EventType.RESOLVED,
            customer_sequence=alert * 1_000 + number,
            edge=Edge(alert_id=AlertId(f"alr_{alert:03}"), group_value="", sequence=number),
            at=at,
        ),
        create_time=at,
    )


def an_event_delivery(number: int = 1, *, endpoint: int = 1, at: datetime = JUNE) -> NewDelivery:
    """Return the delivery of the number-th event of Contract to an endpoint."""
    return replace(a_new_delivery(number, endpoint=endpoint, at=at), event=an_event_row(number, at=at))


def an_observation(sequence: int, *, in_alarm: bool = True, alert: int = 1) -> ObserveCrossing:
    return ObserveCrossing(
        request_id=(request_id := f"ntc_{alert}_{sequence}_{in_alarm}"),
        fingerprint=request_id.encode(),
        crossing=Crossing(
            alert_id=AlertId(f"alr_{alert:03}"),
            customer_id=ACME_ID,
            group_value="",
            in_alarm=in_alarm,
            value=Credits.of(8),
            sequence=sequence,
            observe_time=JUNE,
        ),
    )


class Courier:
    """Counts how often it is woken."""

    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


async def keep(store: PostgresStore, *rows: Alert | WebhookEndpoint | Event | NewDelivery) -> None:
    """Store them, each endpoint with a secret."""
    async with store.transaction() as tx:
        for number, row in enumerate(rows, start=1):
            match row:
                case Alert():
                    await tx.alerts.insert(row)
                case WebhookEndpoint():
                    await tx.endpoints.insert(row)
                    await tx.endpoints.insert_secret(a_secret_row(number, row))
                case Event():
                    await tx.events.insert(row)
                case NewDelivery():
                    if not await tx.events.has(row.event.event_id):
                        await tx.events.insert(row.event)
                    await tx.deliveries.insert([row])
