# SPDX-License-Identifier: Apache-2.0
"""Alerts, and where they stand, on the wire."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from meshkit.page import Page
from meshkit.quantity import Credits
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire, text_key
from purser.alert.v1 import alert_pb2 as pb
from services.alert.domain.alert import (
    EXPIRES_WITHIN_DAYS_MAX,
    INVOICE_KEY,
    NOT_QUIET,
    NOTHING_CHANGES,
    OF_GROUP_VALUE,
    QUIET_PERIOD_MAX,
    Alert,
    AlertChanges,
    AlertId,
    AlertOwner,
    AlertType,
    CreditTypeId,
    CustomerId,
    SpendWindow,
    threshold_of,
    wrong_threshold,
)
from services.alert.domain.commands import (
    ArchiveAlert,
    CreateAlert,
    PauseAlert,
    RepairAlertState,
    ResendAlert,
    ResumeAlert,
    UpdateAlert,
)
from services.alert.domain.queries import ListAlerts, ListStatuses
from services.alert.domain.status import AlertState, AlertStatus
from services.alert.wire.crossings import GROUP_VALUE_LENGTH_MAX

_TYPES_TO_WIRE: Final = {
    AlertType.LOW_BALANCE: pb.ALERT_TYPE_LOW_BALANCE,
    AlertType.SPEND: pb.ALERT_TYPE_SPEND,
    AlertType.LOW_PERCENTAGE: pb.ALERT_TYPE_LOW_PERCENTAGE,
    AlertType.SHORTFALL: pb.ALERT_TYPE_SHORTFALL,
    AlertType.OVERAGE: pb.ALERT_TYPE_OVERAGE,
    AlertType.GRANT_EXPIRING: pb.ALERT_TYPE_GRANT_EXPIRING,
    AlertType.LOW_SEAT_BALANCE: pb.ALERT_TYPE_LOW_SEAT_BALANCE,
    AlertType.INVOICE_TOTAL: pb.ALERT_TYPE_INVOICE_TOTAL,
}
_WINDOWS_TO_WIRE: Final = {
    SpendWindow.BILLING_PERIOD: pb.SPEND_WINDOW_BILLING_PERIOD,
    SpendWindow.DAY: pb.SPEND_WINDOW_DAY,
    SpendWindow.WEEK: pb.SPEND_WINDOW_WEEK,
    SpendWindow.MONTH: pb.SPEND_WINDOW_MONTH,
}
_OWNERS_TO_WIRE: Final = {
    AlertOwner.VENDOR: pb.ALERT_OWNER_VENDOR,
    AlertOwner.CUSTOMER: pb.ALERT_OWNER_CUSTOMER,
}
_OWNERS: Final[dict[int, AlertOwner]] = {value: one for one, value in _OWNERS_TO_WIRE.items()}
_WINDOWS: Final[dict[int, SpendWindow]] = {value: one for one, value in _WINDOWS_TO_WIRE.items()}
_TYPES: Final[dict[int, AlertType]] = {value: one for one, value in _TYPES_TO_WIRE.items()}
_STATES_TO_WIRE: Final = {
    AlertState.EVALUATING: pb.ALERT_STATE_EVALUATING,
    AlertState.OK: pb.ALERT_STATE_OK,
    AlertState.IN_ALARM: pb.ALERT_STATE_IN_ALARM,
}
_GROUP_KEY_LENGTH_MAX: Final = 64  # the Ledger's limit for the keys of usage
# The Ledger compares ids, so an alert on an alias would never see an observation.
CUSTOMER_ID: Final = r"cus_[A-Za-z0-9_-]+"


def create_from_wire(request: pb.CreateAlertRequest) -> CreateAlert:
    fields = Fields()
    alert_type = fields.choice("alert_type", request.alert_type, _TYPES)
    is_of_invoices = request.alert_type == pb.ALERT_TYPE_INVOICE_TOTAL
    threshold = Credits(fields.micros("threshold_micros", request.threshold_micros))
    if request.alert_type in _TYPES:
        threshold = threshold_of(alert_type, threshold)
        _check_what_is_watched(fields, request, alert_type, threshold)
    command = CreateAlert(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CreateAlert", request),
        name=fields.text("name", request.name),
        alert_type=alert_type,
        customer_id=CustomerId(
            fields.text("customer_id", request.customer_id, required=False, pattern=CUSTOMER_ID)
        ),
        credit_type_id=CreditTypeId(
            fields.text("credit_type_id", request.credit_type_id, required=not is_of_invoices)
        ),
        threshold=threshold,
        group_key=INVOICE_KEY if is_of_invoices else request.group_key,
        group_value=request.group_value,
        rearm=_optional_credits(fields, request, "rearm_micros"),
        quiet_period=_quiet_period(fields, request) or NOT_QUIET,
        expires_within_days=request.expires_within_days,
        window=_WINDOWS.get(request.window, SpendWindow.BILLING_PERIOD),
        product_id=fields.text("product_id", request.product_id, required=False),
        currency_code=_currency(fields, request.currency_code) if is_of_invoices else "",
    )
    wrong = "credit_type_id" if is_of_invoices else "currency_code"
    if request.alert_type in _TYPES and getattr(request, wrong):
        fields.add(wrong, f"is not for {alert_type.value} alerts")
    fields.check()
    return command


def _currency(fields: Fields, code: str) -> str:
    """Return the code of a currency. Whether any invoice is in it is not known here."""
    return fields.text("currency_code", code, pattern="[A-Z]{3}")


def _quiet_period(fields: Fields, request: pb.CreateAlertRequest | pb.UpdateAlertRequest) -> timedelta | None:
    if not request.HasField("quiet_period"):
        return None
    return fields.duration(
        "quiet_period",
        request.quiet_period,
        True,
        default=NOT_QUIET,
        minimum=NOT_QUIET,
        maximum=QUIET_PERIOD_MAX,
    )


def update_from_wire(request: pb.UpdateAlertRequest) -> UpdateAlert:
    fields = Fields()
    command = UpdateAlert(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("UpdateAlert", request),
        alert_id=AlertId(fields.text("alert_id", request.alert_id)),
        changes=AlertChanges(
            name=fields.text("name", request.name) if request.HasField("name") else None,
            threshold=_optional_credits(fields, request, "threshold_micros"),
            rearm=_optional_credits(fields, request, "rearm_micros"),
            quiet_period=_quiet_period(fields, request),
        ),
    )
    if command.changes == NOTHING_CHANGES:
        fields.add("name", "or another field must be set: what does not change is left out")
    fields.check()
    return command


def _optional_credits(
    fields: Fields, request: pb.CreateAlertRequest | pb.UpdateAlertRequest, field: str
) -> Credits | None:
    return Credits(fields.micros(field, getattr(request, field))) if request.HasField(field) else None


def update_to_wire(alert: Alert) -> pb.UpdateAlertResponse:
    return pb.UpdateAlertResponse(alert=alert_to_wire(alert))


def pause_from_wire(request: pb.PauseAlertRequest) -> PauseAlert:
    fields = Fields()
    command = PauseAlert(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("PauseAlert", request),
        alert_id=AlertId(fields.text("alert_id", request.alert_id)),
    )
    fields.check()
    return command


def pause_to_wire(alert: Alert) -> pb.PauseAlertResponse:
    return pb.PauseAlertResponse(alert=alert_to_wire(alert))


def resume_from_wire(request: pb.ResumeAlertRequest) -> ResumeAlert:
    fields = Fields()
    command = ResumeAlert(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ResumeAlert", request),
        alert_id=AlertId(fields.text("alert_id", request.alert_id)),
    )
    fields.check()
    return command


def resume_to_wire(alert: Alert) -> pb.ResumeAlertResponse:
    return pb.ResumeAlertResponse(alert=alert_to_wire(alert))


def _check_what_is_watched(
    fields: Fields, request: pb.CreateAlertRequest, alert_type: AlertType, threshold: Credits
) -> None:
    wrong = wrong_threshold(alert_type, threshold)
    if wrong is not None and request.threshold_micros >= 0:
        fields.add("threshold_micros", wrong)
    if alert_type in OF_GROUP_VALUE:
        is_seat = alert_type is AlertType.LOW_SEAT_BALANCE
        fields.text("group_key", request.group_key, required=is_seat, max_length=_GROUP_KEY_LENGTH_MAX)
        fields.text("group_value", request.group_value, required=False)
        if request.group_value and not request.group_key and not is_seat:
            fields.add("group_value", "needs a group_key")
    else:
        for field in ("group_key", "group_value"):
            if getattr(request, field):
                fields.add(field, "is for SPEND and LOW_SEAT_BALANCE alerts only; leave it out")
    if alert_type is AlertType.GRANT_EXPIRING:
        fields.count(
            "expires_within_days", request.expires_within_days, minimum=1, maximum=EXPIRES_WITHIN_DAYS_MAX
        )
    elif request.expires_within_days:
        fields.add("expires_within_days", "is for GRANT_EXPIRING alerts only; leave it out")
    if request.product_id and (request.group_key or alert_type is not AlertType.SPEND):
        fields.add("product_id", "is for SPEND alerts without a group_key only; leave it out")
    if request.window and alert_type is not AlertType.SPEND:
        fields.add("window", "is for SPEND alerts only; leave it out")
    elif request.window:
        fields.choice("window", request.window, _WINDOWS)


def create_to_wire(alert: Alert) -> pb.CreateAlertResponse:
    return pb.CreateAlertResponse(alert=alert_to_wire(alert))


def get_from_wire(request: pb.GetAlertRequest) -> AlertId:
    fields = Fields()
    alert_id = fields.text("alert_id", request.alert_id)
    fields.check()
    return AlertId(alert_id)


def get_to_wire(alert: Alert) -> pb.GetAlertResponse:
    return pb.GetAlertResponse(alert=alert_to_wire(alert))


def archive_from_wire(request: pb.ArchiveAlertRequest) -> ArchiveAlert:
    fields = Fields()
    command = ArchiveAlert(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ArchiveAlert", request),
        alert_id=AlertId(fields.text("alert_id", request.alert_id)),
    )
    fields.check()
    return command


def archive_to_wire(alert: Alert) -> pb.ArchiveAlertResponse:
    return pb.ArchiveAlertResponse(alert=alert_to_wire(alert))


def resend_from_wire(request: pb.ResendAlertRequest) -> ResendAlert:
    fields = Fields()
    command = ResendAlert(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ResendAlert", request),
        alert_id=AlertId(fields.text("alert_id", request.alert_id)),
    )
    fields.check()
    return command


def resend_to_wire(alert: Alert) -> pb.ResendAlertResponse:
    return pb.ResendAlertResponse(alert=alert_to_wire(alert))


def repair_from_wire(request: pb.RepairAlertStateRequest) -> RepairAlertState:
    fields = Fields()
    group_value = fields.text(
        "group_value", request.group_value, required=False, max_length=GROUP_VALUE_LENGTH_MAX
    )
    command = RepairAlertState(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RepairAlertState", request),
        alert_id=AlertId(fields.text("alert_id", request.alert_id)),
        customer_id=CustomerId(fields.text("customer_id", request.customer_id)),
        group_value=group_value,
        reason=fields.text("reason", request.reason),
        actor=fields.text("actor", request.actor),
    )
    fields.check()
    return command


def repair_to_wire(status: AlertStatus) -> pb.RepairAlertStateResponse:
    return pb.RepairAlertStateResponse(status=_status_to_wire(status))


def list_from_wire(request: pb.ListAlertsRequest) -> tuple[ListAlerts, Page]:
    fields = Fields()
    query = ListAlerts(
        customer_id=CustomerId(fields.text("customer_id", request.customer_id, required=False)),
        include_archived=request.include_archived,
        name=fields.text("name", request.name, required=False),
        owner=fields.choice("owner", request.owner, _OWNERS) if request.owner else None,
    )
    page = page_from_wire(fields, request, _list_filters(query))
    fields.check()
    return query, page


def list_to_wire(rows: Sequence[Alert], query: ListAlerts, page: Page) -> pb.ListAlertsResponse:
    shown, token = page_to_wire(rows, page, _list_filters(query), lambda row: (row.alert_id,), alert_to_wire)
    return pb.ListAlertsResponse(alerts=shown, next_page_token=token)


def states_from_wire(request: pb.GetAlertStateRequest) -> tuple[ListStatuses, Page]:
    fields = Fields()
    query = ListStatuses(
        alert_id=AlertId(fields.text("alert_id", request.alert_id)),
        customer_id=CustomerId(fields.text("customer_id", request.customer_id, required=False)),
    )
    page = page_from_wire(fields, request, _state_filters(query), keys=(text_key, text_key))
    fields.check()
    return query, page


def states_to_wire(rows: Sequence[AlertStatus], query: ListStatuses, page: Page) -> pb.GetAlertStateResponse:
    shown, token = page_to_wire(
        rows, page, _state_filters(query), lambda row: (row.customer_id, row.group_value), _status_to_wire
    )
    return pb.GetAlertStateResponse(statuses=shown, next_page_token=token)


def alert_to_wire(alert: Alert) -> pb.Alert:
    return pb.Alert(
        alert_id=alert.alert_id,
        name=alert.name,
        alert_type=_TYPES_TO_WIRE[alert.alert_type],
        customer_id=alert.customer_id,
        credit_type_id=alert.credit_type_id,
        threshold_micros=alert.threshold.micros,
        group_key=alert.group_key,
        group_value=alert.group_value,
        create_time=timestamp(alert.create_time),
        archive_time=optional_timestamp(alert.archive_time),
        rearm_micros=alert.rearm.micros,
        quiet_period=alert.quiet_period or None,
        pause_time=optional_timestamp(alert.pause_time),
        expires_within_days=alert.expires_within_days,
        window=_WINDOWS_TO_WIRE[alert.window]
        if alert.alert_type is AlertType.SPEND
        else pb.SPEND_WINDOW_UNSPECIFIED,
        product_id=alert.product_id,
        currency_code=alert.currency_code,
        owner=_OWNERS_TO_WIRE[alert.owner],
    )


def _status_to_wire(status: AlertStatus) -> pb.AlertStatus:
    return pb.AlertStatus(
        customer_id=status.customer_id,
        group_value=status.group_value,
        state=_STATES_TO_WIRE[status.state],
        value_micros=status.value.micros,
        observe_time=optional_timestamp(status.observe_time),
        sequence=status.sequence,
    )


def _list_filters(query: ListAlerts) -> dict[str, str]:
    return {
        "list": "alerts",
        "customer_id": query.customer_id,
        "include_archived": str(query.include_archived),
        "name": query.name,
        "owner": "" if query.owner is None else query.owner.value,
    }


def _state_filters(query: ListStatuses) -> dict[str, str]:
    return {"list": "alert_states", "alert_id": query.alert_id, "customer_id": query.customer_id}
