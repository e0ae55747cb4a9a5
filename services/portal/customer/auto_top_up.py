# SPDX-License-Identifier: Apache-2.0
"""Automatic top-up: packs that are bought whenever few credits are left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from grpc import StatusCode
from grpc.aio import AioRpcError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from purser.contract.v1.auto_top_ups_pb2 import (
    AUTO_TOP_UP_STATUS_DISABLED,
    AutoTopUpStatus,
    AutoTopUpStopReason,
    DisableAutoTopUpRequest,
    GetAutoTopUpRequest,
    GetAutoTopUpResponse,
    ListAutoTopUpsRequest,
    SetAutoTopUpRequest,
)
from purser.contract.v1.self_service_pb2 import ListTopUpOffersRequest, TopUpOffer
from purser.type.v1.money_pb2 import Money
from services.portal.customer.names import credit_type_names
from services.portal.customer.paying import cards_of
from services.portal.faults import fault_of
from services.portal.formats import Formats
from services.portal.i18n import N_
from services.portal.rendering import formats_of, gettext_of, page
from services.portal.security import form_of
from services.portal.session import Viewer, viewer_of

NAME = N_("Automatic top-up")
PATH: Final = "/auto-top-up"
AMOUNTS: Final = ("threshold", "recharge_to", "monthly_limit")
STATES: Final[Mapping[int, tuple[str, str]]] = {
    AutoTopUpStatus.AUTO_TOP_UP_STATUS_IDLE: (N_("On"), "good"),
    AutoTopUpStatus.AUTO_TOP_UP_STATUS_ASKED: (N_("Buying"), "good"),
    AutoTopUpStatus.AUTO_TOP_UP_STATUS_ORDERED: (N_("Buying"), "good"),
    AutoTopUpStatus.AUTO_TOP_UP_STATUS_BLOCKED: (N_("Paused"), "warn"),
    AutoTopUpStatus.AUTO_TOP_UP_STATUS_DISABLED: (N_("Off"), ""),
}
STOPS: Final[Mapping[int, str]] = {
    AutoTopUpStopReason.AUTO_TOP_UP_STOP_REASON_PAYMENT_FAILED: N_(
        "The last order could not be paid. Save another card, then turn it on again."
    ),
    AutoTopUpStopReason.AUTO_TOP_UP_STOP_REASON_ACTION_REQUIRED: N_(
        "Your bank wants you to confirm the payment. Open the order and pay it."
    ),
    AutoTopUpStopReason.AUTO_TOP_UP_STOP_REASON_DAILY_LIMIT: N_(
        "Five orders were made today. It goes on tomorrow."
    ),
    AutoTopUpStopReason.AUTO_TOP_UP_STOP_REASON_MONTHLY_LIMIT: N_(
        "One more pack would exceed the limit of this month. Raise the limit, or wait for the next month."
    ),
    AutoTopUpStopReason.AUTO_TOP_UP_STOP_REASON_CUSTOMER_SUSPENDED: N_(
        "Your account is suspended. It goes on when the suspension ends."
    ),
    AutoTopUpStopReason.AUTO_TOP_UP_STOP_REASON_CONTRACT_ENDED: N_("The contract has ended."),
    AutoTopUpStopReason.AUTO_TOP_UP_STOP_REASON_PACK_UNAVAILABLE: N_(
        "This pack cannot be bought any more. Choose another one, and turn it on again."
    ),
    AutoTopUpStopReason.AUTO_TOP_UP_STOP_REASON_BY_REQUEST: N_("It was turned off."),
}
_NOT_A_NUMBER: Final = N_("Enter a number, such as 500, with at most six decimals.")
_NOT_OFFERED: Final = N_("This pack cannot be bought at present. Choose another one.")
# What the fields of the form are called in the rpc.
_FIELDS: Final[Mapping[str, str]] = {
    "threshold_micros": "threshold",
    "recharge_to_micros": "recharge_to",
    "monthly_limit": "monthly_limit",
    "monthly_limit.micros": "monthly_limit",
    "top_up_pack_id": "offer",
    "contract_id": "offer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The automatic top-up of one credit type, with its form. found: None if there is none yet.

    offers: the packs that can be bought for it. values: what the fields show. errors: what is wrong with each.
    """

    credit_type_id: str
    found: GetAutoTopUpResponse | None
    offers: Sequence[TopUpOffer]
    values: Mapping[str, str]
    errors: Mapping[str, str]

    @property
    def is_on(self) -> bool:
        return self.found is not None and self.found.auto_top_up.status != AUTO_TOP_UP_STATUS_DISABLED


async def show(request: Request) -> Response:
    """Show the automatic top-up of each credit type that can be bought."""
    return await _page(request)


