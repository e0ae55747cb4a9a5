# SPDX-License-Identifier: Apache-2.0
"""Webhook endpoints and their signing secrets (https://www.standardwebhooks.com)."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import NewType

from services.alert.domain.event import EventType

WebhookEndpointId = NewType("WebhookEndpointId", str)
SecretId = NewType("SecretId", str)

SECRET_BYTES = 32  # Standard Webhooks requires 24 to 64
SECRET_PREFIX = "whsec_"
ROTATION_OVERLAP = timedelta(hours=24)
SIGNATURES_MAX = 4  # per request, even if the secret was rotated more often within the overlap


FAILING_MAX = timedelta(days=3)
# A receiver that fails now and then, with nothing to receive in between, is not failing all the time.
FAILURES_APART_MAX = timedelta(days=2)


# What our requests set, and what HTTP itself does (RFC 9110).
_RESERVED_HEADERS = frozenset(
    (
        *(
            "accept-encoding",
            "connection",
            "content-encoding",
            "content-length",
            "content-type",
            "cookie",
            "date",
        ),
        *(
            "expect",
            "host",
            "keep-alive",
            "proxy-authenticate",
            "proxy-authorization",
            "proxy-connection",
            "range",
        ),
        *("te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via"),
    )
)


def is_reserved(header_name: str) -> bool:
    """Whether a header, in lower case, cannot be a custom one."""
    return header_name in _RESERVED_HEADERS or header_name.startswith("webhook-")


class EndpointKind(Enum):
    """WEBHOOK: gets the payload of an event. SLACK: a text for people, in Slack's format (slack.py). EMAIL: a mail.

    METRONOME: the event in the form of Metronome's webhooks (webhooks/metronome.py).
    """

    WEBHOOK = "WEBHOOK"
    SLACK = "SLACK"
    EMAIL = "EMAIL"
    METRONOME = "METRONOME"


class DisableReason(Enum):
    """OPERATOR: DisableWebhookEndpoint. GONE: it answered 410. FAILING: nothing but failures for FAILING_MAX."""

    OPERATOR = "OPERATOR"
    GONE = "GONE"
    FAILING = "FAILING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A custom header of an endpoint's requests. Its value is a secret, so it is not part of the repr."""

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """A URL, or for the kind EMAIL recipients, that get every notification of these types while it is not disabled.

    url: empty for EMAIL. header_names: of its custom headers. disable_reason: None also if a version without reasons
    has disabled it.
    """

    webhook_endpoint_id: WebhookEndpointId
    url: str
    kind: EndpointKind = EndpointKind.WEBHOOK
    recipients: tuple[str, ...] = ()
    event_types: tuple[EventType, ...]
    header_names: tuple[str, ...] = ()
    create_time: datetime
    disable_time: datetime | None = None
    disable_reason: DisableReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """A row of failed attempts of one endpoint, without a success."""

    since_time: datetime
    latest_time: datetime

    def is_too_long(self) -> bool:
        """Whether the endpoint is to be disabled."""
        return self.latest_time - self.since_time >= FAILING_MAX


def next_failure(before: Failures | None, *, at: datetime) -> Failures:
    """Return the row with one more failure. One that is FAILURES_APART_MAX or more after the last begins a new row."""
    if before is None or at - before.latest_time >= FAILURES_APART_MAX:
        return Failures(since_time=at, latest_time=at)
    return Failures(since_time=before.since_time, latest_time=max(before.latest_time, at))


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
    """The stored response. It refers to the secret by id; the text is in its own row only. EMAIL has none."""

    webhook_endpoint: WebhookEndpoint
    secret_id: SecretId | None


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
