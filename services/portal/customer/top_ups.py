# SPDX-License-Identifier: Apache-2.0
"""Top-ups: packs to buy, an order and its payment, and what became of earlier orders."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from purser.contract.v1.contract_pb2 import (
    PAYMENT_GATE_STRIPE,
    TOP_UP_STATUS_PENDING_PAYMENT,
    CancelTopUpRequest,
    GetInvoiceRequest,
    GetTopUpRequest,
    GetTopUpResponse,
    ListContractsRequest,
    ListTopUpsRequest,
    PaymentGate,
    TopUp,
    TopUpRefundStatus,
    TopUpStatus,
)
from purser.contract.v1.payments_pb2 import GetTopUpPaymentRequest, PayTopUpRequest
from purser.contract.v1.self_service_pb2 import BuyTopUpRequest, ListTopUpOffersRequest
from services.portal.customer.names import credit_type_names
from services.portal.customer.paying import Cards, Payment, address_of, cards_of, payment_of
from services.portal.i18n import N_
from services.portal.mesh import listed
from services.portal.rendering import page
from services.portal.security import form_of
from services.portal.session import Viewer, viewer_of

NAME = N_("Top-ups")
HISTORY_MAX: Final = 50
CONTRACTS_MAX: Final = 100
# Name and class of each state; which ones are named here is tested.
STATES: Final[Mapping[int, tuple[str, str]]] = {
    TopUpStatus.TOP_UP_STATUS_PENDING_PAYMENT: (N_("Waits for payment"), "warn"),
    TopUpStatus.TOP_UP_STATUS_PAID: (N_("Paid"), "good"),
    TopUpStatus.TOP_UP_STATUS_FAILED: (N_("Failed"), "bad"),
    TopUpStatus.TOP_UP_STATUS_CANCELLED: (N_("Given up"), ""),
    TopUpStatus.TOP_UP_STATUS_EXPIRED: (N_("Expired"), ""),
    TopUpStatus.TOP_UP_STATUS_REFUND_DUE: (N_("Money is being returned"), "warn"),
    TopUpStatus.TOP_UP_STATUS_REFUNDED: (N_("Money returned"), ""),
}
REFUND_STATES: Final[Mapping[int, str]] = {
    TopUpRefundStatus.TOP_UP_REFUND_STATUS_PENDING: N_("Being examined"),
    TopUpRefundStatus.TOP_UP_REFUND_STATUS_REFUSED: N_("Refused"),
    TopUpRefundStatus.TOP_UP_REFUND_STATUS_DUE: N_("Money is being returned"),
    TopUpRefundStatus.TOP_UP_REFUND_STATUS_RETURNED: N_("Money returned"),
    TopUpRefundStatus.TOP_UP_REFUND_STATUS_DISPUTED: N_("Disputed at the bank"),
    TopUpRefundStatus.TOP_UP_REFUND_STATUS_REVERSED: N_("Dispute ended, nothing returned"),
}
_NO_CARDS: Final = Cards(are_taken=False, label="")


async def show(request: Request) -> Response:
    """Show what can be bought, and the latest orders."""
    viewer = viewer_of(request)
    offers, names, orders = await asyncio.gather(
        viewer.mesh.contract_self.ListTopUpOffers(ListTopUpOffersRequest(customer=viewer.customer_id)),
        credit_type_names(viewer),
        _orders(viewer),
    )
    return page(
        request,
        "customer/top_ups.html",
        offers=offers.offers,
        has_contracts=len({one.contract_id for one in offers.offers}) > 1,
        names=names,
        orders=orders,
        states=STATES,
    )


async def buy(request: Request) -> Response:
    """Order a pack; a form that is sent twice orders once."""
    form = await form_of(request)
    bought = await viewer_of(request).mesh.contract_self.BuyTopUp(
        BuyTopUpRequest(
            request_id=str(form.get("request_id", "")),
            contract_id=str(form.get("contract_id", "")),
            top_up_pack_id=str(form.get("top_up_pack_id", "")),
        )
    )
    return RedirectResponse(f"/top-ups/{bought.top_up.top_up_id}", status_code=303)


async def show_order(request: Request) -> Response:
    """Show an order, how to pay it, and its receipt. The bank sends the payer back to here."""
    viewer = viewer_of(request)
    found = await _order(request)
    payment: Payment | None = None
    cards = _NO_CARDS
    if _is_payable(found.top_up):
        asked = GetTopUpPaymentRequest(top_up_id=found.top_up.top_up_id)
        # Contract asks the provider now, so the order is read again behind it.
        answer = await viewer.mesh.payments.GetTopUpPayment(asked)
        found = await _order(request)
        error = found.top_up.last_payment_error if found.top_up.HasField("last_payment_error") else None
        payment = payment_of(request, answer, error)
        cards = await cards_of(viewer)
    invoice = await viewer.mesh.contract.GetInvoice(GetInvoiceRequest(invoice_id=found.top_up.invoice_id))
    return page(
        request,
        "customer/top_up.html",
        top_up=found.top_up,
        refunds=found.refunds,
        refund_states=REFUND_STATES,
        invoice=invoice.invoice,
        state=TopUpStatus.Name(found.top_up.status).removeprefix("TOP_UP_STATUS_"),
        gate=PaymentGate.Name(found.top_up.payment_gate).removeprefix("PAYMENT_GATE_"),
        states=STATES,
        payment=payment if _is_payable(found.top_up) else None,
        cards=cards,
        names=await credit_type_names(viewer),
        path=f"/top-ups/{found.top_up.top_up_id}",
    )


async def pay(request: Request) -> Response:
    """Try to pay an order with the saved card; the order's page says what came of it."""
    path = f"/top-ups/{request.path_params['top_up_id']}"
    form = await form_of(request)
    await viewer_of(request).mesh.payments.PayTopUp(
        PayTopUpRequest(
            request_id=str(form.get("request_id", "")),
            top_up_id=request.path_params["top_up_id"],
            return_url=address_of(request, path),
        )
    )
    return RedirectResponse(path, status_code=303)


