# SPDX-License-Identifier: Apache-2.0
"""Plan offers: operators offer plans, and customers change to them without the vendor's fields."""

from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from grpc import StatusCode

from meshkit.errors import Unavailable
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import self_service_pb2 as own
from purser.contract.v1.self_service_pb2_grpc import SelfServiceStub
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from services.contract.domain.seats.naming import SEAT_IDS_PER_CHANGE_MAX
from tests.support.catalog import Shop, a_rate
from tests.support.contract import ANNUAL, MONTHLY, Desk, RunningContract, away, day, dollars
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger

if TYPE_CHECKING:
    from purser.contract.v1.self_service_pb2_grpc import SelfServiceAsyncStub

OwnStub: TypeAlias = "SelfServiceAsyncStub"
CREDIT = 1_000_000
SEAT_BASED = pb.QUANTITY_MANAGEMENT_SEAT_BASED


class LedgerAway(Unavailable):
    reason = "DATABASE_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("away")


def _unused(paid: Iterable[peer_pb.PaidPeriod]) -> list[peer_pb.UnusedShare]:
    """No credits were used."""
    return [
        peer_pb.UnusedShare(subscription_id=one.subscription_id, numerator=1, denominator=1) for one in paid
    ]


def _unspent(request: peer_pb.ApplyPlanChangeRequest) -> peer_pb.ApplyPlanChangeResponse:
    return peer_pb.ApplyPlanChangeResponse(
        unused=_unused(request.paid_periods), apply_time=request.ended.end_time
    )


def _would_be_unspent(request: peer_pb.PreviewPlanChangeRequest) -> peer_pb.PreviewPlanChangeResponse:
    return peer_pb.PreviewPlanChangeResponse(
        unused=_unused(request.paid_periods),
        begun=[
            peer_pb.ScheduleCredits(grant_schedule_id=one.grant_schedule_id, amount_micros=800 * CREDIT)
            for one in request.begun.grant_schedules
        ],
    )


@pytest.fixture
async def customer(running: RunningContract) -> AsyncIterator[OwnStub]:
    async with open_channel(running.address) as channel:
        yield SelfServiceStub(channel)


@pytest.fixture
async def business(desk: Desk, shop: Shop) -> str:
    """The product of plan B: $20 a month and seat."""
    plan = await shop.seats()
    await shop.add(desk.sells.rate_card, a_rate(plan, price_micros=20 * CREDIT, frequency=MONTHLY))
    return plan.product_id


@pytest.fixture
async def signed(desk: Desk, ledger: RecordingLedger) -> pb.CreateContractResponse:
    """Plan A: 4 monthly seats at $10 with 100 credits each, paid."""
    ledger.answers |= {"ApplyPlanChange": _unspent, "PreviewPlanChange": _would_be_unspent}
    made = await desk.sign(desk.seats(4, frequency=MONTHLY), schedules=(desk.schedule(),))
    await desk.pay(made.invoices[0])
    return made


def offer_request(desk: Desk, product_id: str, **more: Any) -> pb.CreatePlanOfferRequest:
    """Offer plan B: seats of a product with 200 credits each."""
    terms: dict[str, Any] = {
        "request_id": desk.request_id(),
        "name": "Business",
        "description": "200 credits per seat",
        "rate_card_id": desk.sells.rate_card.rate_card_id,
        "subscriptions": [desk.seats(1, frequency=MONTHLY, product_id=product_id)],
        "grant_schedules": [desk.schedule(unit_amount_micros=200 * CREDIT)],
    }
    return pb.CreatePlanOfferRequest(**(terms | more))


async def offered(desk: Desk, product_id: str, **more: Any) -> pb.PlanOffer:
    return (await desk.contract.CreatePlanOffer(offer_request(desk, product_id, **more))).plan_offer


def change_to(
    desk: Desk, signed: pb.CreateContractResponse, offer: pb.PlanOffer, *quantities: int
) -> own.ChangeOwnPlanRequest:
    return own.ChangeOwnPlanRequest(
        request_id=desk.request_id(),
        contract_id=signed.contract.contract_id,
        plan_offer_id=offer.plan_offer_id,
        quantities=quantities,
    )


def preview_of(request: own.ChangeOwnPlanRequest) -> own.PreviewOwnPlanChangeRequest:
    return own.PreviewOwnPlanChangeRequest(
        contract_id=request.contract_id, plan_offer_id=request.plan_offer_id, quantities=request.quantities
    )


