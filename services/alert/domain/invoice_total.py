# SPDX-License-Identifier: Apache-2.0
"""INVOICE_TOTAL: what the events of an invoice say, and whether it has reached a threshold."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meshkit.quantity import Credits
from services.alert.domain.alert import Alert, AlertId, CustomerId
from services.alert.domain.event import EventType
from services.alert.domain.status import AlertState, AlertStatus, Crossing

INVOICE_EVENTS: Final = (EventType.INVOICE_FINALIZED, EventType.INVOICE_PAID, EventType.INVOICE_VOIDED)
_OPEN: Final = "OPEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceId:
    """An invoice of a customer."""

    customer_id: CustomerId
    invoice_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """What is known of an issued invoice. total: money × 10^6. time: of its last event, in business time."""

    currency_code: str
    total: Credits
    is_open: bool
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceCursor:
    """How far an alert has observed the events of invoices: the position in the feed of the last one."""

    alert_id: AlertId
    version: int
    customer_id: CustomerId
    position: int


def invoice_from(payloads: Iterable[str]) -> Invoice | None:
    """Return what the events of one invoice say, in any order: one of them closes it. None if none says its total."""
    events = [json.loads(payload) for payload in payloads]
    totals = [event["data"]["total"] for event in events if "total" in event["data"]]
    if not totals:
        return None
    return Invoice(
        currency_code=totals[0]["currency_code"],
        total=Credits(totals[0]["micros"]),
        is_open=all(event["data"].get("status") == _OPEN for event in events),
        time=max(datetime.fromisoformat(event["timestamp"]) for event in events),
    )


def is_reached(alert: Alert, invoice: Invoice) -> bool:
    """Whether an invoice puts an alert on it into alarm."""
    return (
        invoice.is_open
        and invoice.currency_code == alert.currency_code
        and invoice.total.micros >= alert.threshold.micros
    )


def crossing_of(alert: Alert, invoice: Invoice, status: AlertStatus) -> Crossing | None:
    """Return the observation that brings a status up to date; None if it is."""
    in_alarm = is_reached(alert, invoice)
    if status.state is (AlertState.IN_ALARM if in_alarm else AlertState.OK):
        return None
    return Crossing(
        alert_id=alert.alert_id,
        customer_id=status.customer_id,
        group_value=status.group_value,
        in_alarm=in_alarm,
        value=invoice.total,
        sequence=status.sequence + 1,
        observe_time=invoice.time,
    )
