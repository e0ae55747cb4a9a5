# SPDX-License-Identifier: Apache-2.0
"""CreateContract, GetContract, ListContracts, EndContract."""

from datetime import timedelta
from typing import Any

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from meshkit.rpc.status import PeerUnavailable
from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2
from purser.ledger.v1.ledger_peer_pb2 import ApplyContractRequest
from tests.support.catalog import JUNE, Shop, a_rate
from tests.support.contract import (
    ANNUAL,
    MONTHLY,
    NEXT_DATE,
    ContractStub,
    Desk,
    RunningContract,
    away,
    day,
    dollars,
    running_contract,
)
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases


async def _get(contract: ContractStub, contract_id: str) -> pb.Contract:
    return (await contract.GetContract(pb.GetContractRequest(contract_id=contract_id))).contract


def _end(contract_id: str, request_id: str = "end") -> pb.EndContractRequest:
    return pb.EndContractRequest(request_id=request_id, contract_id=contract_id)


async def test_a_contract_says_what_was_signed(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4), schedules=(desk.schedule(),), end=day(6, 1, 2027))

    made = signed.contract
    [seats], [schedule] = made.subscriptions, made.grant_schedules
    assert await _get(desk.contract, made.contract_id) == made
    assert made.contract_id.startswith("con_")
    assert made.rate_card_id == desk.sells.rate_card.rate_card_id
    assert (made.start_time, made.end_time) == (timestamp(JUNE), timestamp(day(6, 1, 2027)))
    assert seats.subscription_id.startswith("sub_")
    assert (seats.quantity, dollars(seats.unit_price)) == (4, "100.00")
    assert (seats.billing_frequency, seats.collection_schedule) == (ANNUAL, pb.COLLECTION_SCHEDULE_ADVANCE)
    assert seats.quantity_management == pb.QUANTITY_MANAGEMENT_QUANTITY_ONLY
    assert seats.current_period.start_time == timestamp(JUNE)
    assert seats.current_period.end_time == timestamp(day(6, 1, 2026))
    assert schedule.grant_schedule_id.startswith("sch_")
    assert (schedule.subscription_id, schedule.anchor_time) == (seats.subscription_id, timestamp(JUNE))
    assert (schedule.priority, schedule.commit_duration, schedule.allocation) == (1, 1, pb.ALLOCATION_POOLED)
    assert schedule.period_proration == pb.PERIOD_PRORATION_FIRST_AND_LAST


async def test_the_ledger_hears_of_schedules_as_signed(desk: Desk, ledger: RecordingLedger) -> None:
    unlinked = desk.schedule(
        frequency=pb.GRANT_FREQUENCY_ANNUAL,
        anchor_time=timestamp(day(1, 1)),
        priority=7,
        period_proration=pb.PERIOD_PRORATION_LAST,
        commit_duration=3,
        scope_product_ids=[desk.sells.assistant.product_id],
        prorates_increases=False,
    )
    unlinked.ClearField("subscription_index")
    signed = await desk.sign(
        desk.seats(4),
        desk.seats(2, frequency=MONTHLY),
        schedules=(unlinked, desk.schedule(subscription_index=1)),
    )

    [told] = ledger.told_of(ApplyContractRequest)
    first, second = told.grant_schedules
    assert (told.customer_id, told.version) == (signed.contract.customer_id, 1)
    assert not told.HasField("end_time")
    assert [one.initial_quantity for one in told.subscriptions] == [4, 2]
    assert (first.subscription_id, first.priority, first.commit_duration) == ("", 7, 3)
    assert first.frequency == ledger_peer_pb2.GRANT_FREQUENCY_ANNUAL
    assert first.anchor_time == timestamp(day(1, 1))
    assert first.period_proration == ledger_peer_pb2.PERIOD_PRORATION_LAST
    assert list(first.scope_product_ids) == [desk.sells.assistant.product_id]
    assert (first.prorates_increases, second.prorates_increases) == (False, True)
    assert second.subscription_id == signed.contract.subscriptions[1].subscription_id


