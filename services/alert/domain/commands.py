# SPDX-License-Identifier: Apache-2.0
"""What callers may ask Alert to write: one command per rpc that writes.

A repeated request_id is compared by class name and fields (meshkit.requests): rename with care.
"""

from dataclasses import dataclass

from meshkit.quantity import Credits
from services.alert.domain.alert import AlertId, AlertType, CreditTypeId, CustomerId
from services.alert.domain.delivery import DeliveryId
from services.alert.domain.endpoint import WebhookEndpointId
from services.alert.domain.status import Crossing


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAlert:
    request_id: str
    name: str
    alert_type: AlertType
    customer_id: CustomerId
    credit_type_id: CreditTypeId
    threshold: Credits
    group_key: str
    group_value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveAlert:
    request_id: str
    alert_id: AlertId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveCrossing:
    request_id: str
    crossing: Crossing


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateWebhookEndpoint:
    request_id: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateWebhookSecret:
    request_id: str
    webhook_endpoint_id: WebhookEndpointId


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableWebhookEndpoint:
    request_id: str
    webhook_endpoint_id: WebhookEndpointId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayDelivery:
    request_id: str
    delivery_id: DeliveryId
