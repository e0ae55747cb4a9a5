# SPDX-License-Identifier: Apache-2.0
"""Deliveries on the wire."""

from collections.abc import Sequence
from typing import Final

from meshkit.page import Page
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.alert.v1 import alert_pb2 as pb
from services.alert.domain.alert import AlertId
from services.alert.domain.commands import ReplayDeliveries, ReplayDelivery
from services.alert.domain.delivery import Delivery, DeliveryId, DeliveryStatus
from services.alert.domain.endpoint import WebhookEndpointId
from services.alert.domain.queries import ListDeliveries
from services.alert.domain.replay import ReplaysStarted
from services.alert.wire.events import known_types

_STATUSES_TO_WIRE: Final = {
    DeliveryStatus.PENDING: pb.DELIVERY_STATUS_PENDING,
    DeliveryStatus.DELIVERED: pb.DELIVERY_STATUS_DELIVERED,
    DeliveryStatus.FAILED: pb.DELIVERY_STATUS_FAILED,
}
_STATUSES: Final[dict[int, DeliveryStatus]] = {number: status for status, number in _STATUSES_TO_WIRE.items()}


def list_from_wire(request: pb.ListDeliveriesRequest) -> tuple[ListDeliveries, Page]:
    fields = Fields()
    query = ListDeliveries(
        webhook_endpoint_id=WebhookEndpointId(
            fields.text("webhook_endpoint_id", request.webhook_endpoint_id, required=False)
        ),
        alert_id=AlertId(fields.text("alert_id", request.alert_id, required=False)),
        event_types=known_types(fields, request.event_types),
        status=fields.choice("status", request.status, _STATUSES) if request.status else None,
    )
    page = page_from_wire(fields, request, _filters(query))
    fields.check()
    return query, page


def list_to_wire(rows: Sequence[Delivery], query: ListDeliveries, page: Page) -> pb.ListDeliveriesResponse:
    shown, token = page_to_wire(rows, page, _filters(query), lambda row: (row.delivery_id,), delivery_to_wire)
    return pb.ListDeliveriesResponse(deliveries=shown, next_page_token=token)


def replay_from_wire(request: pb.ReplayDeliveryRequest) -> ReplayDelivery:
    fields = Fields()
    command = ReplayDelivery(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ReplayDelivery", request),
        delivery_id=DeliveryId(fields.text("delivery_id", request.delivery_id)),
    )
    fields.check()
    return command


def replay_to_wire(delivery: Delivery) -> pb.ReplayDeliveryResponse:
    return pb.ReplayDeliveryResponse(delivery=delivery_to_wire(delivery))


def replays_from_wire(request: pb.ReplayDeliveriesRequest) -> ReplayDeliveries:
    fields = Fields()
    command = ReplayDeliveries(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ReplayDeliveries", request),
        webhook_endpoint_id=WebhookEndpointId(
            fields.text("webhook_endpoint_id", request.webhook_endpoint_id, required=False)
        ),
        event_types=known_types(fields, request.event_types),
        start_time=fields.time("start_time", request.start_time, request.HasField("start_time")),
        end_time=fields.optional_time("end_time", request.end_time, request.HasField("end_time")),
        failed_only=request.failed_only,
    )
    if command.end_time is not None and command.end_time <= command.start_time:
        fields.add("end_time", "must be after start_time")
    fields.check()
    return command


def replays_to_wire(started: ReplaysStarted) -> pb.ReplayDeliveriesResponse:
    return pb.ReplayDeliveriesResponse(webhook_endpoint_ids=started.webhook_endpoint_ids)


def delivery_to_wire(delivery: Delivery) -> pb.Delivery:
    return pb.Delivery(
        delivery_id=delivery.delivery_id,
        webhook_endpoint_id=delivery.webhook_endpoint_id,
        webhook_id=delivery.delivery_id,
        event_type=delivery.event_type.value,
        status=_STATUSES_TO_WIRE[delivery.status],
        attempts=delivery.attempts,
        last_status_code=delivery.last_status_code,
        last_error=delivery.last_error,
        create_time=timestamp(delivery.create_time),
        deliver_time=optional_timestamp(delivery.deliver_time),
        next_attempt_time=optional_timestamp(delivery.due_time),
        payload=delivery.payload,
    )


def _filters(query: ListDeliveries) -> dict[str, str]:
    return {
        "list": "deliveries",
        "webhook_endpoint_id": query.webhook_endpoint_id,
        "alert_id": query.alert_id,
        "event_types": ",".join(one.value for one in query.event_types),
        "status": "" if query.status is None else query.status.value,
    }
