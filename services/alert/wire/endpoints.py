# SPDX-License-Identifier: Apache-2.0
"""Webhook endpoints on the wire. A secret is shown in the two answers that make one."""

from collections.abc import Sequence
from typing import Final

from meshkit.page import Page
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.alert.v1 import alert_pb2 as pb
from services.alert.domain.commands import (
    CreateWebhookEndpoint,
    DisableWebhookEndpoint,
    RotateWebhookSecret,
)
from services.alert.domain.endpoint import (
    EndpointCreated,
    Secret,
    SecretRotated,
    WebhookEndpoint,
    WebhookEndpointId,
)
from services.alert.domain.target import URL_LENGTH_MAX, target_of
from services.alert.wire.events import event_types_from_wire

_LIST: Final = {"list": "webhook_endpoints"}


def create_from_wire(request: pb.CreateWebhookEndpointRequest) -> CreateWebhookEndpoint:
    fields = Fields()
    command = CreateWebhookEndpoint(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CreateWebhookEndpoint", request),
        url=_url(fields, request.url),
        event_types=event_types_from_wire(fields, request.event_types),
    )
    fields.check()
    return command


def create_to_wire(created: EndpointCreated, secret: Secret) -> pb.CreateWebhookEndpointResponse:
    return pb.CreateWebhookEndpointResponse(
        webhook_endpoint=endpoint_to_wire(created.webhook_endpoint), secret=secret.text
    )


def list_from_wire(request: pb.ListWebhookEndpointsRequest) -> Page:
    fields = Fields()
    page = page_from_wire(fields, request, _LIST)
    fields.check()
    return page


def list_to_wire(rows: Sequence[WebhookEndpoint], page: Page) -> pb.ListWebhookEndpointsResponse:
    shown, token = page_to_wire(rows, page, _LIST, lambda row: (row.webhook_endpoint_id,), endpoint_to_wire)
    return pb.ListWebhookEndpointsResponse(webhook_endpoints=shown, next_page_token=token)


def rotate_from_wire(request: pb.RotateWebhookSecretRequest) -> RotateWebhookSecret:
    fields = Fields()
    command = RotateWebhookSecret(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RotateWebhookSecret", request),
        webhook_endpoint_id=WebhookEndpointId(
            fields.text("webhook_endpoint_id", request.webhook_endpoint_id)
        ),
    )
    fields.check()
    return command


def rotate_to_wire(rotated: SecretRotated, secret: Secret) -> pb.RotateWebhookSecretResponse:
    return pb.RotateWebhookSecretResponse(
        secret=secret.text, previous_expire_time=timestamp(rotated.previous_expire_time)
    )


def disable_from_wire(request: pb.DisableWebhookEndpointRequest) -> DisableWebhookEndpoint:
    fields = Fields()
    command = DisableWebhookEndpoint(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("DisableWebhookEndpoint", request),
        webhook_endpoint_id=WebhookEndpointId(
            fields.text("webhook_endpoint_id", request.webhook_endpoint_id)
        ),
    )
    fields.check()
    return command


def disable_to_wire(endpoint: WebhookEndpoint) -> pb.DisableWebhookEndpointResponse:
    return pb.DisableWebhookEndpointResponse(webhook_endpoint=endpoint_to_wire(endpoint))


def endpoint_to_wire(endpoint: WebhookEndpoint) -> pb.WebhookEndpoint:
    return pb.WebhookEndpoint(
        webhook_endpoint_id=endpoint.webhook_endpoint_id,
        url=endpoint.url,
        event_types=[one.value for one in endpoint.event_types],
        create_time=timestamp(endpoint.create_time),
        disable_time=optional_timestamp(endpoint.disable_time),
    )


def _url(fields: Fields, url: str) -> str:
    if not url:
        fields.add("url", "is required")
    elif len(url) > URL_LENGTH_MAX:
        fields.add("url", f"must have at most {URL_LENGTH_MAX} characters")
    else:
        try:
            target_of(url)
        except ValueError as error:
            fields.add("url", str(error))
    return url
