# SPDX-License-Identifier: Apache-2.0
"""Alerts: rules that watch a threshold."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NewType

from meshkit.errors import FieldViolation, InvalidFields
from meshkit.quantity import INT64_MAX, Credits
from services.alert.domain.errors import AlertArchived

AlertId = NewType("AlertId", str)
CustomerId = NewType("CustomerId", str)
CreditTypeId = NewType("CreditTypeId", str)

EVERY_CUSTOMER = CustomerId("")
EACH_GROUP_VALUE = ""

REARM_PERCENT = 5
REARM_DISTANCE_MIN = Credits.of(1)
QUIET_PERIOD_MAX = timedelta(days=31)
NOT_QUIET = timedelta(0)


class AlertType(Enum):
    """What is watched, and how it is compared with the threshold.

    LOW_BALANCE: credits left ≤. SPEND: spend of a group value, of a product or of the customer in the window ≥.
    LOW_PERCENTAGE: credits left, in percent of what the pool was granted for its present period ≤. SHORTFALL, OVERAGE:
    usage of the billing period that no credits cover, and that nobody pays or that is billed ≥. GRANT_EXPIRING: what is
    left of a grant that expires soon ≥. LOW_SEAT_BALANCE: credits left to one named seat ≤. INVOICE_TOTAL: total of an
    open invoice ≥.
    """

    LOW_BALANCE = "LOW_BALANCE"
    SPEND = "SPEND"
    LOW_PERCENTAGE = "LOW_PERCENTAGE"
    SHORTFALL = "SHORTFALL"
    OVERAGE = "OVERAGE"
    GRANT_EXPIRING = "GRANT_EXPIRING"
    LOW_SEAT_BALANCE = "LOW_SEAT_BALANCE"
    INVOICE_TOTAL = "INVOICE_TOTAL"


class SpendWindow(Enum):
    """The window over which a SPEND counts. All but BILLING_PERIOD are of the calendar in the customer's time zone."""

    BILLING_PERIOD = "BILLING_PERIOD"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


class AlertOwner(Enum):
    """Whose alert it is, and so whose endpoints or destinations get its events."""

    VENDOR = "VENDOR"
    CUSTOMER = "CUSTOMER"


