# SPDX-License-Identifier: Apache-2.0
"""Self-service on the wire: the alerts of a customer, and its destinations."""

from collections.abc import Sequence
from dataclasses import replace

from meshkit.page import Page
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.alert.v1 import alert_pb2 as pb
from purser.alert.v1 import self_service_pb2 as own
from services.alert.domain.alert import Alert, AlertId, AlertOwner, CustomerId
from services.alert.domain.commands import (
    ArchiveAlert,
    ConfirmOwnDestination,
    CreateAlert,
    CreateOwnDestination,
    RemoveOwnDestination,
)
from services.alert.domain.delivery import Delivery
from services.alert.domain.destination import CODE_DIGITS, DESTINATION_EVENTS, Destination
from services.alert.domain.endpoint import WebhookEndpointId
from services.alert.domain.event import ALERT_EVENTS
from services.alert.domain.mail import is_mail_address
from services.alert.wire import alerts
from services.alert.wire.deliveries import delivery_to_wire
from services.alert.wire.events import known_types

_EVENTS = {one.value: one for one in DESTINATION_EVENTS}


def create_alert_from_wire(request: own.CreateOwnAlertRequest) -> CreateAlert:
    fields = Fields()
    customer_id = _customer_id(fields, request.customer_id)
    fields.check()
    command = alerts.create_from_wire(
        pb.CreateAlertRequest(
            request_id=request.request_id,
            name=request.name,
            alert_type=request.alert_type,
            customer_id=customer_id,
            credit_type_id=request.credit_type_id,
            threshold_micros=request.threshold_micros,
            group_key=request.group_key,
            group_value=request.group_value,
            window=request.window,
            product_id=request.product_id,
            expires_within_days=request.expires_within_days,
            currency_code=request.currency_code,
        )
    )
    return replace(command, fingerprint=fingerprint("CreateOwnAlert", request), owner=AlertOwner.CUSTOMER)


def create_alert_to_wire(alert: Alert) -> own.CreateOwnAlertResponse:
    return own.CreateOwnAlertResponse(alert=alerts.alert_to_wire(alert))


def archive_alert_from_wire(request: own.ArchiveOwnAlertRequest) -> ArchiveAlert:
    fields = Fields()
    command = ArchiveAlert(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ArchiveOwnAlert", request),
        alert_id=AlertId(fields.text("alert_id", request.alert_id)),
        owner=AlertOwner.CUSTOMER,
    )
    fields.check()
    return command


def archive_alert_to_wire(alert: Alert) -> own.ArchiveOwnAlertResponse:
    return own.ArchiveOwnAlertResponse(alert=alerts.alert_to_wire(alert))


def create_from_wire(request: own.CreateOwnDestinationRequest) -> CreateOwnDestination:
    fields = Fields()
    address = fields.text("address", request.address, max_length=1_000)
    if address and not is_mail_address(address):
        fields.add("address", "must be an address such as admin@acme.example, without a display name")
    command = CreateOwnDestination(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CreateOwnDestination", request),
        customer_id=_customer_id(fields, request.customer_id),
        address=address,
        event_types=known_types(fields, request.event_types, known=_EVENTS) or ALERT_EVENTS,
    )
    fields.check()
    return command


def create_to_wire(destination: Destination) -> own.CreateOwnDestinationResponse:
    return own.CreateOwnDestinationResponse(destination=_destination_to_wire(destination))


def confirm_from_wire(request: own.ConfirmOwnDestinationRequest) -> ConfirmOwnDestination:
    fields = Fields()
    command = ConfirmOwnDestination(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ConfirmOwnDestination", request),
        destination_id=_destination_id(fields, request.destination_id),
        code=fields.text("code", request.code, pattern=f"[0-9]{{{CODE_DIGITS}}}"),
    )
    fields.check()
    return command


def confirm_to_wire(destination: Destination) -> own.ConfirmOwnDestinationResponse:
    return own.ConfirmOwnDestinationResponse(destination=_destination_to_wire(destination))


def remove_from_wire(request: own.RemoveOwnDestinationRequest) -> RemoveOwnDestination:
    fields = Fields()
    command = RemoveOwnDestination(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RemoveOwnDestination", request),
        destination_id=_destination_id(fields, request.destination_id),
    )
    fields.check()
    return command


def remove_to_wire(destination: Destination) -> own.RemoveOwnDestinationResponse:
    return own.RemoveOwnDestinationResponse(destination=_destination_to_wire(destination))


def list_from_wire(request: own.ListOwnDestinationsRequest) -> CustomerId:
    fields = Fields()
    customer_id = _customer_id(fields, request.customer_id)
    fields.check()
    return customer_id


def list_to_wire(rows: Sequence[Destination]) -> own.ListOwnDestinationsResponse:
    return own.ListOwnDestinationsResponse(destinations=[_destination_to_wire(row) for row in rows])


def mailed_from_wire(request: own.ListOwnDeliveriesRequest) -> tuple[CustomerId, Page]:
    fields = Fields()
    customer_id = _customer_id(fields, request.customer_id)
    page = page_from_wire(fields, request, _mailed_of(request))
    fields.check()
    return customer_id, page


def mailed_to_wire(
    rows: Sequence[tuple[Delivery, str]], page: Page, request: own.ListOwnDeliveriesRequest
) -> own.ListOwnDeliveriesResponse:
    shown, token = page_to_wire(
        rows, page, _mailed_of(request), lambda row: (row[0].delivery_id,), _delivery_to_wire
    )
    return own.ListOwnDeliveriesResponse(deliveries=shown, next_page_token=token)


def _delivery_to_wire(row: tuple[Delivery, str]) -> own.OwnDelivery:
    delivery, address = row
    known = delivery_to_wire(delivery)
    return own.OwnDelivery(
        delivery_id=known.delivery_id,
        destination_id=known.webhook_endpoint_id,
        address=address,
        event_type=known.event_type,
        alert_id=delivery.alert_id or "",
        status=known.status,
        last_error=known.last_error,
        create_time=known.create_time,
        deliver_time=known.deliver_time if known.HasField("deliver_time") else None,
    )


def _destination_to_wire(destination: Destination) -> own.OwnDestination:
    return own.OwnDestination(
        destination_id=destination.destination_id,
        address=destination.address,
        event_types=[one.value for one in destination.event_types],
        create_time=timestamp(destination.create_time),
        confirm_time=optional_timestamp(destination.confirm_time),
        disable_time=optional_timestamp(destination.disable_time),
    )


def _customer_id(fields: Fields, customer_id: str) -> CustomerId:
    return CustomerId(fields.text("customer_id", customer_id, pattern=alerts.CUSTOMER_ID))


def _destination_id(fields: Fields, destination_id: str) -> WebhookEndpointId:
    return WebhookEndpointId(fields.text("destination_id", destination_id))


def _mailed_of(request: own.ListOwnDeliveriesRequest) -> dict[str, str]:
    return {"list": "own_deliveries", "customer_id": request.customer_id}