async def seen(customer: OwnStub, signed: pb.CreateContractResponse) -> list[own.OwnPlanOffer]:
    request = own.ListOwnPlanOffersRequest(contract_id=signed.contract.contract_id)
    return list((await customer.ListOwnPlanOffers(request)).plan_offers)


async def test_a_customer_changes_to_an_offered_plan_with_the_seats_it_has(
    desk: Desk, running: RunningContract, customer: OwnStub, business: str, signed: pb.CreateContractResponse
) -> None:
    offer = await offered(desk, business)
    running.clock.advance_to(day(6, 16))
    request = change_to(desk, signed, offer)

    preview = await customer.PreviewOwnPlanChange(preview_of(request))
    changed = await customer.ChangeOwnPlan(request)

    assert dollars(changed.invoice.total) == dollars(preview.total) == "60.00"  # 4 × $20 less half of $40
    assert [dollars(one.total) for one in preview.lines] == ["80.00", "-20.00"]
    assert (list(preview.quantities), list(preview.granted_micros)) == ([4], [800 * CREDIT])
    assert [dollars(one.charged) for one in preview.credits] == ["40.00"]
    assert dollars(preview.off_due) == "0.00"
    assert (changed.contract.name, changed.contract.subscriptions[0].quantity) == ("Business", 4)
    assert changed.plan_change.status == pb.PLAN_CHANGE_STATUS_APPLIED
    old = await desk.contract.GetContract(pb.GetContractRequest(contract_id=signed.contract.contract_id))
    assert old.contract.end_time == changed.contract.start_time == timestamp(day(6, 16))


async def test_a_repeated_change_is_made_once_even_if_the_offer_was_archived_in_the_meantime(
    desk: Desk, customer: OwnStub, business: str, signed: pb.CreateContractResponse
) -> None:
    offer = await offered(desk, business)
    request = change_to(desk, signed, offer)
    changed = await customer.ChangeOwnPlan(request)
    await desk.contract.ArchivePlanOffer(
        pb.ArchivePlanOfferRequest(request_id="archive", plan_offer_id=offer.plan_offer_id)
    )

    assert await customer.ChangeOwnPlan(request) == changed

    request.quantities.append(5)
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await customer.ChangeOwnPlan(request)


async def test_the_customer_may_say_how_many_seats_it_wants(
    desk: Desk, customer: OwnStub, business: str, signed: pb.CreateContractResponse
) -> None:
    two = [desk.seats(1, frequency=MONTHLY, product_id=business), desk.seats(7, frequency=MONTHLY)]
    offer = await offered(desk, business, subscriptions=two)

    as_now = await customer.PreviewOwnPlanChange(preview_of(change_to(desk, signed, offer)))
    assert list(as_now.quantities) == [4, 7]  # the contract has no second subscription, so the offer counts
    changed = await customer.ChangeOwnPlan(change_to(desk, signed, offer, 2, 0))
    assert [one.quantity for one in changed.contract.subscriptions] == [2, 0]


@pytest.mark.parametrize("quantities", [(1, 1), (-1,), (1_000_001,)])
async def test_quantities_that_do_not_fit_are_refused(
    desk: Desk,
    customer: OwnStub,
    business: str,
    signed: pb.CreateContractResponse,
    quantities: tuple[int, ...],
) -> None:
    offer = await offered(desk, business)

    with bad_fields("quantities" if len(quantities) > 1 else "quantities[0]"):
        await customer.ChangeOwnPlan(change_to(desk, signed, offer, *quantities))
    await customer.PreviewOwnPlanChange(preview_of(change_to(desk, signed, offer, 1)))


async def test_a_customer_sees_what_each_offer_costs_and_why_one_is_refused(
    desk: Desk, customer: OwnStub, business: str, signed: pb.CreateContractResponse
) -> None:
    present = await offered(
        desk,
        business,
        name="Team",
        subscriptions=[desk.seats(1, frequency=MONTHLY)],
        grant_schedules=[desk.schedule()],
    )
    other = await offered(desk, business)

    first, second = await seen(customer, signed)

    assert (first.plan_offer_id, first.unavailable_reason) == (present.plan_offer_id, "PLAN_UNCHANGED")
    assert first.unavailable_message.endswith("nothing was changed")
    assert not first.unit_prices
    assert (second.plan_offer_id, second.unavailable_reason) == (other.plan_offer_id, "")
    assert (second.name, second.description) == ("Business", "200 credits per seat")
    assert [dollars(one) for one in second.unit_prices] == ["20.00"]
    assert [one.initial_quantity for one in second.subscriptions] == [4]
    assert [one.unit_amount_micros for one in second.grant_schedules] == [200 * CREDIT]
    with fault(StatusCode.FAILED_PRECONDITION, "PLAN_UNCHANGED"):
        await customer.ChangeOwnPlan(change_to(desk, signed, present))


