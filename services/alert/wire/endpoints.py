# SPDX-License-Identifier: Apache-2.0
"""Webhook endpoints on the wire. A secret is shown in the two answers that make one."""

import re
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
    EnableWebhookEndpoint,
    RotateWebhookSecret,
    TestWebhookEndpoint,
    UpdateWebhookEndpoint,
)
from services.alert.domain.delivery import Delivery
from services.alert.domain.endpoint import (
    DisableReason,
    EndpointCreated,
    EndpointKind,
    Header,
    Secret,
    SecretRotated,
    WebhookEndpoint,
    WebhookEndpointId,
    is_reserved,
)
from services.alert.domain.event import EventType
from services.alert.domain.mail import RECIPIENTS_MAX, is_mail_address
from services.alert.domain.target import URL_LENGTH_MAX, target_of
from services.alert.wire.deliveries import delivery_to_wire
from services.alert.wire.events import event_types_from_wire

HEADERS_MAX: Final = 10
_HEADER_NAME: Final = re.compile(r"[a-z0-9-]{1,64}")
_HEADER_VALUE: Final = re.compile(r"[!-~](?:[ -~]{0,998}[!-~])?")
_REASONS_TO_WIRE: Final = {
    None: pb.DISABLE_REASON_UNSPECIFIED,
    DisableReason.OPERATOR: pb.DISABLE_REASON_OPERATOR,
    DisableReason.GONE: pb.DISABLE_REASON_GONE,
    DisableReason.FAILING: pb.DISABLE_REASON_FAILING,
}
_KINDS_TO_WIRE: Final = {
    EndpointKind.WEBHOOK: pb.ENDPOINT_KIND_WEBHOOK,
    EndpointKind.SLACK: pb.ENDPOINT_KIND_SLACK,
    EndpointKind.METRONOME: pb.ENDPOINT_KIND_METRONOME,
    EndpointKind.EMAIL: pb.ENDPOINT_KIND_EMAIL,
}
_KINDS: Final[dict[int, EndpointKind]] = {number: kind for kind, number in _KINDS_TO_WIRE.items()}
_LIST: Final = {"list": "webhook_endpoints"}
# Metronome has no notification of an alarm's end.
_METRONOMES_TYPES: Final = (EventType.IN_ALARM,)


def create_from_wire(request: pb.CreateWebhookEndpointRequest) -> CreateWebhookEndpoint:
    fields = Fields()
    kind = fields.choice("kind", request.kind, _KINDS) if request.kind else EndpointKind.WEBHOOK
    is_mail = kind is EndpointKind.EMAIL
    command = CreateWebhookEndpoint(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CreateWebhookEndpoint", request),
        url="" if is_mail else _url(fields, request.url),
        event_types=_METRONOMES_TYPES
        if kind is EndpointKind.METRONOME and not request.event_types
        else event_types_from_wire(fields, "event_types", request.event_types),
        headers=_headers(fields, "headers", request.headers),
        kind=kind,
        recipients=_recipients(fields, "recipients", request.recipients) if is_mail else (),
    )
    for name in ("url", "headers") if is_mail else ("recipients",):
        if getattr(request, name):
            fields.add(name, f"must be empty for the kind {kind.value}")
    fields.check()
    return command


