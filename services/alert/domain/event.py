# SPDX-License-Identifier: Apache-2.0
"""What is posted to endpoints: state changes of alerts, and what Contract publishes. And their JSON."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, NewType

from services.alert.domain.alert import Alert, CustomerId
from services.alert.domain.status import AlertState, AlertStatus

EventId = NewType("EventId", str)


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
    AUTO_TOP_UP_ORDERED = "auto_top_up.ordered"
    AUTO_TOP_UP_STOPPED = "auto_top_up.stopped"
    INVOICE_FINALIZED = "invoice.finalized"
    INVOICE_PAID = "invoice.paid"


# What an endpoint gets that names no types.
ALERT_EVENTS: Final = (EventType.IN_ALARM, EventType.RESOLVED)
PUBLISHED_EVENTS: Final[tuple[EventType, ...]] = tuple(one for one in EventType if one not in ALERT_EVENTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedEvent:
    """An event of Contract. data: a JSON object, what its webhooks show. event_time: business time."""

    event_id: EventId
    event_type: EventType
    customer_id: CustomerId
    event_time: datetime
    data: dict[str, Any]


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


def body_of(event_type: EventType, alert: Alert, status: AlertStatus) -> str:
    """Return the body of a notification of an alert.

    Amounts are credits × 10^6. The timestamp is when the Ledger observed the crossing. The body is built once
    and stored: every attempt posts these bytes, even if the alert changes.
    """
    assert status.observe_time is not None  # only an observation changes the state
    data = {
        "alert_id": alert.alert_id,
        "alert_name": alert.name,
        "alert_type": alert.alert_type.value,
        "customer_id": status.customer_id,
        "credit_type_id": alert.credit_type_id,
        "group_key": alert.group_key,
        "group_value": status.group_value,
        "state": status.state.value,
        "threshold_micros": alert.threshold.micros,
        "value_micros": status.value.micros,
        "observe_time": _rfc_3339(status.observe_time),
    }
    return _body(event_type, status.observe_time, data)


def body_of_published(event: PublishedEvent) -> str:
    """Return the body of a notification of an event that Contract published."""
    return _body(event.event_type, event.event_time, event.data)


def _body(event_type: EventType, at: datetime, data: dict[str, Any]) -> str:
    """Return the format that Standard Webhooks recommends: type, timestamp, data."""
    content = {"type": event_type.value, "timestamp": _rfc_3339(at), "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _rfc_3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
