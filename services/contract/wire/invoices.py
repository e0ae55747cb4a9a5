# SPDX-License-Identifier: Apache-2.0
"""Invoices on the wire."""

from collections.abc import Sequence
from typing import Final

from meshkit.page import Page
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.paging import page_from_wire, page_to_wire, text_key, time_key
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.ids import ContractId, InvoiceId
from services.contract.domain.invoice import Invoice, InvoiceLine, InvoiceLineKind, InvoiceStatus
from services.contract.wire.values import money_to_wire, period_to_wire

_STATUSES: Final = {
    InvoiceStatus.DRAFT: pb.INVOICE_STATUS_DRAFT,
    InvoiceStatus.FINALIZED: pb.INVOICE_STATUS_FINALIZED,
    InvoiceStatus.VOID: pb.INVOICE_STATUS_VOID,
}
_KINDS: Final = {
    InvoiceLineKind.SUBSCRIPTION: pb.INVOICE_LINE_KIND_SUBSCRIPTION,
    InvoiceLineKind.SEAT_INCREASE: pb.INVOICE_LINE_KIND_SEAT_INCREASE,
    InvoiceLineKind.TOP_UP: pb.INVOICE_LINE_KIND_TOP_UP,
}


def get_from_wire(request: pb.GetInvoiceRequest) -> InvoiceId:
    fields = Fields()
    invoice_id = InvoiceId(fields.text("invoice_id", request.invoice_id))
    fields.check()
    return invoice_id


def list_from_wire(request: pb.ListInvoicesRequest) -> tuple[str, ContractId | None, Page]:
    fields = Fields()
    customer = fields.text("customer", request.customer)
    contract_id = fields.text("contract_id", request.contract_id, required=False)
    page = page_from_wire(fields, request, _list_of(request), keys=(time_key, text_key))
    fields.check()
    return customer, ContractId(contract_id) if contract_id else None, page


def get_to_wire(invoice: Invoice) -> pb.GetInvoiceResponse:
    return pb.GetInvoiceResponse(invoice=invoice_to_wire(invoice))


def list_to_wire(
    rows: Sequence[Invoice], page: Page, request: pb.ListInvoicesRequest
) -> pb.ListInvoicesResponse:
    shown, token = page_to_wire(
        rows,
        page,
        _list_of(request),
        lambda row: (row.issue_time.isoformat(), row.invoice_id),
        invoice_to_wire,
    )
    return pb.ListInvoicesResponse(invoices=shown, next_page_token=token)


def invoice_to_wire(invoice: Invoice) -> pb.Invoice:
    return pb.Invoice(
        invoice_id=invoice.invoice_id,
        customer_id=invoice.customer_id,
        contract_id=invoice.contract_id,
        status=_STATUSES[invoice.status],
        lines=[line_to_wire(line) for line in invoice.lines],
        total=money_to_wire(invoice.total),
        issue_time=timestamp(invoice.issue_time),
        finalize_time=optional_timestamp(invoice.finalize_time),
    )


def line_to_wire(line: InvoiceLine) -> pb.InvoiceLine:
    return pb.InvoiceLine(
        invoice_line_id=line.invoice_line_id,
        kind=_KINDS[line.kind],
        product_id=line.product_id,
        description=line.description,
        quantity=line.quantity,
        unit_price=money_to_wire(line.unit_price),
        fraction=pb.Fraction(numerator=line.share.numerator, denominator=line.share.denominator),
        exact_micros=line.exact_micros,
        total=money_to_wire(line.total),
        period=None if line.span is None else period_to_wire(line.span),
        subscription_id=line.subscription_id or "",
    )


def _list_of(request: pb.ListInvoicesRequest) -> dict[str, str]:
    return {"list": "invoices", "customer": request.customer, "contract_id": request.contract_id}