def create_to_wire(created: EndpointCreated, secret: Secret | None) -> pb.CreateWebhookEndpointResponse:
    return pb.CreateWebhookEndpointResponse(
        webhook_endpoint=endpoint_to_wire(created.webhook_endpoint),
        secret="" if secret is None else secret.text,
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


def update_from_wire(request: pb.UpdateWebhookEndpointRequest) -> UpdateWebhookEndpoint:
    fields = Fields()
    has = request.HasField
    command = UpdateWebhookEndpoint(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("UpdateWebhookEndpoint", request),
        webhook_endpoint_id=WebhookEndpointId(
            fields.text("webhook_endpoint_id", request.webhook_endpoint_id)
        ),
        url=_url(fields, request.url) if has("url") else None,
        event_types=event_types_from_wire(fields, "event_types.event_types", request.event_types.event_types)
        if has("event_types")
        else None,
        headers=_headers(fields, "headers.headers", request.headers.headers) if has("headers") else None,
        recipients=_recipients(fields, "recipients.recipients", request.recipients.recipients)
        if has("recipients")
        else None,
    )
    fields.check()
    return command


def update_to_wire(endpoint: WebhookEndpoint) -> pb.UpdateWebhookEndpointResponse:
    return pb.UpdateWebhookEndpointResponse(webhook_endpoint=endpoint_to_wire(endpoint))


def test_from_wire(request: pb.TestWebhookEndpointRequest) -> TestWebhookEndpoint:
    fields = Fields()
    command = TestWebhookEndpoint(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("TestWebhookEndpoint", request),
        webhook_endpoint_id=WebhookEndpointId(
            fields.text("webhook_endpoint_id", request.webhook_endpoint_id)
        ),
    )
    fields.check()
    return command


def test_to_wire(delivery: Delivery) -> pb.TestWebhookEndpointResponse:
    return pb.TestWebhookEndpointResponse(delivery=delivery_to_wire(delivery))


def enable_from_wire(request: pb.EnableWebhookEndpointRequest) -> EnableWebhookEndpoint:
    fields = Fields()
    command = EnableWebhookEndpoint(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("EnableWebhookEndpoint", request),
        webhook_endpoint_id=WebhookEndpointId(
            fields.text("webhook_endpoint_id", request.webhook_endpoint_id)
        ),
    )
    fields.check()
    return command


def enable_to_wire(endpoint: WebhookEndpoint) -> pb.EnableWebhookEndpointResponse:
    return pb.EnableWebhookEndpointResponse(webhook_endpoint=endpoint_to_wire(endpoint))


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
        kind=_KINDS_TO_WIRE[endpoint.kind],
        recipients=endpoint.recipients,
        event_types=[one.value for one in endpoint.event_types],
        header_names=endpoint.header_names,
        create_time=timestamp(endpoint.create_time),
        disable_time=optional_timestamp(endpoint.disable_time),
        disable_reason=_REASONS_TO_WIRE[endpoint.disable_reason],
    )


def _headers(fields: Fields, path: str, headers: Sequence[pb.CustomHeader]) -> tuple[Header, ...]:
    if len(headers) > HEADERS_MAX:
        fields.add(path, f"must be at most {HEADERS_MAX}")
    found: dict[str, Header] = {}
    for place, header in enumerate(headers[:HEADERS_MAX]):
        name, at = header.name.lower(), f"{path}[{place}]"
        if not _HEADER_NAME.fullmatch(name):
            fields.add(f"{at}.name", "must be 1 to 64 of A-Z a-z 0-9 and -")
        elif is_reserved(name):
            fields.add(f"{at}.name", "is set by Purser or by HTTP itself")
        elif name in found:
            fields.add(f"{at}.name", "is there twice")
        if not _HEADER_VALUE.fullmatch(header.value):
            fields.add(f"{at}.value", "must be 1 to 1000 printable ASCII characters, no space at either end")
        found[name] = Header(name=name, value=header.value)
    return tuple(found.values())


def _recipients(fields: Fields, path: str, recipients: Sequence[str]) -> tuple[str, ...]:
    if not 1 <= len(recipients) <= RECIPIENTS_MAX:
        fields.add(path, f"must be 1 to {RECIPIENTS_MAX}")
    found: set[str] = set()
    for place, address in enumerate(recipients[:RECIPIENTS_MAX]):
        if not is_mail_address(address):
            fields.add(f"{path}[{place}]", "must be an address in ASCII, such as ops@vendor.example")
        elif address.lower() in found:
            fields.add(f"{path}[{place}]", "is there twice")
        found.add(address.lower())
    return tuple(recipients)


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
