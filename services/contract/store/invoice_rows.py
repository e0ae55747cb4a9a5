# SPDX-License-Identifier: Apache-2.0
"""Rows of invoices, their lines and their payments, to and from the domain."""

from typing import Any, Final

from sqlalchemy import Row, Select, select

from meshkit.period import Period
from meshkit.quantity import Money
from services.contract.domain.ids import (
    ContractId,
    CustomerId,
    InvoiceId,
    InvoiceLineId,
    InvoicePaymentId,
    ProductId,
    SubscriptionId,
)
from services.contract.domain.invoice import (
    Invoice,
    InvoiceLine,
    InvoiceLineKind,
    InvoiceStatus,
    Share,
)
from services.contract.domain.invoice_life import InvoicePayment, settled
from services.contract.tables import invoice_lines, invoice_payments, invoices

SELECT_INVOICES: Final[Select[Any]] = select(
    invoices.c.invoice_id,
    invoices.c.customer_id,
    invoices.c.contract_id,
    invoices.c.status,
    invoices.c.currency_code,
    invoices.c.total_micros,
    invoices.c.issue_time,
    invoices.c.finalize_time,
    invoices.c.number,
    invoices.c.paid_micros,
    invoices.c.credited_micros,
    invoices.c.void_time,
    invoices.c.void_reason,
)
SELECT_PAYMENTS: Final[Select[Any]] = select(
    invoice_payments.c.invoice_payment_id,
    invoice_payments.c.invoice_id,
    invoice_payments.c.currency_code,
    invoice_payments.c.amount_micros,
    invoice_payments.c.reference,
    invoice_payments.c.payment_time,
    invoice_payments.c.create_time,
)
# A replica of the previous version reads the column too, and knows no other values: migrations/0006.
_STORED_STATUSES: Final = {
    InvoiceStatus.DRAFT: "DRAFT",
    InvoiceStatus.OPEN: "FINALIZED",
    InvoiceStatus.PAID: "FINALIZED",
    InvoiceStatus.VOID: "VOID",
    InvoiceStatus.STATEMENT: "DRAFT",  # invoice_usage.close_time tells them apart
}
SELECT_LINES: Final[Select[Any]] = select(
    invoice_lines.c.invoice_id,
    invoice_lines.c.invoice_line_id,
    invoice_lines.c.kind,
    invoice_lines.c.product_id,
    invoice_lines.c.description,
    invoice_lines.c.quantity,
    invoice_lines.c.currency_code,
    invoice_lines.c.unit_price_micros,
    invoice_lines.c.share_numerator,
    invoice_lines.c.share_denominator,
    invoice_lines.c.exact_micros,
    invoice_lines.c.total_micros,
    invoice_lines.c.subscription_id,
    invoice_lines.c.span_start,
    invoice_lines.c.span_end,
    invoice_lines.c.billing_period_start,
    invoice_lines.c.carried_micros,
).order_by(invoice_lines.c.invoice_id, invoice_lines.c.position)


def invoice_from_row(row: Row[Any], lines: tuple[InvoiceLine, ...]) -> Invoice:
    is_issued = row.status == "FINALIZED"
    invoice = Invoice(
        invoice_id=InvoiceId(row.invoice_id),
        customer_id=CustomerId(row.customer_id),
        contract_id=ContractId(row.contract_id),
        status=InvoiceStatus.OPEN if is_issued else InvoiceStatus(row.status),
        lines=lines,
        total=Money(row.currency_code, row.total_micros),
        issue_time=row.issue_time,
        finalize_time=row.finalize_time,
        number=row.number or "",
        paid=Money(row.currency_code, row.paid_micros),
        credited=Money(row.currency_code, row.credited_micros),
        void_time=row.void_time,
        void_reason=row.void_reason,
    )
    return settled(invoice) if is_issued else invoice


def state_to_row(invoice: Invoice) -> dict[str, Any]:
    """Return the columns that change during the life of an invoice."""
    return {
        "status": _STORED_STATUSES[invoice.status],
        "total_micros": invoice.total.micros,
        "finalize_time": invoice.finalize_time,
        "number": invoice.number or None,
        "paid_micros": invoice.paid.micros,
        "credited_micros": invoice.credited.micros,
        "void_time": invoice.void_time,
        "void_reason": invoice.void_reason,
    }


def payment_from_row(row: Row[Any]) -> InvoicePayment:
    return InvoicePayment(
        invoice_payment_id=InvoicePaymentId(row.invoice_payment_id),
        invoice_id=InvoiceId(row.invoice_id),
        amount=Money(row.currency_code, row.amount_micros),
        reference=row.reference,
        payment_time=row.payment_time,
        create_time=row.create_time,
    )


def line_to_row(line: InvoiceLine) -> dict[str, Any]:
    return {
        "invoice_line_id": line.invoice_line_id,
        "kind": line.kind.value,
        "product_id": line.product_id,
        "description": line.description,
        "quantity": line.quantity,
        "currency_code": line.total.currency_code,
        "unit_price_micros": line.unit_price.micros,
        "share_numerator": line.share.numerator,
        "share_denominator": line.share.denominator,
        "exact_micros": line.exact_micros,
        "total_micros": line.total.micros,
        "subscription_id": line.subscription_id,
        "span_start": None if line.span is None else line.span.start,
        "span_end": None if line.span is None else line.span.end,
        "billing_period_start": line.billing_period_start,
        "carried_micros": line.carried_micros,
    }


def line_from_row(row: Row[Any]) -> InvoiceLine:
    return InvoiceLine(
        invoice_line_id=InvoiceLineId(row.invoice_line_id),
        kind=InvoiceLineKind(row.kind),
        product_id=ProductId(row.product_id),
        description=row.description,
        quantity=row.quantity,
        unit_price=Money(row.currency_code, row.unit_price_micros),
        share=Share(row.share_numerator, row.share_denominator),
        exact_micros=row.exact_micros,
        total=Money(row.currency_code, row.total_micros),
        subscription_id=None if row.subscription_id is None else SubscriptionId(row.subscription_id),
        span=None if row.span_start is None else Period(row.span_start, row.span_end),
        billing_period_start=row.billing_period_start,
        carried_micros=row.carried_micros,
    )