# Of one customer's own, while they are not archived.
OWN_ALERTS_MAX: Final = 20
# In alarm at or below the threshold; the others at or above it.
LOW: Final = frozenset({AlertType.LOW_BALANCE, AlertType.LOW_PERCENTAGE, AlertType.LOW_SEAT_BALANCE})
# Their group key is the caller's.
OF_GROUP_VALUE: Final = frozenset({AlertType.SPEND, AlertType.LOW_SEAT_BALANCE})
# The group key of an INVOICE_TOTAL: it has a state for each invoice.
INVOICE_KEY: Final = "invoice_id"
PERCENT: Final = 1_000_000  # one percent, as threshold and value of a LOW_PERCENTAGE
# A threshold of 0 means any amount.
OF_ANY: Final = frozenset({AlertType.SHORTFALL, AlertType.OVERAGE, AlertType.GRANT_EXPIRING})
EXPIRES_WITHIN_DAYS_MAX: Final = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A rule. version: grows with every change of what is watched; group_key: set for SPEND only.

    An empty customer_id watches every customer; an empty group_value watches each value separately.
    threshold, rearm: of a LOW_PERCENTAGE, millionths of a percent. rearm: an alarm ends beyond it.
    quiet_period: at most one notification in it, per customer and group value. expires_within_days: of a
    GRANT_EXPIRING, whose group values are the ids of grants; otherwise 0. product_id: of a SPEND without a group key;
    empty: all that the customer spends. currency_code: of an INVOICE_TOTAL, which has
    no credit type; its threshold is money × 10^6.
    pause_time: since when nothing is watched; None: it is watched.
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
    rearm: Credits
    quiet_period: timedelta
    pause_time: datetime | None = None
    expires_within_days: int = 0
    window: SpendWindow = SpendWindow.BILLING_PERIOD
    product_id: str = ""
    currency_code: str = ""
    owner: AlertOwner = AlertOwner.VENDOR

    @property
    def is_active(self) -> bool:
        return self.archive_time is None and self.pause_time is None

    @property
    def is_of_ledger(self) -> bool:
        """Whether the Ledger watches it. Invoices are watched here, from the events of Contract."""
        return self.alert_type is not AlertType.INVOICE_TOTAL

    def watches(self, customer_id: CustomerId, group_value: str) -> bool:
        """Return whether the alert watches this customer and group value."""
        return (
            self.is_active
            and self.customer_id in (EVERY_CUSTOMER, customer_id)
            and self.group_value in (EACH_GROUP_VALUE, group_value)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChanges:
    """What UpdateAlert changes; None: stays. A new threshold without a rearm level gets the default one."""

    name: str | None
    threshold: Credits | None
    rearm: Credits | None
    quiet_period: timedelta | None


NOTHING_CHANGES = AlertChanges(name=None, threshold=None, rearm=None, quiet_period=None)


def threshold_of(alert_type: AlertType, asked: Credits) -> Credits:
    """Return the threshold for the one that is asked for: for 0 as any amount, the smallest one."""
    return asked if asked or alert_type not in OF_ANY else Credits(1)


def wrong_threshold(alert_type: AlertType, threshold: Credits) -> str | None:
    """Return what is wrong with a threshold that is not negative; None: nothing."""
    match alert_type:
        case AlertType.LOW_BALANCE | AlertType.LOW_SEAT_BALANCE:
            return None
        case (
            AlertType.SPEND
            | AlertType.SHORTFALL
            | AlertType.OVERAGE
            | AlertType.GRANT_EXPIRING
            | AlertType.INVOICE_TOTAL
        ):
            return None if threshold else "must be above 0"
        case AlertType.LOW_PERCENTAGE:
            is_percentage = 0 < threshold.micros <= 100 * PERCENT and threshold.micros % (PERCENT // 100) == 0
            wrong = "must be above 0 % and at most 100 %, in hundredths of a percent: 20 % is 20000000"
            return None if is_percentage else wrong


def rearm_of(alert_type: AlertType, threshold: Credits, wanted: Credits | None) -> Credits:
    """Return the level beyond which an alarm ends.

    wanted: None: 5 % of the threshold, and at least one credit if it is in credits, away from it; an alarm at or above
    the threshold ends at 0 at the latest. Raises InvalidFields if the alarm could end before it begins, or never.
    Source: services/alert/README.md, "Alerts and their states".
    """
    if alert_type is AlertType.INVOICE_TOTAL:
        if wanted not in (None, threshold):
            problem = "is not for INVOICE_TOTAL: the total of an invoice does not change"
            raise InvalidFields([FieldViolation("rearm_micros", problem)])
        return threshold
    distance = threshold.micros * REARM_PERCENT // 100
    if alert_type is not AlertType.LOW_PERCENTAGE:
        distance = max(distance, REARM_DISTANCE_MIN.micros)
    if alert_type in LOW:
        rearm = Credits(min(threshold.micros + distance, INT64_MAX)) if wanted is None else wanted
        wrong = "must be at or above threshold_micros" if rearm < threshold else None
    else:
        rearm = Credits(max(threshold.micros - distance, 1)) if wanted is None else wanted
        is_between = 0 < rearm.micros <= threshold.micros
        wrong = None if is_between else "must be above 0, and at or below threshold_micros"
    if wrong is not None:
        raise InvalidFields([FieldViolation("rearm_micros", wrong)])
    return rearm


def updated(alert: Alert, changes: AlertChanges) -> Alert:
    """Return the alert with these changes, and with the next version if they concern what is watched.

    Raises AlertArchived, InvalidFields.
    """
    refuse_archived(alert)
    threshold = (
        alert.threshold if changes.threshold is None else threshold_of(alert.alert_type, changes.threshold)
    )
    wrong = wrong_threshold(alert.alert_type, threshold)
    if wrong is not None:
        raise InvalidFields([FieldViolation("threshold_micros", wrong)])
    kept = alert.rearm if threshold == alert.threshold else None
    rearm = rearm_of(alert.alert_type, threshold, kept if changes.rearm is None else changes.rearm)
    changed = replace(
        alert,
        name=alert.name if changes.name is None else changes.name,
        threshold=threshold,
        rearm=rearm,
        quiet_period=alert.quiet_period if changes.quiet_period is None else changes.quiet_period,
    )
    is_watched_alike = (threshold, rearm) == (alert.threshold, alert.rearm)
    return changed if is_watched_alike else renew(changed)


def paused(alert: Alert, *, at: datetime) -> Alert:
    """Return the alert, which watches nothing until it is resumed; a paused one unchanged. Raises AlertArchived."""
    refuse_archived(alert)
    return alert if alert.pause_time is not None else renew(replace(alert, pause_time=at))


def resumed(alert: Alert) -> Alert:
    """Return the alert, which watches again; one that is not paused unchanged. Raises AlertArchived."""
    refuse_archived(alert)
    return alert if alert.pause_time is None else renew(replace(alert, pause_time=None))


def refuse_archived(alert: Alert) -> None:
    """Raise AlertArchived if the alert has ended."""
    if alert.archive_time is not None:
        raise AlertArchived(alert_id=alert.alert_id)


def archive(alert: Alert, *, at: datetime) -> Alert:
    """Return the alert archived, with the next version; an archived alert unchanged."""
    if alert.archive_time is None:
        return replace(alert, archive_time=at, version=alert.version + 1)
    return alert


def renew(alert: Alert) -> Alert:
    """Return the alert with its next version, under which the Ledger takes what it may have already."""
    return replace(alert, version=alert.version + 1)
