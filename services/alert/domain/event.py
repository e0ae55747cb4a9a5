# SPDX-License-Identifier: Apache-2.0
"""The state changes that are posted to endpoints, and their JSON."""

import json
from datetime import UTC, datetime
from enum import Enum

from services.alert.domain.alert import Alert
from services.alert.domain.status import AlertState, AlertStatus


class EventType(Enum):
    """The type of a webhook."""

    IN_ALARM = "alert.in_alarm"
    RESOLVED = "alert.resolved"


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
    """Return the body of a notification, in the format that Standard Webhooks recommends: type, timestamp, data.

    Amounts are credits × 10^6. The timestamp is when the Ledger observed the crossing. The body is built once
    and stored: every attempt posts these bytes, even if the alert changes.
    """
    assert status.observe_time is not None  # only an observation changes the state
    observed = _rfc_3339(status.observe_time)
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
        "observe_time": observed,
    }
    content = {"type": event_type.value, "timestamp": observed, "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _rfc_3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