async def cancel(request: Request) -> Response:
    """Give up an order that was not paid."""
    form = await form_of(request)
    top_up_id = request.path_params["top_up_id"]
    await viewer_of(request).mesh.contract.CancelTopUp(
        CancelTopUpRequest(request_id=str(form.get("request_id", "")), top_up_id=top_up_id)
    )
    return RedirectResponse(f"/top-ups/{top_up_id}", status_code=303)


async def _order(request: Request) -> GetTopUpResponse:
    asked = GetTopUpRequest(top_up_id=request.path_params["top_up_id"])
    return await viewer_of(request).mesh.contract.GetTopUp(asked)


def _is_payable(top_up: TopUp) -> bool:
    """Return whether Contract can be asked how to pay."""
    return top_up.payment_gate == PAYMENT_GATE_STRIPE and top_up.status == TOP_UP_STATUS_PENDING_PAYMENT


async def _orders(viewer: Viewer) -> Sequence[TopUp]:
    """Return the latest orders on all contracts, the newest first."""
    contracts = await listed(
        viewer.mesh.contract.ListContracts,
        ListContractsRequest(customer=viewer.customer_id),
        "contracts",
        rows_max=CONTRACTS_MAX,
    )
    requests = [
        ListTopUpsRequest(contract_id=one.contract_id, newest_first=True, page_size=HISTORY_MAX)
        for one in contracts
    ]
    pages = await asyncio.gather(*(viewer.mesh.contract.ListTopUps(one) for one in requests))
    orders = [order for answer in pages for order in answer.top_ups]
    return sorted(orders, key=lambda one: one.top_up_id, reverse=True)[:HISTORY_MAX]


ROUTES: Sequence[Route] = (
    Route("/top-ups", show),
    Route("/top-ups", buy, methods=["POST"]),
    Route("/top-ups/{top_up_id}", show_order),
    Route("/top-ups/{top_up_id}/pay", pay, methods=["POST"]),
    Route("/top-ups/{top_up_id}/cancel", cancel, methods=["POST"]),
)
