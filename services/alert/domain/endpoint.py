# SPDX-License-Identifier: Apache-2.0
"""Webhook endpoints and their signing secrets (https://www.standardwebhooks.com)."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NewType

from services.alert.domain.event import EventType

WebhookEndpointId = NewType("WebhookEndpointId", str)
SecretId = NewType("SecretId", str)

SECRET_BYTES = 32  # Standard Webhooks requires 24 to 64
SECRET_PREFIX = "whsec_"
ROTATION_OVERLAP = timedelta(hours=24)
SIGNATURES_MAX = 4  # per request, even if the secret was rotated more often within the overlap


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """A URL that receives every notification of these types until it is disabled."""

    webhook_endpoint_id: WebhookEndpointId
    url: str
    event_types: tuple[EventType, ...]
    create_time: datetime
    disable_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret that signs the requests to an endpoint until `expire_time` (None: until it is rotated).

    text: "whsec_" + base64. It is not part of the repr, so it appears in no log or traceback.
    """

    secret_id: SecretId
    webhook_endpoint_id: WebhookEndpointId
    text: str = field(repr=False)
    create_time: datetime
    expire_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointCreated:
    """The stored response. It refers to the secret by id; the text is in its own row only."""

    webhook_endpoint: WebhookEndpoint
    secret_id: SecretId


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRotated:
    """The stored response; see EndpointCreated."""

    secret_id: SecretId
    previous_expire_time: datetime


def secret_text(random_bytes: bytes) -> str:
    """Return a signing secret from SECRET_BYTES random bytes."""
    assert len(random_bytes) == SECRET_BYTES
    return SECRET_PREFIX + base64.b64encode(random_bytes).decode()


def signing_secrets(secrets: Iterable[Secret], *, at: datetime) -> tuple[Secret, ...]:
    """Return the secrets that are valid at an instant, newest first, at most SIGNATURES_MAX."""
    in_use = [secret for secret in secrets if secret.expire_time is None or at < secret.expire_time]
    in_use.sort(key=lambda secret: secret.secret_id, reverse=True)
    return tuple(in_use[:SIGNATURES_MAX])
