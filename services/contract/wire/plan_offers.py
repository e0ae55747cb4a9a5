# SPDX-License-Identifier: Apache-2.0
"""Plan offers on the wire, for operators and for customers."""

from collections.abc import Sequence

from meshkit.page import Page
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import self_service_pb2 as own
from services.contract.domain.commands.plan_changes import ChangedPlan, PreviewedPlan
from services.contract.domain.commands.plan_offers import (
    ArchivePlanOffer,
    ChangeOwnPlan,
    CreatePlanOffer,
    OwnPlanChange,
    OwnPlanOffer,
)
from services.contract.domain.contract import SUBSCRIPTIONS_MAX
from services.contract.domain.ids import ContractId, PlanOfferId, RateCardId
from services.contract.domain.plan_offer import CUSTOMERS_MAX, DESCRIPTION_LENGTH_MAX, OfferedTerms, PlanOffer
from services.contract.domain.seats.timeline import SEATS_MAX
from services.contract.wire import plan_changes
from services.contract.wire.contracts import schedules_from_wire, subscriptions_from_wire
from services.contract.wire.overage import policy_from_wire, terms_to_wire
from services.contract.wire.plan_changes import INCLUDED
from services.contract.wire.schedules import schedule_terms_to_wire
from services.contract.wire.subscriptions import subscription_terms_to_wire
from services.contract.wire.values import MONEY_BACK, by_number, default, each, money_to_wire


def create_from_wire(request: pb.CreatePlanOfferRequest) -> CreatePlanOffer:
    fields = Fields()
    command = CreatePlanOffer(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CreatePlanOffer", request),
        name=fields.text("name", request.name),
        description=fields.text(
            "description", request.description, required=False, max_length=DESCRIPTION_LENGTH_MAX
        ),
        terms=OfferedTerms(
            rate_card_id=RateCardId(fields.text("rate_card_id", request.rate_card_id)),
            subscriptions=subscriptions_from_wire(fields, request.subscriptions),
            grant_schedules=schedules_from_wire(fields, request.grant_schedules, request.subscriptions),
            included_credits=default(
                fields, "included_credits", request.included_credits, by_number(INCLUDED)
            ),
            money_back=default(fields, "money_back", request.money_back, by_number(MONEY_BACK)),
            accept_unprorated=request.accept_unprorated,
            overage=policy_from_wire(fields, request.overage_policy),
        ),
        customers=each(fields, "customers", request.customers, CUSTOMERS_MAX, Fields.text),
    )
    _refuse_own_terms(fields, request)
    fields.check()
    return command


def create_to_wire(offer: PlanOffer) -> pb.CreatePlanOfferResponse:
    return pb.CreatePlanOfferResponse(plan_offer=offer_to_wire(offer))


def get_from_wire(request: pb.GetPlanOfferRequest) -> PlanOfferId:
    fields = Fields()
    plan_offer_id = PlanOfferId(fields.text("plan_offer_id", request.plan_offer_id))
    fields.check()
    return plan_offer_id


def get_to_wire(offer: PlanOffer) -> pb.GetPlanOfferResponse:
    return pb.GetPlanOfferResponse(plan_offer=offer_to_wire(offer))


def list_from_wire(request: pb.ListPlanOffersRequest) -> Page:
    fields = Fields()
    page = page_from_wire(fields, request, _list_of(request))
    fields.check()
    return page


def list_to_wire(
    rows: Sequence[PlanOffer], page: Page, request: pb.ListPlanOffersRequest
) -> pb.ListPlanOffersResponse:
    shown, token = page_to_wire(
        rows, page, _list_of(request), lambda row: (row.plan_offer_id,), offer_to_wire
    )
    return pb.ListPlanOffersResponse(plan_offers=shown, next_page_token=token)


def archive_from_wire(request: pb.ArchivePlanOfferRequest) -> ArchivePlanOffer:
    fields = Fields()
    command = ArchivePlanOffer(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ArchivePlanOffer", request),
        plan_offer_id=PlanOfferId(fields.text("plan_offer_id", request.plan_offer_id)),
    )
    fields.check()
    return command


def archive_to_wire(offer: PlanOffer) -> pb.ArchivePlanOfferResponse:
    return pb.ArchivePlanOfferResponse(plan_offer=offer_to_wire(offer))


def offer_to_wire(offer: PlanOffer) -> pb.PlanOffer:
    terms = offer.terms
    return pb.PlanOffer(
        plan_offer_id=offer.plan_offer_id,
        name=offer.name,
        description=offer.description,
        rate_card_id=terms.rate_card_id,
        subscriptions=[subscription_terms_to_wire(one) for one in terms.subscriptions],
        grant_schedules=[schedule_terms_to_wire(one) for one in terms.grant_schedules],
        included_credits=INCLUDED[terms.included_credits],
        money_back=MONEY_BACK[terms.money_back],
        accept_unprorated=terms.accept_unprorated,
        overage_policy=terms_to_wire(terms.overage),
        customer_ids=offer.customer_ids,
        create_time=timestamp(offer.create_time),
        archive_time=optional_timestamp(offer.archive_time),
    )


