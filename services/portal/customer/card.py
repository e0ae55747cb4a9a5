# SPDX-License-Identifier: Apache-2.0
"""The saved card, and the one page that loads Stripe.js: a card is entered only there, in fields of Stripe."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from purser.contract.v1.payments_pb2 import (
    PAYMENT_SETUP_STATE_ACTION_REQUIRED,
    PAYMENT_SETUP_STATE_OPEN,
    CreatePaymentSetupRequest,
    GetPaymentMethodRequest,
    GetPaymentSetupRequest,
    PaymentSetupState,
)
from services.portal.customer.paying import cards_of
from services.portal.i18n import N_
from services.portal.rendering import page, portal_of
from services.portal.security import allow_stripe, form_of
from services.portal.session import viewer_of

NAME = N_("Card")
# Where a card is needed; nobody is sent anywhere else afterwards.
_BACK: Final = re.compile(r"/(top-ups/top_[0-9A-Za-z]+|invoices/inv_[0-9A-Za-z]+/payment|auto-top-up)")
_UNDER_WAY: Final = (PAYMENT_SETUP_STATE_OPEN, PAYMENT_SETUP_STATE_ACTION_REQUIRED)


async def show(request: Request) -> Response:
    """Show the saved card."""
    return page(request, "customer/card.html", cards=await cards_of(viewer_of(request)), back=_back(request))


async def begin(request: Request) -> Response:
    """Begin to save a card; nothing is paid."""
    form = await form_of(request)
    viewer = viewer_of(request)
    created = await viewer.mesh.payments.CreatePaymentSetup(
        CreatePaymentSetupRequest(request_id=str(form.get("request_id", "")), customer=viewer.customer_id)
    )
    back = urlencode({"back": str(form.get("back", ""))})
    return RedirectResponse(f"/card/{created.payment_setup.payment_setup_id}?{back}", status_code=303)


async def show_setup(request: Request) -> Response:
    """Show the fields for a card, or what became of it. Stripe.js comes back to here."""
    viewer = viewer_of(request)
    asked = GetPaymentSetupRequest(payment_setup_id=request.path_params["payment_setup_id"])
    setup = (await viewer.mesh.payments.GetPaymentSetup(asked)).payment_setup
    is_open = setup.state in _UNDER_WAY and bool(setup.publishable_key)
    if is_open:
        allow_stripe(request)
    saved = await viewer.mesh.payments.GetPaymentMethod(GetPaymentMethodRequest(customer=viewer.customer_id))
    return page(
        request,
        "customer/card_setup.html",
        setup=setup,
        state=PaymentSetupState.Name(setup.state).removeprefix("PAYMENT_SETUP_STATE_"),
        is_open=is_open,
        stripe_js=portal_of(request).settings.stripe_js,
        label=saved.payment_method.label,
        back=_back(request),
    )


def _back(request: Request) -> str:
    """Return the page from which a card was asked for; empty if it was none of those that need one."""
    back = request.query_params.get("back", "")
    return back if _BACK.fullmatch(back) else ""


ROUTES: Sequence[Route] = (
    Route("/card", show),
    Route("/card", begin, methods=["POST"]),
    Route("/card/{payment_setup_id}", show_setup),
)
