# SPDX-License-Identifier: Apache-2.0
"""Notices for the Ledger: the complete watch with a version, so late or repeated notices do no harm."""

from dataclasses import dataclass

from meshkit.quantity import Credits
from services.alert.domain.alert import Alert, AlertId, AlertType, CreditTypeId, CustomerId, SpendWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchChanged:
    """Watch this threshold; if not active, stop watching it."""

    alert_id: AlertId
    version: int
    is_active: bool
    alert_type: AlertType
    customer_id: CustomerId
    credit_type_id: CreditTypeId
    threshold: Credits
    group_key: str
    group_value: str
    rearm: Credits
    expires_within_days: int = 0
    window: SpendWindow = SpendWindow.BILLING_PERIOD
    product_id: str = ""


def watch_of(alert: Alert) -> WatchChanged:
    """Return what the Ledger must know about the current alert."""
    return WatchChanged(
        alert_id=alert.alert_id,
        version=alert.version,
        is_active=alert.is_active,
        alert_type=alert.alert_type,
        customer_id=alert.customer_id,
        credit_type_id=alert.credit_type_id,
        threshold=alert.threshold,
        group_key=alert.group_key,
        group_value=alert.group_value,
        rearm=alert.rearm,
        expires_within_days=alert.expires_within_days,
        window=alert.window,
        product_id=alert.product_id,
    )
