# SPDX-License-Identifier: Apache-2.0
"""Invoices and statements: the list, one with every line, its PDF, and how to pay it."""

from collections.abc import Mapping, Sequence
from typing import Final

from grpc.aio import AioRpcError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from purser.contract.v1.contract_pb2 import (
    DOCUMENT_FORMAT_PDF,
    INVOICE_STATUS_STATEMENT,
    CreditSource,
    GetInvoiceDocumentRequest,
    GetInvoiceRequest,
    GetInvoiceResponse,
    InvoiceLine,
    InvoiceLineKind,
    InvoiceRefundStatus,
    InvoiceStatus,
    ListAccountCreditsRequest,
    ListInvoicesRequest,
)
from purser.contract.v1.payments_pb2 import (
    GetInvoicePaymentRequest,
    GetInvoicePaymentResponse,
    PayInvoiceRequest,
)
from purser.type.v1.money_pb2 import Money
from services.portal.customer.paying import Payment, address_of, cards_of, payment_of
from services.portal.faults import fault_of
from services.portal.i18n import N_
from services.portal.rendering import page
from services.portal.security import form_of
from services.portal.session import viewer_of

NAME = N_("Invoices")
PAGE_ROWS: Final = 25
STATES: Final[Mapping[int, tuple[str, str]]] = {
    InvoiceStatus.INVOICE_STATUS_DRAFT: (N_("Draft"), ""),
    InvoiceStatus.INVOICE_STATUS_OPEN: (N_("Open"), "warn"),
    InvoiceStatus.INVOICE_STATUS_PAID: (N_("Paid"), "good"),
    InvoiceStatus.INVOICE_STATUS_VOID: (N_("Void"), ""),
    InvoiceStatus.INVOICE_STATUS_STATEMENT: (N_("Statement"), ""),
    InvoiceStatus.INVOICE_STATUS_FINALIZED: (N_("Issued"), ""),
}
REFUND_STATES: Final[Mapping[int, str]] = {
    InvoiceRefundStatus.INVOICE_REFUND_STATUS_DUE: N_("Money is being returned"),
    InvoiceRefundStatus.INVOICE_REFUND_STATUS_RETURNED: N_("Money returned"),
}
SOURCES: Final[Mapping[int, str]] = {
    CreditSource.CREDIT_SOURCE_INCLUDED: N_("Included credits"),
    CreditSource.CREDIT_SOURCE_TOP_UP: N_("Purchased credits"),
    CreditSource.CREDIT_SOURCE_PROMOTIONAL: N_("Given by the vendor"),
    CreditSource.CREDIT_SOURCE_ROLLOVER: N_("Credits rolled over"),
}
# Added when an invoice is issued; all others are charges.
_ADDED: Final = (InvoiceLineKind.INVOICE_LINE_KIND_TAX, InvoiceLineKind.INVOICE_LINE_KIND_ACCOUNT_CREDIT)


async def show(request: Request) -> Response:
    """List invoices, drafts and statements, the newest first."""
    viewer = viewer_of(request)
    listed = await viewer.mesh.contract.ListInvoices(
        ListInvoicesRequest(
            customer=viewer.customer_id,
            newest_first=True,
            page_size=PAGE_ROWS,
            page_token=request.query_params.get("page", ""),
        )
    )
    credit = await viewer.mesh.contract.ListAccountCredits(
        ListAccountCreditsRequest(customer=viewer.customer_id, page_size=1)
    )
    return page(
        request,
        "customer/invoices.html",
        invoices=listed.invoices,
        next_page=listed.next_page_token,
        is_first="page" not in request.query_params,
        credit=[one for one in credit.balances if one.micros],
        states=STATES,
    )