async def test_an_offer_to_some_customers_does_not_exist_for_others(
    desk: Desk, customer: OwnStub, business: str, signed: pb.CreateContractResponse
) -> None:
    other = await desk.customer("Other", "other")
    hidden = await offered(desk, business, customers=["other", other.customer_id])
    shown = await offered(desk, business, customers=["other", signed.contract.customer_id])

    assert list(hidden.customer_ids) == [other.customer_id]
    assert [one.plan_offer_id for one in await seen(customer, signed)] == [shown.plan_offer_id]
    unknown = pb.PlanOffer(plan_offer_id="pof_unknown")
    for refused in (hidden, unknown):
        with fault(StatusCode.NOT_FOUND, "PLAN_OFFER_NOT_FOUND"):
            await customer.ChangeOwnPlan(change_to(desk, signed, refused))
        with fault(StatusCode.NOT_FOUND, "PLAN_OFFER_NOT_FOUND"):
            await customer.PreviewOwnPlanChange(preview_of(change_to(desk, signed, refused)))


async def test_nobody_changes_to_an_archived_offer(
    desk: Desk, running: RunningContract, customer: OwnStub, business: str, signed: pb.CreateContractResponse
) -> None:
    offer, open_one = await offered(desk, business), await offered(desk, business)
    request = pb.ArchivePlanOfferRequest(request_id="archive", plan_offer_id=offer.plan_offer_id)
    running.clock.advance_to(day(6, 16))

    archived = (await desk.contract.ArchivePlanOffer(request)).plan_offer

    assert archived.archive_time == timestamp(day(6, 16))
    running.clock.advance_to(day(6, 17))
    request.request_id = "again"
    assert (await desk.contract.ArchivePlanOffer(request)).plan_offer == archived
    with fault(StatusCode.NOT_FOUND, "PLAN_OFFER_NOT_FOUND"):
        await customer.ChangeOwnPlan(change_to(desk, signed, offer))
    assert [one.plan_offer_id for one in await seen(customer, signed)] == [open_one.plan_offer_id]
    everything = await desk.contract.ListPlanOffers(pb.ListPlanOffersRequest(with_archived=True))
    assert list(everything.plan_offers) == [archived, open_one]
    still_open = await desk.contract.ListPlanOffers(pb.ListPlanOffersRequest())
    assert list(still_open.plan_offers) == [open_one]
    read = await desk.contract.GetPlanOffer(pb.GetPlanOfferRequest(plan_offer_id=offer.plan_offer_id))
    assert read.plan_offer == archived


async def test_offers_are_listed_page_by_page(
    desk: Desk, customer: OwnStub, business: str, signed: pb.CreateContractResponse
) -> None:
    made = [await offered(desk, business, name=name) for name in ("A", "B", "C")]
    request = own.ListOwnPlanOffersRequest(contract_id=signed.contract.contract_id, page_size=2)
    first = await customer.ListOwnPlanOffers(request)
    request.page_token = first.next_page_token
    second = await customer.ListOwnPlanOffers(request)
    assert [one.name for one in (*first.plan_offers, *second.plan_offers)] == ["A", "B", "C"]
    assert not second.next_page_token

    listing = pb.ListPlanOffersRequest(page_size=2)
    page = await desk.contract.ListPlanOffers(listing)
    listing.page_token = page.next_page_token
    rest = await desk.contract.ListPlanOffers(listing)
    assert [*page.plan_offers, *rest.plan_offers] == made


