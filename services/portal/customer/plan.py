# SPDX-License-Identifier: Apache-2.0
"""The present plan, the plans that the vendor offers, and the change to one after a preview."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from grpc.aio import AioRpcError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from purser.contract.v1.contract_pb2 import (
    BillingFrequency,
    Contract,
    GetPlanChangeRequest,
    GrantFrequency,
    GrantScheduleTerms,
    IncludedCredits,
    ListContractsRequest,
    MoneyBack,
    PlanChangeStatus,
    SubscriptionTerms,
)
from purser.contract.v1.self_service_pb2 import (
    ChangeOwnPlanRequest,
    ListOwnPlanOffersRequest,
    OwnPlanOffer,
    PreviewOwnPlanChangeRequest,
)
from purser.type.v1.money_pb2 import Money
from services.portal.customer.names import credit_type_names, product_names
from services.portal.faults import WrongInput, fault_of, in_words
from services.portal.i18n import N_
from services.portal.mesh import listed
from services.portal.rendering import gettext_of, page
from services.portal.security import form_of, text_of
from services.portal.session import Viewer, viewer_of

NAME = N_("Plan")
ROWS_MAX: Final = 500
# Of a customer with more, the newest are shown: each change of plan begins one.
CONTRACTS_MAX: Final = 20
SEATS_DIGITS_MAX: Final = 7
# Reasons of the service that customers meet, in words for them.
REASONS: Final[Mapping[str, str]] = {
    "PLAN_UNCHANGED": N_("This is your present plan."),
    "PLAN_OFFER_NOT_FOUND": N_("This plan is not offered any more. Choose another one."),
    "CONTRACT_HAS_TERM": N_("Your contract has a fixed term. Ask the vendor to change the plan."),
    "CONTRACT_ENDED": N_("This contract has ended. Open the page again."),
    "TOO_FEW_SEATS": N_(
        "More people have a seat than the new plan would have. Take seats from some, or ask for more seats."
    ),
    "SEATS_BY_VENDOR": N_(
        "There are too many named seats to change the plan here. Ask the vendor to change it."
    ),
    "PLAN_NOT_PRORATED": N_("Only the vendor can change this plan. Ask them."),
    "CURRENCY_DIFFERS": N_("This plan is in another currency. Ask the vendor to change it."),
}
_NOT_IN_FORCE: Final = frozenset(("CONTRACT_ENDED", "CONTRACT_NOT_STARTED"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsShown:
    """Seats of one product. price: of one seat for one billing period; None: unknown. unit, count: "MONTHLY", 3."""

    product: str
    quantity: int
    price: Money | None
    unit: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsShown:
    """Credits × 10^6 of one schedule in each period. unit, count: as of SeatsShown."""

    micros: int
    credit_type: str
    is_per_seat: bool
    unit: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferShown:
    """An offered plan. refusal: why it cannot be changed to, in the viewer's language; empty: it can."""

    offer: OwnPlanOffer
    seats: Sequence[SeatsShown]
    credits: Sequence[CreditsShown]
    refusal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanShown:
    """A contract in force, and what it can be changed to. refusal: why to nothing; empty: see its offers."""

    contract: Contract
    seats: Sequence[SeatsShown]
    credits: Sequence[CreditsShown]
    offers: Sequence[OfferShown]
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names by id."""

    products: Mapping[str, str]
    credit_types: Mapping[str, str]

    def seats(self, terms: SubscriptionTerms, price: Money | None) -> SeatsShown:
        return SeatsShown(
            product=self.products.get(terms.product_id, terms.product_id),
            quantity=terms.initial_quantity,
            price=price,
            unit=_unit(BillingFrequency.Name(terms.billing_frequency)),
            count=terms.interval_count or 1,
        )

    def credits(self, terms: GrantScheduleTerms) -> CreditsShown:
        return CreditsShown(
            micros=terms.unit_amount_micros,
            credit_type=self.credit_types.get(terms.credit_type_id, terms.credit_type_id),
            is_per_seat=terms.HasField("subscription_index"),
            unit=_unit(GrantFrequency.Name(terms.frequency)),
            count=terms.interval_count or 1,
        )


async def show(request: Request) -> Response:
    """Show the plans in force and what they can be changed to."""
    viewer = viewer_of(request)
    contracts, names = await asyncio.gather(_contracts(viewer), _names(viewer))
    newest = contracts[-CONTRACTS_MAX:]
    plans = await asyncio.gather(*(_plan(request, one, names) for one in newest))
    return page(
        request,
        "customer/plan.html",
        plans=[plan for plan in reversed(plans) if plan is not None],
        change=await _last_change(request),
        seats_max=10**SEATS_DIGITS_MAX // 10,
    )


async def preview(request: Request) -> Response:
    """Show what a change would cost and bring, with the form that makes it."""
    viewer, query = viewer_of(request), request.query_params
    asked = PreviewOwnPlanChangeRequest(
        contract_id=query.get("contract_id", ""),
        plan_offer_id=query.get("plan_offer_id", ""),
        quantities=_quantities(request, query.getlist("quantity")),
    )
    with in_words(request, REASONS):
        previewed = await viewer.mesh.contract_self.PreviewOwnPlanChange(asked)
    offers = await _offers(viewer, asked.contract_id)
    offer = next(one for one in offers if one.plan_offer_id == asked.plan_offer_id)
    names = await _names(viewer)
    return page(
        request,
        "customer/plan_preview.html",
        offer=offer,
        asked=asked,
        preview=previewed,
        seats=[names.seats(terms, None) for terms in offer.subscriptions],
        granted=list(zip(map(names.credits, offer.grant_schedules), previewed.granted_micros, strict=False)),
        included=IncludedCredits.Name(offer.included_credits).removeprefix("INCLUDED_CREDITS_"),
        has_money_back=offer.money_back != MoneyBack.MONEY_BACK_NONE,
    )


async def change(request: Request) -> Response:
    """Change the plan."""
    viewer, form = viewer_of(request), await form_of(request)
    with in_words(request, REASONS):
        changed = await viewer.mesh.contract_self.ChangeOwnPlan(
            ChangeOwnPlanRequest(
                request_id=text_of(form, "request_id"),
                contract_id=text_of(form, "contract_id"),
                plan_offer_id=text_of(form, "plan_offer_id"),
                quantities=_quantities(request, [str(one) for one in form.getlist("quantity")]),
            )
        )
    return RedirectResponse(f"/plan?changed={changed.plan_change.plan_change_id}", status_code=303)


async def _plan(request: Request, contract: Contract, names: Names) -> PlanShown | None:
    """Return a contract as the page shows it; None: it is not in force, which the service says."""
    refusal, offers = "", list[OwnPlanOffer]()
    try:
        offers = await _offers(viewer_of(request), contract.contract_id)
    except AioRpcError as error:
        fault = fault_of(error)
        if fault.status >= 500:
            raise
        if fault.reason in _NOT_IN_FORCE:
            return None
        refusal = _words(request, fault.reason, fault.message)
    return PlanShown(
        contract=contract,
        seats=[
            SeatsShown(
                product=names.products.get(one.product_id, one.product_id),
                quantity=one.quantity,
                price=one.unit_price,
                unit=_unit(BillingFrequency.Name(one.billing_frequency)),
                count=one.interval_count,
            )
            for one in contract.subscriptions
        ],
        credits=[
            CreditsShown(
                micros=one.unit_amount_micros,
                credit_type=names.credit_types.get(one.credit_type_id, one.credit_type_id),
                is_per_seat=bool(one.subscription_id),
                unit=_unit(GrantFrequency.Name(one.frequency)),
                count=one.interval_count,
            )
            for one in contract.grant_schedules
        ],
        offers=[_offer(request, one, names) for one in offers],
        refusal=refusal,
    )


def _offer(request: Request, offer: OwnPlanOffer, names: Names) -> OfferShown:
    prices: Sequence[Money | None] = offer.unit_prices or [None] * len(offer.subscriptions)
    return OfferShown(
        offer=offer,
        seats=[names.seats(terms, price) for terms, price in zip(offer.subscriptions, prices, strict=True)],
        credits=[names.credits(terms) for terms in offer.grant_schedules],
        refusal=_words(request, offer.unavailable_reason, offer.unavailable_message),
    )


async def _contracts(viewer: Viewer) -> list[Contract]:
    asked = ListContractsRequest(customer=viewer.customer_id)
    return await listed(viewer.mesh.contract.ListContracts, asked, "contracts", rows_max=ROWS_MAX)


async def _offers(viewer: Viewer, contract_id: str) -> list[OwnPlanOffer]:
    asked = ListOwnPlanOffersRequest(contract_id=contract_id)
    return await listed(viewer.mesh.contract_self.ListOwnPlanOffers, asked, "plan_offers", rows_max=ROWS_MAX)


async def _names(viewer: Viewer) -> Names:
    products, credit_types = await asyncio.gather(product_names(viewer), credit_type_names(viewer))
    return Names(products=products, credit_types=credit_types)


async def _last_change(request: Request) -> Mapping[str, object] | None:
    """Return the change of plan that the page is shown after; None: it is not shown after one."""
    plan_change_id = request.query_params.get("changed", "")
    if not plan_change_id:
        return None
    asked = GetPlanChangeRequest(plan_change_id=plan_change_id)
    found = (await viewer_of(request).mesh.contract.GetPlanChange(asked)).plan_change
    return {
        "is_settled": found.status == PlanChangeStatus.PLAN_CHANGE_STATUS_APPLIED,
        "invoice_id": found.invoice_id,
    }


def _quantities(request: Request, texts: Sequence[str]) -> list[int]:
    """Return numbers of seats as they were typed. Whether they are allowed is the service's to say."""
    if not all(one.isascii() and one.isdecimal() and len(one) <= SEATS_DIGITS_MAX for one in texts):
        raise WrongInput(gettext_of(request)(N_("Enter the number of seats as a whole number, such as 5.")))
    return [int(one) for one in texts]


def _words(request: Request, reason: str, message: str) -> str:
    return gettext_of(request)(REASONS[reason]) if reason in REASONS else message


def _unit(name: str) -> str:
    """Return "MONTHLY" of "BILLING_FREQUENCY_MONTHLY"."""
    return name.rpartition("_")[2]


ROUTES: Sequence[Route] = (
    Route("/plan", show),
    Route("/plan", change, methods=["POST"]),
    Route("/plan/preview", preview),
)