async def show_invoice(request: Request) -> Response:
    """Show one invoice with all that is needed to compute it by hand."""
    found = await _invoice(request)
    invoice = found.invoice
    cards = await cards_of(viewer_of(request))
    return page(
        request,
        "customer/invoice.html",
        found=found,
        invoice=invoice,
        state=STATES[invoice.status],
        is_statement=invoice.status == INVOICE_STATUS_STATEMENT,
        charges=[one for one in invoice.lines if one.kind not in _ADDED],
        added=[one for one in invoice.lines if one.kind in _ADDED],
        share=share_of,
        is_overage=lambda line: line.kind == InvoiceLineKind.INVOICE_LINE_KIND_OVERAGE,
        credits_micros=lambda line: (
            line.quantity * line.fraction.numerator * 1_000_000 // line.fraction.denominator
        ),
        negative=lambda money: Money(currency_code=money.currency_code, micros=-money.micros),
        refund_states=REFUND_STATES,
        sources=SOURCES,
        cards=cards,
        path=f"/invoices/{invoice.invoice_id}",
    )


async def pdf(request: Request) -> Response:
    """Return an invoice as a PDF to keep."""
    document = await viewer_of(request).mesh.contract.GetInvoiceDocument(
        GetInvoiceDocumentRequest(invoice_id=request.path_params["invoice_id"], format=DOCUMENT_FORMAT_PDF)
    )
    named = f'attachment; filename="{document.file_name}"'
    return Response(
        document.content, media_type=document.content_type, headers={"content-disposition": named}
    )


async def show_payment(request: Request) -> Response:
    """Show how to pay an open invoice. The bank sends the payer back to here."""
    viewer = viewer_of(request)
    found = await _invoice(request)
    path = f"/invoices/{found.invoice.invoice_id}"
    if not found.invoice.amount_due.micros:
        return RedirectResponse(path, status_code=303)
    asked = GetInvoicePaymentRequest(invoice_id=found.invoice.invoice_id)
    payment: Payment | None = None
    others = 0
    try:
        # Contract asks the provider now, so the invoice is read again behind it.
        answer = await viewer.mesh.payments.GetInvoicePayment(asked)
    except AioRpcError as error:
        if fault_of(error).reason != "AMOUNT_BELOW_MINIMUM":
            raise
    else:
        payment, others = _payment(request, answer), len(answer.invoice_ids) - 1
        found = await _invoice(request)
    if not found.invoice.amount_due.micros:
        return RedirectResponse(path, status_code=303)
    return page(
        request,
        "customer/invoice_payment.html",
        invoice=found.invoice,
        others=others,
        payment=payment,
        cards=await cards_of(viewer),
        path=path,
    )


async def pay(request: Request) -> Response:
    """Try to pay an invoice with the saved card; the page of the payment says what came of it."""
    form = await form_of(request)
    path = f"/invoices/{request.path_params['invoice_id']}/payment"
    await viewer_of(request).mesh.payments.PayInvoice(
        PayInvoiceRequest(
            request_id=str(form.get("request_id", "")),
            invoice_id=request.path_params["invoice_id"],
            return_url=address_of(request, path),
        )
    )
    return RedirectResponse(path, status_code=303)


def share_of(line: InvoiceLine) -> str:
    """Return the charged share of a line's period as a fraction."""
    part, whole = line.fraction.numerator, line.fraction.denominator
    return "1" if part == whole else f"{part}/{whole}"


def _payment(request: Request, answer: GetInvoicePaymentResponse) -> Payment:
    dunning = answer.dunning
    error = dunning.last_payment_error if dunning.HasField("last_payment_error") else None
    return payment_of(request, answer, error)


async def _invoice(request: Request) -> GetInvoiceResponse:
    asked = GetInvoiceRequest(invoice_id=request.path_params["invoice_id"])
    return await viewer_of(request).mesh.contract.GetInvoice(asked)


ROUTES: Sequence[Route] = (
    Route("/invoices", show),
    Route("/invoices/{invoice_id}", show_invoice),
    Route("/invoices/{invoice_id}/pdf", pdf),
    Route("/invoices/{invoice_id}/payment", show_payment),
    Route("/invoices/{invoice_id}/pay", pay, methods=["POST"]),
)
