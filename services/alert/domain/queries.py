# SPDX-License-Identifier: Apache-2.0
"""The filters of lists. An empty id does not filter."""

from dataclasses import dataclass

from services.alert.domain.alert import AlertId, AlertOwner, CustomerId
from services.alert.domain.delivery import DeliveryStatus
from services.alert.domain.endpoint import WebhookEndpointId
from services.alert.domain.event import EventType


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAlerts:
    customer_id: CustomerId
    include_archived: bool
    name: str = ""
    owner: AlertOwner | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListStatuses:
    alert_id: AlertId
    customer_id: CustomerId


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDeliveries:
    """event_types: empty: all."""

    webhook_endpoint_id: WebhookEndpointId
    alert_id: AlertId
    event_types: tuple[EventType, ...] = ()
    status: DeliveryStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindEvents:
    """Events of the feed. event_types: empty: all."""

    customer_id: CustomerId
    event_types: tuple[EventType, ...]
