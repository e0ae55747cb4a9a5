# SPDX-License-Identifier: Apache-2.0
"""Events for the vendor, which Alert posts as webhooks. Source: services/contract/README.md, "Events".

A new type is a line in EventType here and in Alert's (its domain/event.py), the two files of its payload
(services/alert/payloads), and a call that builds its event.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final
from zlib import crc32

from meshkit.quantity import Money
from services.contract.domain.auto_top_up import AutoTopUp, StopReason
from services.contract.domain.dunning import Dunning
from services.contract.domain.ids import CustomerId, TopUpId
from services.contract.domain.invoice import Invoice, InvoiceStatus
from services.contract.domain.refunds import RefundCause, RefundStatus, TopUpRefund
from services.contract.domain.top_up import PaymentError, TopUp, TopUpStatus

LANES: Final = 4


class EventType(Enum):
    """The type of an event."""

    TOP_UP_PAID = "top_up.paid"
    TOP_UP_DECLINED = "top_up.declined"
    TOP_UP_FAILED = "top_up.failed"
    TOP_UP_CANCELLED = "top_up.cancelled"
    TOP_UP_EXPIRED = "top_up.expired"
    TOP_UP_REFUND_DUE = "top_up.refund_due"
    TOP_UP_REFUNDED = "top_up.refunded"
    TOP_UP_DISPUTED = "top_up.disputed"
    TOP_UP_DISPUTE_CLOSED = "top_up.dispute_closed"
    AUTO_TOP_UP_ORDERED = "auto_top_up.ordered"
    AUTO_TOP_UP_STOPPED = "auto_top_up.stopped"
    INVOICE_FINALIZED = "invoice.finalized"
    INVOICE_PAID = "invoice.paid"
    INVOICE_VOIDED = "invoice.voided"
    INVOICE_PAYMENT_FAILED = "invoice.payment_failed"


EVENT_OF_STATUS: Final[Mapping[TopUpStatus, EventType]] = {
    TopUpStatus.PAID: EventType.TOP_UP_PAID,
    TopUpStatus.FAILED: EventType.TOP_UP_FAILED,
    TopUpStatus.CANCELLED: EventType.TOP_UP_CANCELLED,
    TopUpStatus.EXPIRED: EventType.TOP_UP_EXPIRED,
    TopUpStatus.REFUND_DUE: EventType.TOP_UP_REFUND_DUE,
    TopUpStatus.REFUNDED: EventType.TOP_UP_REFUNDED,
}


EVENT_OF_DISPUTE: Final[Mapping[RefundStatus, EventType]] = {
    RefundStatus.DISPUTED: EventType.TOP_UP_DISPUTED,
    RefundStatus.RETURNED: EventType.TOP_UP_DISPUTE_CLOSED,
    RefundStatus.REVERSED: EventType.TOP_UP_DISPUTE_CLOSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorEvent:
    """A notice for Alert. event_time: business time. data: the JSON object that webhooks show, as text."""

    customer_id: CustomerId
    event_type: EventType
    event_time: datetime
    data: str

    @property
    def lane(self) -> str:
        """The key of the notice: not the customer's, so that an Alert that is down delays none of the Ledger's notices.

        There are few, so that an Alert that hangs occupies few of the relay's places.
        """
        return f"events/{crc32(self.customer_id.encode()) % LANES}"


def events_of_top_up(before: TopUp | None, after: TopUp, *, at: datetime) -> tuple[VendorEvent, ...]:
    """Return the event of a changed top-up: of its new status, or else of an attempt to pay that failed.

    before: None of a new one.
    """
    if before is None or after.status is not before.status:
        event_type = EVENT_OF_STATUS.get(after.status)
        return () if event_type is None else (event_of_top_up(event_type, after, at=at),)
    if after.last_payment_error not in (None, before.last_payment_error):
        return (event_of_top_up(EventType.TOP_UP_DECLINED, after, at=at),)
    return ()


def events_of_refund(
    before: TopUpRefund, after: TopUpRefund, top_up: TopUp, *, at: datetime
) -> tuple[VendorEvent, ...]:
    """Return the event of a refund of a granted top-up: its money was returned, or its dispute was opened or closed."""
    if after.cause is RefundCause.CHARGEBACK:
        event_type = EVENT_OF_DISPUTE.get(after.status)
        if event_type is None or after.status is before.status:
            return ()
        return (event_of_top_up(event_type, top_up, refund=after, at=at),)
    is_returned = after.status is RefundStatus.RETURNED and before.status is not RefundStatus.RETURNED
    if not (is_returned and after.amount):
        return ()
    return (event_of_top_up(EventType.TOP_UP_REFUNDED, top_up, refund=after, at=at),)


def events_of_invoice(before: Invoice, after: Invoice, *, at: datetime) -> tuple[VendorEvent, ...]:
    """Return the events of a changed invoice: it was issued, it became PAID, or both; or it was issued and is VOID."""
    happened = []
    if after.number and not before.number:
        happened.append(EventType.INVOICE_FINALIZED)
    if after.status is InvoiceStatus.PAID and before.status is not InvoiceStatus.PAID:
        happened.append(EventType.INVOICE_PAID)
    if after.status is InvoiceStatus.VOID and before.status is InvoiceStatus.OPEN:
        happened.append(EventType.INVOICE_VOIDED)
    return tuple(event_of_invoice(event_type, after, at=at) for event_type in happened)


def events_of_auto_top_up(before: AutoTopUp, after: AutoTopUp, *, at: datetime) -> tuple[VendorEvent, ...]:
    """Return the events of a changed automatic top-up: it has ordered, or buys nothing for a reason that is new."""
    happened = []
    if after.top_up_id not in (None, before.top_up_id):
        happened.append(EventType.AUTO_TOP_UP_ORDERED)
    is_stopped = after.stop not in (None, StopReason.BY_REQUEST)
    if is_stopped and (after.stop, after.status) != (before.stop, before.status):
        happened.append(EventType.AUTO_TOP_UP_STOPPED)
    top_up_id = after.top_up_id or before.top_up_id
    return tuple(_event_of_auto_top_up(event_type, after, top_up_id, at=at) for event_type in happened)


def _event_of_auto_top_up(
    event_type: EventType, auto: AutoTopUp, top_up_id: TopUpId | None, *, at: datetime
) -> VendorEvent:
    terms = auto.terms
    data = {
        "auto_top_up_id": auto.auto_top_up_id,
        "customer_id": auto.customer_id,
        "contract_id": terms.contract_id,
        "credit_type_id": auto.credit_type_id,
        "top_up_pack_id": terms.top_up_pack_id,
        "threshold_micros": terms.threshold.micros,
        "recharge_to_micros": terms.recharge_to.micros,
        "monthly_limit": _money(terms.monthly_limit),
        "payment_gate": terms.payment_gate.value,
        "status": auto.status.value,
        "stop_reason": None if auto.stop is None else auto.stop.value,
        "until_time": _optional_time(auto.until),
        "top_up_id": top_up_id,
        "failures": auto.failures,
    }
    return _event(event_type, auto.customer_id, data, at=at)


def event_of_top_up(
    event_type: EventType, top_up: TopUp, *, refund: TopUpRefund | None = None, at: datetime
) -> VendorEvent:
    """Return an event of a top-up. refund: what was returned of a granted one."""
    terms = top_up.terms
    data = {
        "top_up_id": top_up.top_up_id,
        "customer_id": top_up.customer_id,
        "contract_id": top_up.contract_id,
        "invoice_id": top_up.invoice_id,
        "status": top_up.status.value,
        "payment_gate": top_up.payment_gate.value,
        "payment_reference": top_up.payment_reference,
        "last_payment_error": _error(top_up.last_payment_error),
        "top_up_pack_id": top_up.top_up_pack_id,
        "product_id": terms.product_id,
        "credit_type_id": terms.credit_type_id,
        "amount_micros": terms.amount.micros,
        "price": _money(terms.price),
        "refund": None
        if refund is None
        else {
            "refund_id": refund.refund_id,
            "amount": _money(refund.amount),
            "cause": refund.cause.value,
            "status": refund.status.value,
            "owed_micros": refund.owed.micros,
        },
        "create_time": _time(top_up.create_time),
        "resolve_time": _optional_time(top_up.resolve_time),
        "expire_time": _optional_time(top_up.expire_time),
    }
    return _event(event_type, top_up.customer_id, data, at=at)


def event_of_failed_payment(invoice: Invoice, dunning: Dunning, *, at: datetime) -> VendorEvent:
    """Return the event of an attempt to pay an invoice that failed, and when the next one is."""
    attempt = {
        "attempt": dunning.attempts,
        "error": _error(dunning.last_error),
        "next_attempt_time": _optional_time(dunning.next_time),
        "suspends": dunning.is_overdue,
    }
    data = _invoice(invoice) | {"payment_attempt": attempt}
    return _event(EventType.INVOICE_PAYMENT_FAILED, invoice.customer_id, data, at=at)


def event_of_invoice(event_type: EventType, invoice: Invoice, *, at: datetime) -> VendorEvent:
    return _event(event_type, invoice.customer_id, _invoice(invoice), at=at)


def _invoice(invoice: Invoice) -> dict[str, Any]:
    return {
        "invoice_id": invoice.invoice_id,
        "customer_id": invoice.customer_id,
        "contract_id": invoice.contract_id,
        "number": invoice.number,
        "status": invoice.status.value,
        "total": _money(invoice.total),
        "paid": _money(invoice.paid),
        "credited": _money(invoice.credited),
        "due": _money(invoice.due),
        "issue_time": _time(invoice.issue_time),
        "finalize_time": _optional_time(invoice.finalize_time),
    }


def _event(
    event_type: EventType, customer_id: CustomerId, data: dict[str, Any], *, at: datetime
) -> VendorEvent:
    return VendorEvent(
        customer_id=customer_id,
        event_type=event_type,
        event_time=at,
        data=json.dumps(data, ensure_ascii=False, separators=(",", ":")),
    )


def _error(error: PaymentError | None) -> dict[str, str] | None:
    if error is None:
        return None
    return {"code": error.code, "message": error.message, "create_time": _time(error.create_time)}


def _money(money: Money) -> dict[str, Any]:
    return {"currency_code": money.currency_code, "micros": money.micros}


def _optional_time(at: datetime | None) -> str | None:
    return None if at is None else _time(at)


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
