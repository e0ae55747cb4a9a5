# SPDX-License-Identifier: Apache-2.0
"""Invoices."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal

from purser.contract.v1 import contract_pb2 as pb
from services.edge.wire.amounts import (
    CreditTypes,
    amount_to_json,
    credit_type_id_from_json,
    money_to_json,
    quantity_to_json,
)
from services.edge.wire.fields import (
    LOWER,
    UPPER,
    CursorQuery,
    Instant,
    only,
    time_to_json,
    without_absent,
)

# Metronome leaves payment to the billing provider: an issued invoice is FINALIZED, paid or not.
_STATUSES: Final = {
    pb.INVOICE_STATUS_DRAFT: "DRAFT",
    pb.INVOICE_STATUS_FINALIZED: "FINALIZED",
    pb.INVOICE_STATUS_OPEN: "FINALIZED",
    pb.INVOICE_STATUS_PAID: "FINALIZED",
    pb.INVOICE_STATUS_STATEMENT: "FINALIZED",
    pb.INVOICE_STATUS_VOID: "VOID",
}
_LINE_TYPES: Final = {
    pb.INVOICE_LINE_KIND_SUBSCRIPTION: "subscription",
    pb.INVOICE_LINE_KIND_SEAT_INCREASE: "subscription",
    pb.INVOICE_LINE_KIND_PRICE_CORRECTION: "subscription",
    pb.INVOICE_LINE_KIND_TOP_UP: "commit_purchase",
    pb.INVOICE_LINE_KIND_OVERAGE: "usage",
}
# What is charged or credited once, for another reason.
_SCHEDULED: Final = "scheduled"


class ListInvoices(CursorQuery):
    ignores: ClassVar[frozenset[str]] = frozenset(
        {"skip_zero_qty_line_items", "include_historical_commit_invoices"}
    )

    contract_id: str = ""
    credit_type_id: str = ""
    starting_on: Instant | None = None
    ending_before: Instant | None = None
    status: Annotated[str, UPPER] = ""
    type: Annotated[Literal["USAGE", "SCHEDULED"], UPPER] | None = None
    sort: Annotated[
        Literal["date_asc", "date_desc"], LOWER, only("date_asc", "invoices are listed by date, oldest first")
    ] = "date_asc"


def is_listed(invoice: pb.Invoice, query: ListInvoices) -> bool:
    """Whether a list of invoices with these filters shows the invoice."""
    issued = invoice.issue_time.ToNanoseconds()
    start = None if query.starting_on is None else int(query.starting_on.timestamp() * 10**6) * 1_000
    end = None if query.ending_before is None else int(query.ending_before.timestamp() * 10**6) * 1_000
    currency = credit_type_id_from_json(query.credit_type_id)
    return (
        (start is None or issued >= start)
        and (end is None or issued < end)
        and query.status in ("", _STATUSES[invoice.status])
        and query.type in (None, type_of(invoice))
        and currency in ("", invoice.total.currency_code)
    )


def type_of(invoice: pb.Invoice) -> str:
    """Return USAGE for what was used in a period, otherwise SCHEDULED: the two are never on one invoice."""
    # What is scheduled has lines from the start.
    is_usage = not invoice.lines or any(line.kind == pb.INVOICE_LINE_KIND_OVERAGE for line in invoice.lines)
    return "USAGE" if is_usage else "SCHEDULED"


def credit_type_ids_of(invoice: pb.Invoice, usage: pb.InvoiceUsage | None = None) -> Iterable[str]:
    yield invoice.total.currency_code
    if usage is not None:
        yield from (line.credit_type_id for line in usage.lines)


def invoice_to_json(
    invoice: pb.Invoice, credit_types: CreditTypes, usage: pb.InvoiceUsage | None = None
) -> dict[str, object]:
    """Return an invoice. usage: what it also shows, in credits."""
    shown: dict[str, object] = {
        "id": invoice.invoice_id,
        "customer_id": invoice.customer_id,
        "contract_id": invoice.contract_id,
        "status": _STATUSES[invoice.status],
        "type": "USAGE" if usage is not None else type_of(invoice),
        "credit_type": credit_types.shown(invoice.total.currency_code),
        "total": money_to_json(invoice.total),
        "subtotal": money_to_json(invoice.total),
        "line_items": [_line_to_json(line, credit_types) for line in invoice.lines],
        "start_timestamp": time_to_json(invoice.issue_time),
    }
    if invoice.HasField("finalize_time"):
        shown["issued_at"] = time_to_json(invoice.finalize_time)
    if invoice.number:
        shown["external_invoice"] = {
            "billing_provider_type": "metronome",
            "invoice_id": invoice.number,
            "external_status": _external_status(invoice),
        }
    if usage is not None:
        shown["start_timestamp"] = time_to_json(usage.period.start_time)
        shown["end_timestamp"] = time_to_json(usage.period.end_time)
        shown["line_items"] = [
            *(_line_to_json(line, credit_types) for line in invoice.lines),
            *(_usage_to_json(line, usage, credit_types) for line in usage.lines),
        ]
    return shown


def _external_status(invoice: pb.Invoice) -> str:
    """Return what became of the invoice: Purser collects it itself."""
    if invoice.status == pb.INVOICE_STATUS_VOID:
        return "VOID"
    if invoice.status == pb.INVOICE_STATUS_PAID:
        return "PAID"
    return "PARTIALLY_PAID" if invoice.amount_paid.micros else "FINALIZED"


def _line_to_json(line: pb.InvoiceLine, credit_types: CreditTypes) -> dict[str, object]:
    fraction = line.fraction
    is_prorated = fraction.numerator != fraction.denominator
    has_period = line.HasField("period")
    return without_absent(
        {
            "name": line.description,
            "type": _LINE_TYPES.get(line.kind, _SCHEDULED),
            "credit_type": credit_types.shown(line.total.currency_code),
            "product_id": line.product_id or None,
            "subscription_id": line.subscription_id or None,
            "quantity": line.quantity * Decimal(fraction.numerator) / fraction.denominator
            if line.kind == pb.INVOICE_LINE_KIND_OVERAGE and fraction.denominator
            else line.quantity,
            "unit_price": money_to_json(line.unit_price),
            "total": money_to_json(line.total),
            "is_prorated": is_prorated if line.subscription_id else None,
            "starting_at": time_to_json(line.period.start_time) if has_period else None,
            "ending_before": time_to_json(line.period.end_time) if has_period else None,
        }
    )


def _usage_to_json(
    line: pb.UsageLine, usage: pb.InvoiceUsage, credit_types: CreditTypes
) -> dict[str, object]:
    """Return usage in credits. Its total is what was paid with credits; overage is a line in money."""
    return without_absent(
        {
            "name": line.product_name,
            "type": "usage",
            "credit_type": credit_types.shown(line.credit_type_id),
            "product_id": line.product_id,
            "quantity": quantity_to_json(line.quantity_micros),
            "total": amount_to_json(line.credits_micros, line.credit_type_id),
            "presentation_group_values": {usage.group_key: line.group_value} if line.group_value else None,
            "starting_at": time_to_json(usage.period.start_time),
            "ending_before": time_to_json(usage.period.end_time),
        }
    )