async def test_an_offer_shows_the_terms_as_they_were_given(desk: Desk, business: str) -> None:
    shared = pb.SharedPool(access=pb.SHARED_POOL_ACCESS_EVERYONE)
    seats = desk.seats(
        3,
        frequency=MONTHLY,
        product_id=business,
        quantity_management=SEAT_BASED,
        seat_group_key="user_id",
        shared_pool=shared,
        anchor_day=1,
        interval_count=3,
        collection_schedule=pb.COLLECTION_SCHEDULE_ADVANCE,
    )
    schedule = desk.schedule(
        allocation=pb.ALLOCATION_INDIVIDUAL,
        priority=7,
        period_proration=pb.PERIOD_PRORATION_FIRST_AND_LAST,
        commit_duration=2,
        interval_count=1,
        alignment=pb.GRANT_ALIGNMENT_BILLING_PERIODS,
        scope_product_ids=[desk.sells.assistant.product_id],
        rollover=pb.Rollover(fraction_millionths=500_000, cap_micros=CREDIT, duration=1),
    )
    limit = pb.OverageLimit(credit_type_id=desk.sells.credits.credit_type_id, cap_micros=CREDIT)
    request = offer_request(
        desk,
        business,
        subscriptions=[seats],
        grant_schedules=[schedule],
        included_credits=pb.INCLUDED_CREDITS_ROLL,
        money_back=pb.MONEY_BACK_NONE,
        overage_policy=pb.OveragePolicy(mode=pb.OVERAGE_MODE_OVERAGE, limits=[limit]),
    )

    offer = (await desk.contract.CreatePlanOffer(request)).plan_offer

    assert list(offer.subscriptions) == [seats]
    assert list(offer.grant_schedules) == [schedule]
    assert offer.overage_policy == request.overage_policy
    assert (offer.included_credits, offer.money_back) == (pb.INCLUDED_CREDITS_ROLL, pb.MONEY_BACK_NONE)
    assert (await desk.contract.CreatePlanOffer(request)).plan_offer == offer


async def test_whoever_has_a_named_seat_keeps_it(
    desk: Desk, customer: OwnStub, business: str, ledger: RecordingLedger
) -> None:
    ledger.answers["ApplyPlanChange"] = _unspent
    names = {"quantity_management": SEAT_BASED, "seat_group_key": "user_id"}
    signed = await desk.sign(desk.seats(3, frequency=MONTHLY, initial_seat_ids=["ann", "bob"], **names))
    plan_b = desk.seats(1, frequency=MONTHLY, product_id=business, **names)
    offer = await offered(desk, business, subscriptions=[plan_b], grant_schedules=[])

    with fault(StatusCode.FAILED_PRECONDITION, "TOO_FEW_SEATS"):
        await customer.ChangeOwnPlan(change_to(desk, signed, offer, 1))
    changed = await customer.ChangeOwnPlan(change_to(desk, signed, offer, 2))

    request = pb.ListSeatsRequest(contract_id=changed.contract.contract_id)
    listed = await desk.contract.ListSeats(request)
    assert ([one.seat_id for one in listed.seats], listed.quantity) == (["ann", "bob"], 2)


async def test_seats_that_are_named_by_another_property_of_usage_have_no_names_in_the_new_plan(
    desk: Desk, customer: OwnStub, business: str, ledger: RecordingLedger
) -> None:
    ledger.answers["ApplyPlanChange"] = _unspent
    by_user = {"quantity_management": SEAT_BASED, "seat_group_key": "user_id"}
    signed = await desk.sign(desk.seats(3, frequency=MONTHLY, initial_seat_ids=["ann", "bob"], **by_user))
    by_team = by_user | {"seat_group_key": "team_id"}
    plan_b = desk.seats(1, frequency=MONTHLY, product_id=business, **by_team)
    offer = await offered(desk, business, subscriptions=[plan_b], grant_schedules=[])

    changed = await customer.ChangeOwnPlan(change_to(desk, signed, offer))

    (seats,) = changed.contract.subscriptions
    assert (seats.quantity, seats.assigned_quantity, seats.seat_group_key) == (3, 0, "team_id")


async def test_more_named_seats_than_one_change_can_carry_over_are_left_to_the_vendor(
    desk: Desk, customer: OwnStub, business: str, ledger: RecordingLedger
) -> None:
    ledger.answers["ApplyPlanChange"] = _unspent
    names = {"quantity_management": SEAT_BASED, "seat_group_key": "user_id"}
    ids = [f"user-{number:04}" for number in range(SEAT_IDS_PER_CHANGE_MAX)]
    signed = await desk.sign(desk.seats(2_000, frequency=MONTHLY, initial_seat_ids=ids, **names))
    plan_b = desk.seats(1, frequency=MONTHLY, product_id=business, **names)
    offer = await offered(desk, business, subscriptions=[plan_b], grant_schedules=[])
    (first,) = await seen(customer, signed)
    assert first.unavailable_reason == ""

    request = pb.ChangeSeatsRequest(request_id="one-more", contract_id=signed.contract.contract_id)
    request.assign_seat_ids.append("one-more")
    await desk.contract.ChangeSeats(request)

    with fault(StatusCode.FAILED_PRECONDITION, "SEATS_BY_VENDOR", seat_ids_max="1000"):
        await customer.ChangeOwnPlan(change_to(desk, signed, offer))


