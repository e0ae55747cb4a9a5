# SPDX-License-Identifier: Apache-2.0
"""Every type that Alert stores as JSON. How to change one: libs/README.md, "Stored formats"."""

from typing import Final

from meshkit.formats import Format, Formats
from services.alert.domain.alert import Alert
from services.alert.domain.commands import Response
from services.alert.domain.delivery import Delivery
from services.alert.domain.endpoint import EndpointCreated, SecretRotated, WebhookEndpoint
from services.alert.domain.notices import WatchChanged
from services.alert.domain.status import AlertStatus, CrossingReceipt

RESPONSES: Final = Formats[Response](
    Format("Alert", Alert),
    Format("AlertStatus", AlertStatus),
    Format("CrossingReceipt", CrossingReceipt),
    Format("Delivery", Delivery),
    Format("EndpointCreated", EndpointCreated),
    Format("SecretRotated", SecretRotated),
    Format("WebhookEndpoint", WebhookEndpoint),
)
# Each is named as the notice's kind.
NOTICES: Final = Formats[WatchChanged](Format("WATCH_CHANGED", WatchChanged))
