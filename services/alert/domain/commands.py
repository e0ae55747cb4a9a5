# SPDX-License-Identifier: Apache-2.0
"""The commands, one per rpc that writes, and the stored responses that are not domain objects.

fingerprint: the hash of the request as received. It shows whether a repeated request_id has another body.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from meshkit.quantity import Credits
from services.alert.domain.alert import (
    NOT_QUIET,
    Alert,
    AlertChanges,
    AlertId,
    AlertOwner,
    AlertType,
    CreditTypeId,
    CustomerId,
    SpendWindow,
)
from services.alert.domain.delivery import Delivery, DeliveryId
from services.alert.domain.destination import Destination
from services.alert.domain.endpoint import (
    EndpointCreated,
    EndpointKind,
    Header,
    SecretRotated,
    WebhookEndpoint,
    WebhookEndpointId,
)
from services.alert.domain.event import ALERT_EVENTS, EventReceipt, EventType, Occurrence
from services.alert.domain.replay import ReplaysStarted
from services.alert.domain.status import AlertStatus, Crossing, CrossingReceipt


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAlert:
    request_id: str
    fingerprint: bytes
    name: str
    alert_type: AlertType
    customer_id: CustomerId
    credit_type_id: CreditTypeId
    threshold: Credits
    group_key: str
    group_value: str
    rearm: Credits | None = None
    quiet_period: timedelta = NOT_QUIET
    expires_within_days: int = 0
    window: SpendWindow = SpendWindow.BILLING_PERIOD
    product_id: str = ""
    currency_code: str = ""
    owner: AlertOwner = AlertOwner.VENDOR


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateAlert:
    request_id: str
    fingerprint: bytes
    alert_id: AlertId
    changes: AlertChanges


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseAlert:
    request_id: str
    fingerprint: bytes
    alert_id: AlertId


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeAlert:
    request_id: str
    fingerprint: bytes
    alert_id: AlertId


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveAlert:
    """owner: None: whoever's it is."""

    request_id: str
    fingerprint: bytes
    alert_id: AlertId
    owner: AlertOwner | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendAlert:
    request_id: str
    fingerprint: bytes
    alert_id: AlertId


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairAlertState:
    """actor: who asks for it, as the caller states."""

    request_id: str
    fingerprint: bytes
    alert_id: AlertId
    customer_id: CustomerId
    group_value: str
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveCrossing:
    request_id: str
    fingerprint: bytes
    crossing: Crossing


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishEvent:
    request_id: str
    fingerprint: bytes
    event: Occurrence


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateWebhookEndpoint:
    request_id: str
    fingerprint: bytes
    url: str
    event_types: tuple[EventType, ...] = ALERT_EVENTS
    headers: tuple[Header, ...] = ()
    kind: EndpointKind = EndpointKind.WEBHOOK
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateWebhookEndpoint:
    """None: stays as it is."""

    request_id: str
    fingerprint: bytes
    webhook_endpoint_id: WebhookEndpointId
    url: str | None
    event_types: tuple[EventType, ...] | None
    headers: tuple[Header, ...] | None
    recipients: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TestWebhookEndpoint:
    __test__ = False  # pytest would take it for a test

    request_id: str
    fingerprint: bytes
    webhook_endpoint_id: WebhookEndpointId


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableWebhookEndpoint:
    request_id: str
    fingerprint: bytes
    webhook_endpoint_id: WebhookEndpointId


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateWebhookSecret:
    request_id: str
    fingerprint: bytes
    webhook_endpoint_id: WebhookEndpointId


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableWebhookEndpoint:
    request_id: str
    fingerprint: bytes
    webhook_endpoint_id: WebhookEndpointId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayDelivery:
    request_id: str
    fingerprint: bytes
    delivery_id: DeliveryId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayDeliveries:
    """webhook_endpoint_id: empty: of all enabled endpoints. event_types: empty: all. end_time: None: now."""

    request_id: str
    fingerprint: bytes
    webhook_endpoint_id: WebhookEndpointId
    event_types: tuple[EventType, ...]
    start_time: datetime
    end_time: datetime | None
    failed_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOwnDestination:
    request_id: str
    fingerprint: bytes
    customer_id: CustomerId
    address: str
    event_types: tuple[EventType, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmOwnDestination:
    request_id: str
    fingerprint: bytes
    destination_id: WebhookEndpointId
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveOwnDestination:
    request_id: str
    fingerprint: bytes
    destination_id: WebhookEndpointId


# The format of each: store/formats.py.
Response = (
    Alert
    | AlertStatus
    | CrossingReceipt
    | Delivery
    | Destination
    | EndpointCreated
    | EventReceipt
    | ReplaysStarted
    | SecretRotated
    | WebhookEndpoint
)
