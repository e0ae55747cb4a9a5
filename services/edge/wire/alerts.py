# SPDX-License-Identifier: Apache-2.0
"""Alerts and their states."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Final, Literal

from purser.alert.v1 import alert_pb2 as pb
from services.edge.wire.amounts import (
    USD_ID,
    CreditTypes,
    amount_to_json,
    credit_type_id_from_json,
    micros_from_json,
    quantity_micros_from_json,
    quantity_to_json,
)
from services.edge.wire.fields import (
    LOWER,
    UPPER,
    Body,
    Number,
    name_of,
    one_violation,
    only,
    refused,
    time_to_json,
    without_absent,
)

ALERT_TYPES: Final = {
    "low_remaining_contract_credit_and_commit_balance_reached": pb.ALERT_TYPE_LOW_BALANCE,
    "low_remaining_contract_credit_and_commit_percentage_reached": pb.ALERT_TYPE_LOW_PERCENTAGE,
    "spend_threshold_reached": pb.ALERT_TYPE_SPEND,
    "low_remaining_seat_balance_reached": pb.ALERT_TYPE_LOW_SEAT_BALANCE,
    "low_remaining_days_for_contract_credit_segment_reached": pb.ALERT_TYPE_GRANT_EXPIRING,
    "invoice_total_reached": pb.ALERT_TYPE_INVOICE_TOTAL,
}
# What Purser watches as one pool, Metronome can watch in parts, or under older names.
SAME_POOL: Final = {
    "low_credit_balance_reached": pb.ALERT_TYPE_LOW_BALANCE,
    "low_remaining_credit_percentage_reached": pb.ALERT_TYPE_LOW_PERCENTAGE,
    "low_remaining_days_for_commit_segment_reached": pb.ALERT_TYPE_GRANT_EXPIRING,
}
_ACCEPTED: Final = {**ALERT_TYPES, **SAME_POOL}
_IN_PERCENT: Final = (pb.ALERT_TYPE_LOW_PERCENTAGE,)
# Types with a rearm level; Metronome has none, so an alarm ends at the threshold.
_REARMED: Final = (
    pb.ALERT_TYPE_LOW_BALANCE,
    pb.ALERT_TYPE_LOW_PERCENTAGE,
    pb.ALERT_TYPE_SPEND,
    pb.ALERT_TYPE_LOW_SEAT_BALANCE,
)
_STATUSES: Final = {
    pb.ALERT_STATE_OK: "ok",
    pb.ALERT_STATE_IN_ALARM: "in_alarm",
    pb.ALERT_STATE_EVALUATING: "evaluating",
}
# An alarm of any group value outweighs the others.
_WORST_FIRST: Final = (pb.ALERT_STATE_IN_ALARM, pb.ALERT_STATE_OK, pb.ALERT_STATE_EVALUATING)


class GroupValue(Body):
    key: str
    value: str = ""


class SeatFilter(Body):
    seat_group_key: str
    seat_group_value: str = ""


class CreateAlert(Body):
    name: str
    alert_type: Annotated[str, LOWER]
    threshold: Number
    customer_id: str = ""
    credit_type_id: str = USD_ID
    group_values: tuple[GroupValue, ...] = ()
    seat_filter: SeatFilter | None = None
    evaluate_on_create: Annotated[bool, only(True, "an alert is evaluated at once")] = True
    uniqueness_key: str = ""
    billable_metric_id: Annotated[None, refused("alerts watch credits: use spend_threshold_reached")] = None
    custom_field_filters: Annotated[None, refused("the pool is watched as a whole")] = None


class ArchiveAlert(Body):
    # A name is free again once its alert is archived; a uniqueness_key is kept for 35 days.
    ignores: ClassVar[frozenset[str]] = frozenset({"release_uniqueness_key"})

    id: str


class CustomerAlert(Body):
    ignores: ClassVar[frozenset[str]] = frozenset({"plans_or_contracts"})

    customer_id: str
    alert_id: str
    group_values: tuple[GroupValue, ...] = ()
    seat_filter: SeatFilter | None = None


class ListCustomerAlertsQuery(Body):
    next_page: str = ""


AlertStatus = Annotated[Literal["ENABLED", "DISABLED", "ARCHIVED"], UPPER]


class ListCustomerAlerts(Body):
    customer_id: str
    alert_statuses: tuple[AlertStatus, ...] = ("ENABLED",)


def alert_from_json(body: CreateAlert, request_id: str) -> pb.CreateAlertRequest:
    alert_type = _ACCEPTED.get(body.alert_type)
    if alert_type is None:
        raise one_violation("alert_type", f"is not supported; Purser has {', '.join(sorted(_ACCEPTED))}")
    credit_type_id = credit_type_id_from_json(body.credit_type_id)
    threshold = (
        quantity_micros_from_json("threshold", body.threshold)
        if alert_type in _IN_PERCENT
        else micros_from_json("threshold", body.threshold, credit_type_id)
    )
    request = pb.CreateAlertRequest(
        request_id=request_id,
        name=body.name,
        alert_type=alert_type,
        customer_id=body.customer_id,
        credit_type_id=credit_type_id,
        threshold_micros=threshold,
    )
    if alert_type == pb.ALERT_TYPE_INVOICE_TOTAL:
        request.currency_code, request.credit_type_id = credit_type_id, ""
    elif alert_type == pb.ALERT_TYPE_GRANT_EXPIRING:
        request.threshold_micros = 0
        request.expires_within_days = _days(body)
    if alert_type in _REARMED:
        request.rearm_micros = threshold
    _name_group(body, request)
    return request


def _days(body: CreateAlert) -> int:
    if body.threshold != int(body.threshold) or not 1 <= body.threshold <= 366:
        raise one_violation("threshold", "must be a number of days from 1 to 366")
    return int(body.threshold)


def _name_group(body: CreateAlert, request: pb.CreateAlertRequest) -> None:
    if body.seat_filter is not None:
        request.group_key = body.seat_filter.seat_group_key
        request.group_value = body.seat_filter.seat_group_value
    if len(body.group_values) > 1:
        raise one_violation("group_values", "must have at most one key")
    if body.group_values:
        request.group_key, request.group_value = body.group_values[0].key, body.group_values[0].value


def status_of(alert: pb.Alert) -> str:
    if alert.HasField("archive_time"):
        return "archived"
    return "disabled" if alert.HasField("pause_time") else "enabled"


def alert_to_json(
    alert: pb.Alert, states: Sequence[pb.AlertStatus], credit_types: CreditTypes
) -> dict[str, object] | None:
    """Return an alert with the customer's state. None: of a type that Metronome does not have."""
    if alert.alert_type not in ALERT_TYPES.values():
        return None
    credit_type_id = alert.credit_type_id or alert.currency_code
    changed = alert.archive_time if alert.HasField("archive_time") else alert.create_time
    is_seat = alert.alert_type == pb.ALERT_TYPE_LOW_SEAT_BALANCE
    group = without_absent({"key": alert.group_key, "value": alert.group_value or None})
    return {
        "customer_status": _customer_status(alert, states),
        "alert": without_absent(
            {
                "id": alert.alert_id,
                "name": alert.name,
                "type": name_of(ALERT_TYPES, alert.alert_type),
                "status": status_of(alert),
                "threshold": _threshold_to_json(alert, credit_type_id),
                "updated_at": time_to_json(changed),
                "credit_type": credit_types.shown(credit_type_id),
                "group_values": [group]
                if alert.alert_type == pb.ALERT_TYPE_SPEND and alert.group_key
                else None,
                "seat_filter": without_absent(
                    {"seat_group_key": alert.group_key, "seat_group_value": alert.group_value or None}
                )
                if is_seat
                else None,
            }
        ),
    }


def _threshold_to_json(alert: pb.Alert, credit_type_id: str) -> object:
    if alert.alert_type == pb.ALERT_TYPE_GRANT_EXPIRING:
        return alert.expires_within_days
    if alert.alert_type in _IN_PERCENT:
        return quantity_to_json(alert.threshold_micros)
    return amount_to_json(alert.threshold_micros, credit_type_id)


def _customer_status(alert: pb.Alert, states: Sequence[pb.AlertStatus]) -> str | None:
    if status_of(alert) != "enabled":
        return None
    present = {one.state for one in states}
    worst = next((state for state in _WORST_FIRST if state in present), pb.ALERT_STATE_EVALUATING)
    return _STATUSES[worst]


def value_asked_for(body: CustomerAlert) -> str:
    """Return the group value whose state is asked for; empty: of all."""
    if body.seat_filter is not None:
        return body.seat_filter.seat_group_value
    return body.group_values[0].value if body.group_values else ""
