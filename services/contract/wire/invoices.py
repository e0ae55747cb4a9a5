# SPDX-License-Identifier: Apache-2.0
"""Invoices on the wire."""

from collections.abc import Sequence
from typing import Final

from meshkit.page import Page
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire, text_key, time_key
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.commands.invoices import (
    FinalizeInvoice,
    InvoiceDetails,
    InvoicePaid,
    InvoiceVoided,
    RecordInvoicePayment,
    VoidInvoice,
)
from services.contract.domain.commands.seats import RepriceSeats, SeatsRepriced
from services.contract.domain.ids import ContractId, InvoiceId
from services.contract.domain.invoice import Invoice, InvoiceLine, InvoiceLineKind, InvoiceStatus
from services.contract.domain.invoice_credits import CreditNote
from services.contract.domain.invoice_document import DocumentFormat, InvoiceDocument
from services.contract.domain.invoice_life import InvoicePayment
from services.contract.domain.invoice_refunds import (
    InvoiceRefund,
    InvoiceRefundCause,
    InvoiceRefundStatus,
)
from services.contract.wire.parties import party_to_wire, taxes_from_wire
from services.contract.wire.usage import usage_to_wire
from services.contract.wire.values import (
    NEWEST_FIRST,
    by_number,
    default,
    money,
    money_to_wire,
    optional_time,
    period_to_wire,
)

