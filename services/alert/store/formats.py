# SPDX-License-Identifier: Apache-2.0
"""Every type that Alert stores as JSON. How to change one: libs/README.md, "Stored formats"."""

from typing import Final

from meshkit.formats import Format, Formats, Json
from services.alert.domain.alert import Alert
from services.alert.domain.commands import Response
from services.alert.domain.delivery import Delivery
from services.alert.domain.destination import Destination
from services.alert.domain.endpoint import EndpointCreated, SecretRotated, WebhookEndpoint
from services.alert.domain.event import EventReceipt
from services.alert.domain.notices import WatchChanged
from services.alert.domain.replay import ReplaysStarted
from services.alert.domain.status import AlertStatus, CrossingReceipt


def _with_event_types(endpoint: Json) -> Json:
    """Event types: until then every endpoint got the alerts, and nothing else."""
    return endpoint | {"event_types": ["alert.in_alarm", "alert.resolved"]}


def _created_with_event_types(created: Json) -> Json:
    return created | {"webhook_endpoint": _with_event_types(created["webhook_endpoint"])}


def _with_hysteresis(alert: Json) -> Json:
    """Rearm levels, quiet periods and pauses: until then alarms ended at the threshold, and nothing was held back."""
    return alert | {"rearm": alert["threshold"], "quiet_period": "PT0S", "pause_time": None}


def _without_currency(alert: Json) -> Json:
    """Invoice totals: until then all thresholds were of the Ledger's."""
    return alert | {"currency_code": ""}


def _without_quiet_period(status: Json) -> Json:
    return status | {"quiet_until": None, "notified_state": None}


def _with_rearm(watch: Json) -> Json:
    return watch | {"rearm": watch["threshold"]}


def _with_expiry(alert_or_watch: Json) -> Json:
    """Alerts on grants that expire soon."""
    return alert_or_watch | {"expires_within_days": 0}


def _with_window(alert_or_watch: Json) -> Json:
    """Windows of spends: until then all were of the billing period."""
    return alert_or_watch | {"window": "BILLING_PERIOD"}


def _with_product(alert_or_watch: Json) -> Json:
    """Products: until then spends were of group values."""
    return alert_or_watch | {"product_id": ""}


def _of_vendor(alert: Json) -> Json:
    """Owners: until then all alerts were the vendor's."""
    return alert | {"owner": "VENDOR"}


def _with_header_names(endpoint: Json) -> Json:
    """Custom headers, and why an endpoint was disabled."""
    return endpoint | {"header_names": [], "disable_reason": None}


def _created_with_header_names(created: Json) -> Json:
    return created | {"webhook_endpoint": _with_header_names(created["webhook_endpoint"])}


def _with_kind(endpoint: Json) -> Json:
    """Kinds of endpoints: until then all were webhooks."""
    return endpoint | {"kind": "WEBHOOK"}


def _created_with_kind(created: Json) -> Json:
    return created | {"webhook_endpoint": _with_kind(created["webhook_endpoint"])}


def _with_recipients(endpoint: Json) -> Json:
    """Recipients of mails: until then endpoints were URLs."""
    return endpoint | {"recipients": []}


def _created_with_recipients(created: Json) -> Json:
    return created | {"webhook_endpoint": _with_recipients(created["webhook_endpoint"])}


RESPONSES: Final = Formats[Response](
    Format(
        "Alert",
        Alert,
        (_with_hysteresis, _with_expiry, _without_currency, _with_window, _with_product, _of_vendor),
    ),
    Format("AlertStatus", AlertStatus, (_without_quiet_period,)),
    Format("CrossingReceipt", CrossingReceipt),
    Format("Delivery", Delivery),
    Format("Destination", Destination),
    Format(
        "EndpointCreated",
        EndpointCreated,
        (_created_with_event_types, _created_with_header_names, _created_with_kind, _created_with_recipients),
    ),
    Format("EventReceipt", EventReceipt),
    Format("ReplaysStarted", ReplaysStarted),
    Format("SecretRotated", SecretRotated),
    Format(
        "WebhookEndpoint",
        WebhookEndpoint,
        (_with_event_types, _with_header_names, _with_kind, _with_recipients),
    ),
)
# Each is named as the notice's kind.
NOTICES: Final = Formats[WatchChanged](
    Format("WATCH_CHANGED", WatchChanged, (_with_rearm, _with_expiry, _with_window, _with_product))
)
