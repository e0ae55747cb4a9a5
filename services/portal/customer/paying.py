# SPDX-License-Identifier: Apache-2.0
"""How a top-up or an invoice can be paid: with the saved card, confirmed at the bank's page if the bank wants that.

What became of a payment is always asked of Contract; the browser and its address are never believed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from grpc.aio import AioRpcError
from starlette.requests import Request

from purser.contract.v1 import payments_pb2 as pb
from purser.contract.v1.contract_pb2 import PaymentError
from purser.type.v1.money_pb2 import Money
from services.portal.faults import fault_of
from services.portal.i18n import N_
from services.portal.rendering import gettext_of, portal_of
from services.portal.session import Viewer

PREFIX: Final = "PAYMENT_STATE_"
_DECLINED: Final = N_("Your bank declined the card. Use another card, or ask your bank why.")
_ADVICE: Final[Mapping[str, str]] = {
    "authentication_required": N_("Your bank wants you to confirm the payment. Pay again to do so."),
    "payment_intent_authentication_failure": N_(
        "The payment was not confirmed at your bank. Pay again, or use another card."
    ),
    "card_declined": _DECLINED,
    "do_not_honor": _DECLINED,
    "generic_decline": _DECLINED,
    # Whoever holds a card that was reported is not told so.
    "lost_card": _DECLINED,
    "stolen_card": _DECLINED,
    "fraudulent": _DECLINED,
    "expired_card": N_("The card has expired. Use another card."),
    "insufficient_funds": N_("There is not enough money on the card. Use another card, or pay again later."),
    "payment_method_missing": N_("No card was saved. Save one, then pay."),
    "payment_method_unknown": N_("The saved card cannot be used any more. Save another one, then pay."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """How something can be paid now. state: of PaymentState, without its prefix. redirect_url: of the bank; or empty.

    problem: why the latest attempt failed and what to do, in the viewer's language; empty if none did.
    """

    state: str
    amount: Money
    redirect_url: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """Whether cards are taken, and the label of the saved one, such as "visa ···· 4242"; empty if there is none."""

    are_taken: bool
    label: str


def payment_of(
    request: Request,
    answer: pb.GetTopUpPaymentResponse | pb.GetInvoicePaymentResponse,
    error: PaymentError | None,
) -> Payment:
    """Return what Contract says about a payment. error: of the latest attempt that failed."""
    return Payment(
        state=pb.PaymentState.Name(answer.state).removeprefix(PREFIX),
        amount=answer.amount,
        redirect_url=answer.redirect_url,
        problem="" if error is None else problem_of(request, error),
    )


def problem_of(request: Request, error: PaymentError) -> str:
    """Return why an attempt to pay failed, and what to do; in the provider's words if nothing better is known."""
    known = _ADVICE.get(error.code)
    return gettext_of(request)(known or _DECLINED) if known or not error.message else error.message


async def cards_of(viewer: Viewer) -> Cards:
    """Return the saved card of the viewer's customer."""
    asked = pb.GetPaymentMethodRequest(customer=viewer.customer_id)
    try:
        found = await viewer.mesh.payments.GetPaymentMethod(asked)
    except AioRpcError as error:
        if fault_of(error).reason != "PAYMENTS_NOT_SET_UP":
            raise
        return Cards(are_taken=False, label="")
    return Cards(are_taken=True, label=found.payment_method.label)


def address_of(request: Request, path: str) -> str:
    """Return the address of a page as the viewer's browser reaches it."""
    return (portal_of(request).settings.url or str(request.base_url).rstrip("/")) + path