_STATUSES: Final = {
    InvoiceStatus.DRAFT: pb.INVOICE_STATUS_DRAFT,
    InvoiceStatus.OPEN: pb.INVOICE_STATUS_OPEN,
    InvoiceStatus.PAID: pb.INVOICE_STATUS_PAID,
    InvoiceStatus.VOID: pb.INVOICE_STATUS_VOID,
    InvoiceStatus.STATEMENT: pb.INVOICE_STATUS_STATEMENT,
}
_KINDS: Final = {
    InvoiceLineKind.SUBSCRIPTION: pb.INVOICE_LINE_KIND_SUBSCRIPTION,
    InvoiceLineKind.SEAT_INCREASE: pb.INVOICE_LINE_KIND_SEAT_INCREASE,
    InvoiceLineKind.TOP_UP: pb.INVOICE_LINE_KIND_TOP_UP,
    InvoiceLineKind.PLAN_CHARGE: pb.INVOICE_LINE_KIND_PLAN_CHARGE,
    InvoiceLineKind.PLAN_CREDIT: pb.INVOICE_LINE_KIND_PLAN_CREDIT,
    InvoiceLineKind.OVERAGE: pb.INVOICE_LINE_KIND_OVERAGE,
    InvoiceLineKind.PRICE_CORRECTION: pb.INVOICE_LINE_KIND_PRICE_CORRECTION,
    InvoiceLineKind.TAX: pb.INVOICE_LINE_KIND_TAX,
    InvoiceLineKind.ACCOUNT_CREDIT: pb.INVOICE_LINE_KIND_ACCOUNT_CREDIT,
}
_REFUND_STATUSES: Final = {
    InvoiceRefundStatus.DUE: pb.INVOICE_REFUND_STATUS_DUE,
    InvoiceRefundStatus.RETURNED: pb.INVOICE_REFUND_STATUS_RETURNED,
}
_REFUND_CAUSES: Final = {
    InvoiceRefundCause.REQUESTED: pb.INVOICE_REFUND_CAUSE_REQUESTED,
    InvoiceRefundCause.PROVIDER: pb.INVOICE_REFUND_CAUSE_PROVIDER,
    InvoiceRefundCause.CHARGEBACK: pb.INVOICE_REFUND_CAUSE_CHARGEBACK,
}
_FORMATS: Final = {
    DocumentFormat.HTML: pb.DOCUMENT_FORMAT_HTML,
    DocumentFormat.PDF: pb.DOCUMENT_FORMAT_PDF,
}
_CONTENT_TYPES: Final = {
    DocumentFormat.HTML: ("text/html; charset=utf-8", "html"),
    DocumentFormat.PDF: ("application/pdf", "pdf"),
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
    page = page_from_wire(
        fields, request, _list_of(request), keys=(time_key, text_key), newest_first=request.newest_first
    )
    fields.check()
    return customer, ContractId(contract_id) if contract_id else None, page


def document_from_wire(request: pb.GetInvoiceDocumentRequest) -> tuple[InvoiceId, DocumentFormat]:
    fields = Fields()
    invoice_id = InvoiceId(fields.text("invoice_id", request.invoice_id))
    document_format = default(fields, "format", request.format, by_number(_FORMATS))
    fields.check()
    return invoice_id, document_format


def finalize_from_wire(request: pb.FinalizeInvoiceRequest) -> FinalizeInvoice:
    fields = Fields()
    command = FinalizeInvoice(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("FinalizeInvoice", request),
        invoice_id=InvoiceId(fields.text("invoice_id", request.invoice_id)),
        taxes=taxes_from_wire(fields, "taxes", request.taxes),
    )
    fields.check()
    return command


def void_from_wire(request: pb.VoidInvoiceRequest) -> VoidInvoice:
    fields = Fields()
    command = VoidInvoice(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("VoidInvoice", request),
        invoice_id=InvoiceId(fields.text("invoice_id", request.invoice_id)),
        reason=fields.text("reason", request.reason),
        regenerate=request.regenerate,
    )
    fields.check()
    return command


def reprice_from_wire(request: pb.RepriceSeatsRequest) -> RepriceSeats:
    fields = Fields()
    command = RepriceSeats(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RepriceSeats", request),
        contract_id=ContractId(fields.text("contract_id", request.contract_id)),
    )
    fields.check()
    return command


def pay_from_wire(request: pb.RecordInvoicePaymentRequest) -> RecordInvoicePayment:
    fields = Fields()
    command = RecordInvoicePayment(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RecordInvoicePayment", request),
        invoice_id=InvoiceId(fields.text("invoice_id", request.invoice_id)),
        amount=money(fields, "amount", request.amount, request.HasField("amount"), minimum=1),
        reference=fields.text("reference", request.reference),
        payment_time=optional_time(
            fields, "payment_time", request.payment_time, request.HasField("payment_time")
        ),
    )
    fields.check()
    return command


def get_to_wire(details: InvoiceDetails) -> pb.GetInvoiceResponse:
    parties = details.parties
    return pb.GetInvoiceResponse(
        invoice=invoice_to_wire(details.invoice),
        payments=[payment_to_wire(payment) for payment in details.payments],
        credit_notes=[credit_note_to_wire(note) for note in details.credit_notes],
        refunds=[invoice_refund_to_wire(refund) for refund in details.refunds],
        seller=party_to_wire(parties.seller) if parties is not None and parties.seller is not None else None,
        buyer=party_to_wire(parties.buyer) if parties is not None else None,
        usage=None if details.usage is None else usage_to_wire(details.usage),
    )


def document_to_wire(document: InvoiceDocument) -> pb.GetInvoiceDocumentResponse:
    content_type, ending = _CONTENT_TYPES[document.document_format]
    return pb.GetInvoiceDocumentResponse(
        content=document.content, content_type=content_type, file_name=f"{document.name}.{ending}"
    )


def finalize_to_wire(invoice: Invoice) -> pb.FinalizeInvoiceResponse:
    return pb.FinalizeInvoiceResponse(invoice=invoice_to_wire(invoice))


def void_to_wire(result: InvoiceVoided) -> pb.VoidInvoiceResponse:
    return pb.VoidInvoiceResponse(
        invoice=invoice_to_wire(result.invoice),
        regenerated=None if result.regenerated is None else invoice_to_wire(result.regenerated),
    )


def reprice_to_wire(repriced: SeatsRepriced) -> pb.RepriceSeatsResponse:
    return pb.RepriceSeatsResponse(
        invoice=None if repriced.invoice is None else invoice_to_wire(repriced.invoice)
    )


def pay_to_wire(paid: InvoicePaid) -> pb.RecordInvoicePaymentResponse:
    return pb.RecordInvoicePaymentResponse(
        payment=payment_to_wire(paid.payment), invoice=invoice_to_wire(paid.invoice)
    )


def invoice_refund_to_wire(refund: InvoiceRefund) -> pb.InvoiceRefund:
    return pb.InvoiceRefund(
        refund_id=refund.refund_id,
        invoice_id=refund.invoice_id,
        invoice_payment_id=refund.invoice_payment_id,
        amount=money_to_wire(refund.amount),
        cause=_REFUND_CAUSES[refund.cause],
        reason=refund.reason,
        status=_REFUND_STATUSES[refund.status],
        credit_note_id=refund.credit_note_id or "",
        create_time=timestamp(refund.create_time),
        return_time=optional_timestamp(refund.return_time),
        provider_refund_id=refund.provider_refund_id,
        reverse_time=optional_timestamp(refund.reverse_time),
    )


def credit_note_to_wire(note: CreditNote) -> pb.CreditNote:
    return pb.CreditNote(
        credit_note_id=note.credit_note_id,
        invoice_id=note.invoice_id,
        number=note.number,
        finalize_time=timestamp(note.finalize_time),
        amount=money_to_wire(note.amount),
        tax=money_to_wire(note.tax),
        amount_off_due=money_to_wire(note.off_due),
        account_credit=money_to_wire(note.account_credit),
        reason=note.reason,
        lines=[
            pb.CreditNoteLine(invoice_line_id=line.invoice_line_id, amount=money_to_wire(line.amount))
            for line in note.lines
        ],
    )


def payment_to_wire(payment: InvoicePayment) -> pb.InvoicePayment:
    return pb.InvoicePayment(
        invoice_payment_id=payment.invoice_payment_id,
        invoice_id=payment.invoice_id,
        amount=money_to_wire(payment.amount),
        reference=payment.reference,
        payment_time=timestamp(payment.payment_time),
        create_time=timestamp(payment.create_time),
    )


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
        number=invoice.number,
        amount_paid=money_to_wire(invoice.paid),
        amount_credited=money_to_wire(invoice.credited),
        amount_due=money_to_wire(invoice.due),
        void_time=optional_timestamp(invoice.void_time),
        void_reason=invoice.void_reason,
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
        carried_micros=line.carried_micros,
    )


def _list_of(request: pb.ListInvoicesRequest) -> dict[str, str]:
    filters = {"list": "invoices", "customer": request.customer, "contract_id": request.contract_id}
    return filters | NEWEST_FIRST if request.newest_first else filters