def list_own_from_wire(request: own.ListOwnPlanOffersRequest) -> tuple[ContractId, Page]:
    fields = Fields()
    contract_id = ContractId(fields.text("contract_id", request.contract_id))
    page = page_from_wire(fields, request, _own_list_of(request))
    fields.check()
    return contract_id, page


def list_own_to_wire(
    rows: Sequence[OwnPlanOffer], page: Page, request: own.ListOwnPlanOffersRequest
) -> own.ListOwnPlanOffersResponse:
    shown, token = page_to_wire(
        rows, page, _own_list_of(request), lambda row: (row.offer.plan_offer_id,), _own_to_wire
    )
    return own.ListOwnPlanOffersResponse(plan_offers=shown, next_page_token=token)


def preview_own_from_wire(request: own.PreviewOwnPlanChangeRequest) -> OwnPlanChange:
    fields = Fields()
    change = _own_change(fields, request)
    fields.check()
    return change


def preview_own_to_wire(previewed: PreviewedPlan) -> own.PreviewOwnPlanChangeResponse:
    response = plan_changes.preview_to_wire(previewed)
    return own.PreviewOwnPlanChangeResponse(
        lines=response.lines,
        total=response.total,
        credits=response.credits,
        granted_micros=response.granted_micros,
        off_due=response.off_due,
        quantities=[one.initial_quantity for one in previewed.begun.subscriptions],
    )


def change_own_from_wire(request: own.ChangeOwnPlanRequest) -> ChangeOwnPlan:
    fields = Fields()
    command = ChangeOwnPlan(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("ChangeOwnPlan", request),
        plan=_own_change(fields, request),
    )
    fields.check()
    return command


def change_own_to_wire(changed: ChangedPlan) -> own.ChangeOwnPlanResponse:
    response = plan_changes.change_to_wire(changed)
    return own.ChangeOwnPlanResponse(
        plan_change=response.plan_change,
        contract=response.contract,
        invoice=response.invoice if response.HasField("invoice") else None,
    )


def _own_to_wire(offered: OwnPlanOffer) -> own.OwnPlanOffer:
    offer, refusal = offered.offer, offered.refusal
    return own.OwnPlanOffer(
        plan_offer_id=offer.plan_offer_id,
        name=offer.name,
        description=offer.description,
        subscriptions=[subscription_terms_to_wire(one) for one in offered.subscriptions],
        grant_schedules=[schedule_terms_to_wire(one) for one in offer.terms.grant_schedules],
        included_credits=INCLUDED[offer.terms.included_credits],
        money_back=MONEY_BACK[offer.terms.money_back],
        unit_prices=[money_to_wire(one) for one in offered.unit_prices],
        unavailable_reason="" if refusal is None else refusal.reason,
        unavailable_message="" if refusal is None else refusal.message,
    )


def _own_change(
    fields: Fields, request: own.PreviewOwnPlanChangeRequest | own.ChangeOwnPlanRequest
) -> OwnPlanChange:
    def quantity(fields: Fields, field: str, value: int) -> int:
        return fields.count(field, value, minimum=0, maximum=SEATS_MAX)

    return OwnPlanChange(
        contract_id=ContractId(fields.text("contract_id", request.contract_id)),
        plan_offer_id=PlanOfferId(fields.text("plan_offer_id", request.plan_offer_id)),
        quantities=each(fields, "quantities", request.quantities, SUBSCRIPTIONS_MAX, quantity),
    )


def _refuse_own_terms(fields: Fields, request: pb.CreatePlanOfferRequest) -> None:
    """Refuse what fits one contract only: seat ids, and instants from which periods are counted."""
    for position, seats in enumerate(request.subscriptions):
        if seats.initial_seat_ids:
            problem = "must be left out: whoever has a seat at the change keeps it"
            fields.add(f"subscriptions[{position}].initial_seat_ids", problem)
        if seats.HasField("anchor_time"):
            problem = (
                "must be left out: periods are counted from the change; set anchor_day for a day of the month"
            )
            fields.add(f"subscriptions[{position}].anchor_time", problem)
    for position, schedule in enumerate(request.grant_schedules):
        if schedule.HasField("anchor_time"):
            fields.add(
                f"grant_schedules[{position}].anchor_time",
                "must be left out: periods are counted from the change",
            )


def _list_of(request: pb.ListPlanOffersRequest) -> dict[str, str]:
    return {"list": "plan_offers", "with_archived": str(request.with_archived)}


def _own_list_of(request: own.ListOwnPlanOffersRequest) -> dict[str, str]:
    return {"list": "own_plan_offers", "contract_id": request.contract_id}
