# SPDX-License-Identifier: Apache-2.0
"""Events: state changes of alerts, and what Contract publishes. And their JSON, which webhooks and the feed show."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, NewType

from services.alert.domain.alert import EVERY_CUSTOMER, Alert, AlertId, AlertOwner, AlertType, CustomerId
from services.alert.domain.status import AlertState, AlertStatus

EventId = NewType("EventId", str)

PAYLOAD_VERSION: Final = 1


class EventType(Enum):
    """The type of a webhook. Contract publishes those that are no alert's (its domain/events.py)."""

    IN_ALARM = "alert.in_alarm"
    RESOLVED = "alert.resolved"
    TOP_UP_PAID = "top_up.paid"
    TOP_UP_DECLINED = "top_up.declined"
    TOP_UP_FAILED = "top_up.failed"
    TOP_UP_CANCELLED = "top_up.cancelled"
    TOP_UP_EXPIRED = "top_up.expired"
    TOP_UP_REFUND_DUE = "top_up.refund_due"
    TOP_UP_REFUNDED = "top_up.refunded"
    TOP_UP_DISPUTED = "top_up.disputed"
    TOP_UP_DISPUTE_CLOSED = "top_up.dispute_closed"
    AUTO_TOP_UP_ORDERED = "auto_top_up.ordered"
    AUTO_TOP_UP_STOPPED = "auto_top_up.stopped"
    INVOICE_FINALIZED = "invoice.finalized"
    INVOICE_PAID = "invoice.paid"
    INVOICE_VOIDED = "invoice.voided"
    INVOICE_PAYMENT_FAILED = "invoice.payment_failed"
    ENDPOINT_DISABLED = "webhook_endpoint.disabled"
    TEST = "webhook.test"
    CONFIRM = "destination.confirm"