async def test_what_is_due_at_one_instant_is_on_one_invoice(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4), desk.seats(3, frequency=MONTHLY))

    [invoice] = signed.invoices
    assert [(line.quantity, dollars(line.total)) for line in invoice.lines] == [(4, "400.00"), (3, "30.00")]
    assert dollars(invoice.total) == "430.00"


async def test_a_contract_without_seats_has_nothing_to_pay(desk: Desk) -> None:
    none, zero = await desk.sign(), await desk.sign(desk.seats(0))

    assert list(none.invoices) == list(zero.invoices) == []


async def test_a_contract_that_began_in_the_past_is_billed_from_there(
    desk: Desk, running: RunningContract
) -> None:
    running.clock.advance_to(day(8, 15))

    signed = await desk.sign(desk.seats(4, frequency=MONTHLY), start=JUNE)

    assert [(one.issue_time.ToDatetime().month, dollars(one.total)) for one in signed.invoices] == [
        (6, "40.00"),
        (7, "40.00"),
        (8, "40.00"),
    ]
    assert {one.finalize_time.seconds for one in signed.invoices} == {timestamp(day(8, 15)).seconds}
    assert signed.contract.subscriptions[0].current_period.start_time == timestamp(day(8, 1))


async def test_a_contract_that_begins_later_is_billed_when_it_begins(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4), start=day(7, 1))

    assert list(signed.invoices) == []
    assert signed.contract.subscriptions[0].current_period.start_time == timestamp(day(7, 1))
    await running.advance_to(day(7, 1) - timedelta(microseconds=1))
    assert await desk.invoices(signed) == []
    await running.advance_to(day(7, 1))
    [invoice] = await desk.invoices(signed)
    assert (invoice.issue_time, invoice.finalize_time) == (timestamp(day(7, 1)), timestamp(day(7, 1)))


async def test_what_a_contract_refers_to_must_be_known(desk: Desk) -> None:
    customer = (await desk.customer()).customer_id
    unknown_card = desk.contract_request(customer, desk.seats())
    unknown_card.rate_card_id = "rcd_unknown"

    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await desk.sign(customer="nobody")
    with fault(StatusCode.NOT_FOUND, "RATE_CARD_NOT_FOUND", rate_card_id="rcd_unknown"):
        await desk.contract.CreateContract(unknown_card)
    for unknown in (
        {"seats": (desk.seats(product_id="prd_unknown"),)},
        {"schedules": (desk.schedule(product_id="prd_unknown"),)},
        {"schedules": (desk.schedule(scope_product_ids=["prd_unknown"]),)},
    ):
        with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_unknown"):
            await desk.sign(
                *unknown.get("seats", (desk.seats(),)),
                customer=customer,
                schedules=unknown.get("schedules", ()),
            )
    with fault(StatusCode.NOT_FOUND, "CREDIT_TYPE_NOT_FOUND", credit_type_id="crt_unknown"):
        await desk.sign(
            desk.seats(), customer=customer, schedules=(desk.schedule(credit_type_id="crt_unknown"),)
        )
    assert not (await desk.contract.ListContracts(pb.ListContractsRequest())).contracts


async def test_seats_are_sold_as_subscriptions_and_credits_as_fixed_products(desk: Desk) -> None:
    fixed, seats = desk.sells.included.product_id, desk.sells.team_plan.product_id

    with fault(StatusCode.FAILED_PRECONDITION, "PRODUCT_NOT_SUBSCRIPTION", product_id=fixed):
        await desk.sign(desk.seats(product_id=fixed))
    with fault(StatusCode.FAILED_PRECONDITION, "PRODUCT_NOT_FIXED", product_id=seats):
        await desk.sign(desk.seats(), schedules=(desk.schedule(product_id=seats),))


async def test_the_card_must_price_the_seats_at_their_frequency_from_the_start(
    desk: Desk, shop: Shop
) -> None:
    unpriced = await shop.seats()

    with fault(
        StatusCode.FAILED_PRECONDITION,
        "RATE_NOT_FOUND",
        product_id=unpriced.product_id,
        billing_frequency="ANNUAL",
        rate_card_id=desk.sells.rate_card.rate_card_id,
    ):
        await desk.sign(desk.seats(product_id=unpriced.product_id))
    with fault(StatusCode.FAILED_PRECONDITION, "RATE_NOT_FOUND", at=day(5, 31).isoformat()):
        await desk.sign(desk.seats(), start=day(5, 31))


