# SPDX-License-Identifier: Apache-2.0
"""Alerts: rules that watch a threshold."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import NewType

from meshkit.quantity import Credits

AlertId = NewType("AlertId", str)
CustomerId = NewType("CustomerId", str)
CreditTypeId = NewType("CreditTypeId", str)

EVERY_CUSTOMER = CustomerId("")
EACH_GROUP_VALUE = ""


class AlertType(Enum):
    """LOW_BALANCE: credits left ≤ threshold. SPEND: spend of a group value in the billing period ≥ threshold."""

    LOW_BALANCE = "LOW_BALANCE"
    SPEND = "SPEND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A rule. version: grows with every change; group_key: set for SPEND only.

    An empty customer_id watches every customer; an empty group_value watches each value separately.
    """

    alert_id: AlertId
    name: str
    alert_type: AlertType
    customer_id: CustomerId
    credit_type_id: CreditTypeId
    threshold: Credits
    group_key: str
    group_value: str
    version: int
    create_time: datetime
    archive_time: datetime | None = None

    def watches(self, customer_id: CustomerId, group_value: str) -> bool:
        """Return whether the alert watches this customer and group value."""
        return (
            self.archive_time is None
            and self.customer_id in (EVERY_CUSTOMER, customer_id)
            and self.group_value in (EACH_GROUP_VALUE, group_value)
        )


def archive(alert: Alert, *, at: datetime) -> Alert:
    """Return the alert archived, with the next version; an archived alert unchanged."""
    if alert.archive_time is None:
        return replace(alert, archive_time=at, version=alert.version + 1)
    return alert


def renew(alert: Alert) -> Alert:
    """Return the alert with its next version, under which the Ledger takes what it may have already."""
    return replace(alert, version=alert.version + 1)