async def save(request: Request) -> Response:
    """Set one up, change it, or turn it on again."""
    form = await form_of(request)
    viewer = viewer_of(request)
    offer = next((one for one in await _offers(viewer) if offer_key(one) == form.get("offer")), None)
    amounts = {name: _typed(formats_of(request), str(form.get(name, ""))) for name in AMOUNTS}
    said = gettext_of(request)
    errors = {name: said(_NOT_A_NUMBER) for name, micros in amounts.items() if micros is None}
    if offer is None:
        errors["offer"] = said(_NOT_OFFERED)
    if errors or offer is None:
        return await _page(request, form, errors)
    command = SetAutoTopUpRequest(
        request_id=str(form.get("request_id", "")),
        contract_id=offer.contract_id,
        top_up_pack_id=offer.top_up_pack_id,
        threshold_micros=amounts["threshold"] or 0,
        recharge_to_micros=amounts["recharge_to"] or 0,
        monthly_limit=Money(currency_code=offer.price.currency_code, micros=amounts["monthly_limit"] or 0),
    )
    try:
        await viewer.mesh.auto_top_ups.SetAutoTopUp(command)
    except AioRpcError as error:
        fault = fault_of(error)
        if error.code() not in (StatusCode.INVALID_ARGUMENT, StatusCode.FAILED_PRECONDITION):
            raise
        of_fields = {_FIELDS.get(name, "offer"): text for name, text in fault.fields.items()}
        return await _page(request, form, of_fields or {"offer": fault.message})
    return RedirectResponse(PATH, status_code=303)


async def disable(request: Request) -> Response:
    """Turn one off."""
    form = await form_of(request)
    await viewer_of(request).mesh.auto_top_ups.DisableAutoTopUp(
        DisableAutoTopUpRequest(
            request_id=str(form.get("request_id", "")), auto_top_up_id=request.path_params["auto_top_up_id"]
        )
    )
    return RedirectResponse(PATH, status_code=303)


def offer_key(offer: TopUpOffer) -> str:
    """Return the value of a form's field that names a pack and the contract on which it is bought."""
    return f"{offer.contract_id}/{offer.top_up_pack_id}"


async def _page(
    request: Request, form: FormData | None = None, errors: Mapping[str, str] | None = None
) -> Response:
    viewer = viewer_of(request)
    offers = await _offers(viewer)
    known = await viewer.mesh.auto_top_ups.ListAutoTopUps(ListAutoTopUpsRequest(customer=viewer.customer_id))
    found = {
        one.credit_type_id: await viewer.mesh.auto_top_ups.GetAutoTopUp(
            GetAutoTopUpRequest(auto_top_up_id=one.auto_top_up_id)
        )
        for one in known.auto_top_ups
    }
    types = list(dict.fromkeys([*found, *(one.credit_type_id for one in offers)]))
    sent = str(form.get("credit_type_id", "")) if form is not None else ""
    entries = [
        Entry(
            credit_type_id=one,
            found=found.get(one),
            offers=[offer for offer in offers if offer.credit_type_id == one],
            values=_sent(form)
            if form is not None and one == sent
            else _values(formats_of(request), found.get(one)),
            errors=(errors or {}) if one == sent else {},
        )
        for one in types
    ]
    return page(
        request,
        "customer/auto_top_up.html",
        status=400 if errors else 200,
        entries=entries,
        cards=await cards_of(viewer),
        names=await credit_type_names(viewer),
        states=STATES,
        stops=STOPS,
        offer_key=offer_key,
        path=PATH,
    )


async def _offers(viewer: Viewer) -> Sequence[TopUpOffer]:
    asked = ListTopUpOffersRequest(customer=viewer.customer_id)
    answer = await viewer.mesh.contract_self.ListTopUpOffers(asked)
    return [one for one in answer.offers if one.price.micros]


def _typed(formats: Formats, text: str) -> int | None:
    """Return an amount × 10^6 that a person typed; None if it is none."""
    try:
        return formats.micros(text)
    except ValueError:
        return None


def _values(formats: Formats, found: GetAutoTopUpResponse | None) -> Mapping[str, str]:
    if found is None:
        return dict.fromkeys(("offer", *AMOUNTS), "")
    terms = found.auto_top_up
    return {
        "offer": f"{terms.contract_id}/{terms.top_up_pack_id}",
        "threshold": formats.quantity(terms.threshold_micros),
        "recharge_to": formats.quantity(terms.recharge_to_micros),
        "monthly_limit": formats.quantity(terms.monthly_limit.micros),
    }


def _sent(form: FormData) -> Mapping[str, str]:
    return {name: str(form.get(name, "")) for name in ("offer", *AMOUNTS)}


ROUTES: Sequence[Route] = (
    Route(PATH, show),
    Route(PATH, save, methods=["POST"]),
    Route(PATH + "/{auto_top_up_id}/disable", disable, methods=["POST"]),
)