async def test_without_the_catalog_nothing_is_signed_and_the_same_request_may_be_made_again(
    databases: Databases, desk: Desk, ledger: RecordingLedger
) -> None:
    customer = (await desk.customer()).customer_id
    request = desk.contract_request(customer, desk.seats())

    async with running_contract(databases, ledger_address=ledger.address) as cut_off:
        with away("catalog"):
            await cut_off.stub.CreateContract(request)
        assert not (await cut_off.stub.ListContracts(pb.ListContractsRequest())).contracts
        assert not ledger.told_of(ApplyContractRequest)

        signed = await desk.contract.CreateContract(request)
        # The first answer needs no Catalog.
        assert await cut_off.stub.CreateContract(request) == signed


async def test_without_the_ledger_contracts_are_signed_and_told_later(
    databases: Databases, running: RunningContract, desk: Desk, ledger: RecordingLedger
) -> None:
    ledger.fault = PeerUnavailable(peer="x", details="away")
    signed = await desk.sign(desk.seats(4))
    await desk.add_seats(signed, 1)
    assert not ledger.told
    ledger.fault = None

    await running.app.run_due(JUNE)

    assert [type(one).__name__ for one in ledger.told] == [
        "ApplyCustomerRequest",
        "ApplyContractRequest",
        "ApplySeatChangeRequest",
    ]


async def test_a_repeated_request_gets_the_first_answer(desk: Desk, ledger: RecordingLedger) -> None:
    customer = (await desk.customer()).customer_id
    request = desk.contract_request(customer, desk.seats(4), schedules=(desk.schedule(),))

    first = await desk.contract.CreateContract(request)
    await desk.add_seats(first, 1)

    assert await desk.contract.CreateContract(request) == first
    assert len(ledger.told_of(ApplyContractRequest)) == 1
    request.subscriptions[0].initial_quantity = 5
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id=request.request_id):
        await desk.contract.CreateContract(request)


async def test_contracts_are_listed_by_customer_and_for_all(desk: Desk) -> None:
    acme = await desk.customer("Acme", "acme")
    made = [(await desk.sign(desk.seats(n), customer="acme")).contract for n in range(3)]
    other = (await desk.sign(desk.seats(1))).contract
    contract = desk.contract

    first = await contract.ListContracts(pb.ListContractsRequest(customer="acme", page_size=2))
    rest = await contract.ListContracts(
        pb.ListContractsRequest(customer="acme", page_size=2, page_token=first.next_page_token)
    )
    by_id = await contract.ListContracts(pb.ListContractsRequest(customer=acme.customer_id))
    everyone = await contract.ListContracts(pb.ListContractsRequest())

    assert [*first.contracts, *rest.contracts] == made
    assert rest.next_page_token == ""
    assert list(by_id.contracts) == made
    assert list(everyone.contracts) == [*made, other]
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await contract.ListContracts(pb.ListContractsRequest(customer="nobody"))
    with bad_fields("page_token"):
        await contract.ListContracts(pb.ListContractsRequest(page_token=first.next_page_token))


async def test_an_unknown_contract_is_a_fault(contract: ContractStub) -> None:
    with fault(StatusCode.NOT_FOUND, "CONTRACT_NOT_FOUND", contract_id="con_unknown"):
        await _get(contract, "con_unknown")
    with fault(StatusCode.NOT_FOUND, "CONTRACT_NOT_FOUND", contract_id="con_unknown"):
        await contract.EndContract(_end("con_unknown"))


async def test_a_contract_ends_now_when_no_time_is_named(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4), schedules=(desk.schedule(),))
    running.clock.advance_to(day(7, 3))
    request = _end(signed.contract.contract_id)

    ended = (await desk.contract.EndContract(request)).contract

    assert ended.end_time == timestamp(day(7, 3))
    assert await _get(desk.contract, ended.contract_id) == ended
    told = ledger.told_of(ApplyContractRequest)
    assert [(one.version, one.HasField("end_time")) for one in told] == [(1, False), (2, True)]
    assert told[1].end_time == timestamp(day(7, 3))
    assert len(told[1].grant_schedules) == 1
    assert (await desk.contract.EndContract(request)).contract == ended
    reused = _end("con_other")
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="end"):
        await desk.contract.EndContract(reused)
    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED", contract_id=ended.contract_id):
        await desk.contract.EndContract(_end(ended.contract_id, "again"))
    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED"):
        await desk.add_seats(signed, 1)