async def test_the_end_of_a_contract_stays_and_a_term_is_the_vendors_to_change(
    desk: Desk, customer: OwnStub, business: str, signed: pb.CreateContractResponse
) -> None:
    offer = await offered(desk, business)
    ending = await desk.sign(
        desk.seats(4, frequency=MONTHLY), customer=signed.contract.customer_id, end=day(7, 11)
    )
    changed = await customer.ChangeOwnPlan(change_to(desk, ending, offer))
    assert changed.contract.end_time == timestamp(day(7, 11))

    request = desk.contract_request(signed.contract.customer_id, desk.seats(4, frequency=MONTHLY))
    request.term.CopyFrom(pb.ContractTerm(months=12, renews=True))
    bound = await desk.contract.CreateContract(request)
    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_HAS_TERM"):
        await customer.ChangeOwnPlan(change_to(desk, bound, offer))
    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_HAS_TERM"):
        await seen(customer, bound)


async def test_a_contract_that_is_over_or_unknown_has_no_offers(
    desk: Desk, running: RunningContract, customer: OwnStub, business: str, signed: pb.CreateContractResponse
) -> None:
    offer = await offered(desk, business)
    later = await desk.sign(
        desk.seats(4), customer=signed.contract.customer_id, start=day(7, 1), end=day(7, 11)
    )

    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_NOT_STARTED"):
        await seen(customer, later)
    running.clock.advance_to(day(7, 11))
    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED"):
        await seen(customer, later)
    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED"):
        await customer.ChangeOwnPlan(change_to(desk, later, offer))
    nothing = pb.CreateContractResponse(contract=pb.Contract(contract_id="con_unknown"))
    with fault(StatusCode.NOT_FOUND, "CONTRACT_NOT_FOUND"):
        await seen(customer, nothing)
    with fault(StatusCode.NOT_FOUND, "CONTRACT_NOT_FOUND"):
        await customer.ChangeOwnPlan(change_to(desk, nothing, offer))


async def test_terms_are_checked_when_a_plan_is_offered(desk: Desk, business: str) -> None:
    unpriced = [desk.seats(1, frequency=ANNUAL, product_id=business)]
    with fault(StatusCode.FAILED_PRECONDITION, "RATE_NOT_FOUND"):
        await offered(desk, business, subscriptions=unpriced)
    with fault(StatusCode.NOT_FOUND, "RATE_CARD_NOT_FOUND"):
        await offered(desk, business, rate_card_id="rcd_unknown")
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND"):
        await offered(desk, "prd_unknown")
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await offered(desk, business, customers=["nobody"])
    whole = [desk.schedule(prorates_increases=False)]
    with fault(StatusCode.FAILED_PRECONDITION, "PLAN_NOT_PRORATED"):
        await offered(desk, business, grant_schedules=whole)
    assert (await offered(desk, business, grant_schedules=whole, accept_unprorated=True)).accept_unprorated


async def test_an_offer_has_no_terms_that_fit_one_contract_only(desk: Desk, business: str) -> None:
    seats = desk.seats(1, frequency=MONTHLY, product_id=business, anchor_time=timestamp(day(6, 1)))
    seats.quantity_management = SEAT_BASED
    seats.seat_group_key = "user_id"
    seats.initial_seat_ids.append("ann")
    schedule = desk.schedule(anchor_time=timestamp(day(6, 1)))

    with bad_fields(
        "name",
        "description",
        "customers",
        "subscriptions[0].initial_seat_ids",
        "subscriptions[0].anchor_time",
        "grant_schedules[0].anchor_time",
    ):
        await offered(
            desk,
            business,
            name="",
            description="x" * 1_001,
            customers=["acme"] * 101,
            subscriptions=[seats],
            grant_schedules=[schedule],
        )
    assert (await offered(desk, business, description="x" * 1_000)).description


async def test_without_the_ledger_there_is_no_preview(
    desk: Desk, customer: OwnStub, business: str, signed: pb.CreateContractResponse, ledger: RecordingLedger
) -> None:
    offer = await offered(desk, business)
    request = change_to(desk, signed, offer)
    ledger.fault = LedgerAway()

    with away("ledger"):
        await customer.PreviewOwnPlanChange(preview_of(request))
    changed = await customer.ChangeOwnPlan(request)
    assert changed.plan_change.status == pb.PLAN_CHANGE_STATUS_PENDING

    ledger.fault = None
    again = await customer.ChangeOwnPlan(request)
    assert again.plan_change.status == pb.PLAN_CHANGE_STATUS_APPLIED