# What an endpoint gets that names no types.
ALERT_EVENTS: Final = (EventType.IN_ALARM, EventType.RESOLVED)
# They go to one endpoint or destination, whatever it asks for.
_DIRECT_EVENTS: Final = (EventType.TEST, EventType.CONFIRM)
# What an endpoint may ask for.
TOLD_EVENTS: Final[tuple[EventType, ...]] = tuple(one for one in EventType if one not in _DIRECT_EVENTS)
_OWN_EVENTS: Final = (*ALERT_EVENTS, EventType.ENDPOINT_DISABLED, *_DIRECT_EVENTS)
PUBLISHED_EVENTS: Final[tuple[EventType, ...]] = tuple(one for one in EventType if one not in _OWN_EVENTS)
# The customer of what happened to the vendor.
VENDOR: Final = CustomerId("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The change of an alert's state by the observation of this sequence."""

    alert_id: AlertId
    group_value: str
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """What happened. data: a JSON object. event_time: business time.

    customer_id: to whom; empty: to the vendor. is_internal: not shown to the customer. edge: the cause, if it is an
    alert's. is_own: of an alert that the customer owns.
    """

    event_id: EventId
    event_type: EventType
    customer_id: CustomerId
    event_time: datetime
    data: dict[str, Any]
    is_internal: bool = False
    edge: Edge | None = None
    is_own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A stored event. customer_sequence: 1, 2, 3 … of its customer. create_time: wall time.

    payload: the JSON that webhooks and the feed show, byte for byte.
    """

    event_id: EventId
    event_type: EventType
    customer_id: CustomerId
    customer_sequence: int
    is_internal: bool
    create_time: datetime
    payload: str
    edge: Edge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReceipt:
    """The response to an event: Contract need not send it again."""


def event_of(before: AlertState, after: AlertState) -> EventType | None:
    """Return the event of a state change: one per edge, none for EVALUATING → OK."""
    match before, after:
        case ((AlertState.EVALUATING | AlertState.OK), AlertState.IN_ALARM):
            return EventType.IN_ALARM
        case AlertState.IN_ALARM, AlertState.OK:
            return EventType.RESOLVED
        case _:
            return None


def edge_of(event_id: EventId, event_type: EventType, alert: Alert, status: AlertStatus) -> Occurrence:
    """Return what happened to an alert. Amounts are credits × 10^6; the time is when the Ledger observed the crossing.

    A customer sees the alerts on itself only, so it does not see the events of others.
    """
    assert status.observe_time is not None  # only an observation changes the state
    data = {
        "alert_id": alert.alert_id,
        "alert_name": alert.name,
        "alert_type": alert.alert_type.value,
        "customer_id": status.customer_id,
        "credit_type_id": alert.credit_type_id,
        "currency_code": alert.currency_code,
        "group_key": alert.group_key,
        "group_value": status.group_value,
        "state": status.state.value,
        "threshold_micros": alert.threshold.micros,
        "value_micros": status.value.micros,
        "observe_time": _rfc_3339(status.observe_time),
    }
    if alert.alert_type is AlertType.GRANT_EXPIRING:
        data["expires_within_days"] = alert.expires_within_days
    if alert.alert_type is AlertType.SPEND:
        data["window"] = alert.window.value
        data["product_id"] = alert.product_id
    return Occurrence(
        event_id=event_id,
        event_type=event_type,
        customer_id=status.customer_id,
        event_time=status.observe_time,
        data=data,
        is_internal=alert.customer_id == EVERY_CUSTOMER,
        edge=Edge(alert_id=alert.alert_id, group_value=status.group_value, sequence=status.sequence),
        is_own=alert.owner is AlertOwner.CUSTOMER,
    )


def event_from(occurrence: Occurrence, *, customer_sequence: int, at: datetime) -> Event:
    """Return the event to store. Its payload is built once: every attempt posts these bytes, whatever changes later."""
    return Event(
        event_id=occurrence.event_id,
        event_type=occurrence.event_type,
        customer_id=occurrence.customer_id,
        customer_sequence=customer_sequence,
        is_internal=occurrence.is_internal,
        create_time=at,
        payload=payload_of(occurrence, customer_sequence=customer_sequence),
        edge=occurrence.edge,
    )


def endpoint_disabled(
    event_id: EventId, webhook_endpoint_id: str, *, reason: str, failing_since: datetime | None, at: datetime
) -> Occurrence:
    """Return what happened to an endpoint. Its URL is left out, because it may contain a token."""
    return Occurrence(
        event_id=event_id,
        event_type=EventType.ENDPOINT_DISABLED,
        customer_id=VENDOR,
        event_time=at,
        data={
            "webhook_endpoint_id": webhook_endpoint_id,
            "reason": reason,
            "failing_since_time": None if failing_since is None else _rfc_3339(failing_since),
            "disable_time": _rfc_3339(at),
        },
        is_internal=True,
    )


def test_of(event_id: EventId, webhook_endpoint_id: str, *, at: datetime) -> Event:
    """Return a test event, which is posted to one endpoint and is not in the feed."""
    occurrence = Occurrence(
        event_id=event_id,
        event_type=EventType.TEST,
        customer_id=VENDOR,
        event_time=at,
        data={"webhook_endpoint_id": webhook_endpoint_id},
        is_internal=True,
    )
    return event_from(occurrence, customer_sequence=0, at=at)


def confirmation_of(
    event_id: EventId, customer_id: CustomerId, code: str, expire_time: datetime, *, at: datetime
) -> Event:
    """Return the event by which an address gets its code. It is not in the feed."""
    occurrence = Occurrence(
        event_id=event_id,
        event_type=EventType.CONFIRM,
        customer_id=customer_id,
        event_time=at,
        data={"code": code, "expire_time": _rfc_3339(expire_time)},
        is_internal=True,
    )
    return event_from(occurrence, customer_sequence=0, at=at)


def payload_of(occurrence: Occurrence, *, customer_sequence: int) -> str:
    """Return the JSON of an event: what Standard Webhooks recommends (type, timestamp, data), and what orders it."""
    content = {
        "type": occurrence.event_type.value,
        "timestamp": _rfc_3339(occurrence.event_time),
        "event_id": occurrence.event_id,
        "customer_sequence": customer_sequence,
        "payload_version": PAYLOAD_VERSION,
        "data": occurrence.data,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _rfc_3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