async def test_a_contract_does_not_end_in_the_past(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4))
    running.clock.advance_to(day(7, 3))
    request = _end(signed.contract.contract_id)
    request.end_time.CopyFrom(timestamp(day(7, 2)))

    with fault(StatusCode.FAILED_PRECONDITION, "END_BEFORE_NOW", now_time=day(7, 3).isoformat()):
        await desk.contract.EndContract(request)
    request.end_time.CopyFrom(timestamp(day(7, 3)))
    assert (await desk.contract.EndContract(request)).contract.end_time == timestamp(day(7, 3))


async def test_an_end_that_has_not_come_yet_can_be_moved(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY), end=day(7, 15))
    later, sooner = _end(signed.contract.contract_id, "later"), _end(signed.contract.contract_id, "sooner")
    later.end_time.CopyFrom(timestamp(day(12, 1)))
    sooner.end_time.CopyFrom(timestamp(day(8, 15)))

    await desk.contract.EndContract(later)
    await running.advance_to(day(8, 1))
    await desk.contract.EndContract(sooner)
    await running.advance_to(day(12, 1))

    assert len(await desk.invoices(signed)) == 3


@pytest.mark.parametrize(
    ("seats", "schedule", "warns"),
    [
        ({}, {}, False),
        ({"is_prorated": False}, {"prorates_increases": False}, False),
        ({}, {"prorates_increases": False}, True),
        ({}, {"period_proration": pb.PERIOD_PRORATION_LAST}, True),
        ({"is_prorated": False}, {"period_proration": pb.PERIOD_PRORATION_NONE}, True),
    ],
)
async def test_credits_that_are_not_prorated_like_their_money_are_warned_of(
    desk: Desk, seats: dict[str, Any], schedule: dict[str, Any], *, warns: bool
) -> None:
    unlinked = desk.schedule(prorates_increases=False, period_proration=pb.PERIOD_PRORATION_NONE)
    unlinked.ClearField("subscription_index")

    signed = await desk.sign(desk.seats(4, **seats), schedules=(unlinked, desk.schedule(**schedule)))

    told = [(one.warning_type, one.field) for one in signed.warnings]
    kind = pb.CONTRACT_WARNING_TYPE_CREDITS_NOT_PRORATED
    assert told == ([(kind, "grant_schedules[1]")] if warns else [])


async def test_a_contract_that_never_began_is_never_billed(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4), start=day(7, 1))

    ended = (await desk.contract.EndContract(_end(signed.contract.contract_id))).contract
    await running.advance_to(day(8, 1))

    assert ended.end_time == ended.start_time == timestamp(day(7, 1))
    assert await desk.invoices(signed) == []


async def test_free_seats_wait_on_a_draft(desk: Desk, shop: Shop) -> None:
    free = await shop.seats()
    rate = a_rate(free, price_micros=0, frequency=catalog_pb2.BILLING_FREQUENCY_MONTHLY)
    await shop.add(desk.sells.rate_card, rate)

    signed = await desk.sign(desk.seats(4, product_id=free.product_id, frequency=MONTHLY))
    added = await desk.add_seats(signed, 1)

    assert (list(signed.invoices), added.HasField("invoice")) == ([], False)
    [draft] = await desk.invoices(signed)
    assert (draft.status, draft.number, dollars(draft.total)) == (pb.INVOICE_STATUS_DRAFT, "", "0.00")
    assert [line.quantity for line in draft.lines] == [4, 1]


async def test_a_contract_with_an_end_is_not_renewed(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4, frequency=MONTHLY), end=day(8, 1))

    await running.advance_to(day(12, 1))

    assert [dollars(one.total) for one in await desk.invoices(signed)] == ["40.00", "40.00"]
    assert (await _get(desk.contract, signed.contract.contract_id)).subscriptions[0].quantity == 4


async def test_what_waited_for_the_next_collection_date_is_collected_at_the_end(
    desk: Desk, running: RunningContract
) -> None:
    signed = await desk.sign(desk.seats(4, invoicing=NEXT_DATE))
    await running.advance_to(day(7, 3))
    assert not (await desk.add_seats(signed, 1)).HasField("invoice")
    await running.advance_to(day(7, 10))

    await desk.contract.EndContract(_end(signed.contract.contract_id))

    first, last = await desk.invoices(signed)
    assert (dollars(last.total), last.issue_time) == ("1.92", timestamp(day(7, 10)))
    assert dollars(first.total) == "400.00"


async def test_all_bad_fields_are_named_at_once(desk: Desk) -> None:
    contract = desk.contract
    with bad_fields("request_id", "customer", "rate_card_id", "start_time"):
        await contract.CreateContract(pb.CreateContractRequest())
    request = desk.contract_request("acme", desk.seats(-1), start=day(7, 1), end=day(7, 1))
    request.name = "x" * 201
    request.subscriptions[0].billing_frequency = pb.BILLING_FREQUENCY_UNSPECIFIED
    request.subscriptions[0].collection_schedule = 9  # type: ignore[assignment]
    request.subscriptions[0].quantity_management = 9  # type: ignore[assignment]
    request.subscriptions[0].proration.rounding = 9  # type: ignore[assignment]
    request.subscriptions[0].proration.invoicing = 9  # type: ignore[assignment]
    request.grant_schedules.add(
        credit_type_id="USD",
        subscription_index=1,
        priority=1_001,
        commit_duration=121,
        allocation=9,  # type: ignore[arg-type]
        period_proration=9,  # type: ignore[arg-type]
        scope_product_ids=["prd_1", "prd_1", ""],
    )
    with bad_fields(
        "name",
        "end_time",
        "subscriptions[0].initial_quantity",
        "subscriptions[0].billing_frequency",
        "subscriptions[0].collection_schedule",
        "subscriptions[0].quantity_management",
        "subscriptions[0].proration.rounding",
        "subscriptions[0].proration.invoicing",
        "grant_schedules[0].product_id",
        "grant_schedules[0].credit_type_id",
        "grant_schedules[0].unit_amount_micros",
        "grant_schedules[0].frequency",
        "grant_schedules[0].subscription_index",
        "grant_schedules[0].priority",
        "grant_schedules[0].commit_duration",
        "grant_schedules[0].allocation",
        "grant_schedules[0].period_proration",
        "grant_schedules[0].scope_product_ids[1]",
        "grant_schedules[0].scope_product_ids[2]",
    ):
        await contract.CreateContract(request)
    many = desk.contract_request("acme", *[desk.seats()] * 21, schedules=(desk.schedule(),) * 21)
    with bad_fields("subscriptions", "grant_schedules"):
        await contract.CreateContract(many)
    with bad_fields("contract_id"):
        await _get(contract, "")
    with bad_fields("request_id", "contract_id"):
        await contract.EndContract(_end("", ""))
    with bad_fields("page_size", "customer"):
        await contract.ListContracts(pb.ListContractsRequest(customer="x" * 201, page_size=-1))


@pytest.mark.parametrize("field", ["start_time", "end_time"])
async def test_times_past_the_year_9000_are_refused(desk: Desk, field: str) -> None:
    request = desk.contract_request("acme", desk.seats())
    getattr(request, field).CopyFrom(timestamp(day(1, 1, 9000)))

    with bad_fields(field):
        await desk.contract.CreateContract(request)


async def test_seats_that_no_invoice_can_hold_are_refused(desk: Desk, shop: Shop) -> None:
    dear = await shop.seats()
    await shop.add(
        desk.sells.rate_card,
        a_rate(dear, price_micros=9 * 10**18, frequency=catalog_pb2.BILLING_FREQUENCY_ANNUAL),
    )

    with bad_fields("subscriptions[0].initial_quantity"):
        await desk.sign(desk.seats(2, product_id=dear.product_id))
    with bad_fields("subscriptions"):
        await desk.sign(*[desk.seats(1, product_id=dear.product_id)] * 2)
