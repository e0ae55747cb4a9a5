# SPDX-License-Identifier: Apache-2.0
"""OrderTopUp, ResolveTopUpPayment, GetTopUp, ListTopUps."""

import asyncio
from datetime import timedelta

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from meshkit.rpc.fields import timestamp
from meshkit.rpc.status import PeerUnavailable
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1.ledger_peer_pb2 import IssueTopUpGrantRequest
from purser.type.v1 import money_pb2
from services.ledger.domain.errors import GrantAlreadyExists, SourceIdReused
from tests.support.catalog import JUNE
from tests.support.contract import ContractStub, Desk, RunningContract, away, day, dollars, running_contract
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases

NONE, EXTERNAL = pb.PAYMENT_GATE_NONE, pb.PAYMENT_GATE_EXTERNAL
PAID, FAILED = pb.PAYMENT_OUTCOME_PAID, pb.PAYMENT_OUTCOME_FAILED
DECLINED, REFUNDED = pb.PAYMENT_OUTCOME_DECLINED, pb.PAYMENT_OUTCOME_REFUNDED
PENDING = pb.TOP_UP_STATUS_PENDING_PAYMENT


def _pack(
    desk: Desk, signed: pb.CreateContractResponse, gate: pb.PaymentGate = EXTERNAL
) -> pb.OrderTopUpRequest:
    return pb.OrderTopUpRequest(
        request_id=desk.request_id(),
        contract_id=signed.contract.contract_id,
        top_up_pack_id=desk.sells.pack.top_up_pack_id,
        payment_gate=gate,
    )


def _terms(
    desk: Desk, signed: pb.CreateContractResponse, gate: pb.PaymentGate = NONE
) -> pb.OrderTopUpRequest:
    """500 credits for $45, for ever."""
    return pb.OrderTopUpRequest(
        request_id=desk.request_id(),
        contract_id=signed.contract.contract_id,
        terms=pb.TopUpTerms(
            product_id=desk.sells.included.product_id,
            credit_type_id=desk.sells.credits.credit_type_id,
            amount_micros=500_000_000,
            price=money_pb2.Money(currency_code="USD", micros=45_000_000),
        ),
        payment_gate=gate,
    )


def _resolve(
    desk: Desk, top_up: pb.TopUp, outcome: pb.PaymentOutcome = PAID
) -> pb.ResolveTopUpPaymentRequest:
    return pb.ResolveTopUpPaymentRequest(
        request_id=desk.request_id(),
        top_up_id=top_up.top_up_id,
        outcome=outcome,
        payment_reference="pi_42",
    )


def _declined(desk: Desk, top_up: pb.TopUp) -> pb.ResolveTopUpPaymentRequest:
    request = _resolve(desk, top_up, DECLINED)
    request.error_code, request.error_message = "card_declined", "Your card was declined."
    return request


def _cancel(desk: Desk, top_up: pb.TopUp) -> pb.CancelTopUpRequest:
    return pb.CancelTopUpRequest(request_id=desk.request_id(), top_up_id=top_up.top_up_id)


async def _get(contract: ContractStub, top_up_id: str) -> pb.TopUp:
    return (await contract.GetTopUp(pb.GetTopUpRequest(top_up_id=top_up_id))).top_up


async def test_a_gated_pack_waits_for_its_payment(desk: Desk, ledger: RecordingLedger) -> None:
    signed = await desk.sign(desk.seats(4))

    ordered = await desk.contract.OrderTopUp(_pack(desk, signed))

    top_up, invoice = ordered.top_up, ordered.invoice
    assert top_up.top_up_id.startswith("top_")
    assert (top_up.status, invoice.status) == (pb.TOP_UP_STATUS_PENDING_PAYMENT, pb.INVOICE_STATUS_DRAFT)
    assert (top_up.contract_id, top_up.customer_id) == (
        signed.contract.contract_id,
        signed.contract.customer_id,
    )
    assert (top_up.top_up_pack_id, top_up.invoice_id) == (desk.sells.pack.top_up_pack_id, invoice.invoice_id)
    assert (top_up.terms.amount_micros, dollars(top_up.terms.price)) == (1_000_000_000, "80.00")
    assert (top_up.terms.priority, top_up.terms.lifetime.seconds) == (100, 365 * 86_400)
    assert (top_up.create_time, top_up.HasField("resolve_time")) == (timestamp(JUNE), False)
    [line] = invoice.lines
    assert (line.kind, line.quantity, dollars(line.total)) == (pb.INVOICE_LINE_KIND_TOP_UP, 1, "80.00")
    assert line.description == "AI credits: 1,000 credits"
    assert not line.HasField("period")
    assert not invoice.HasField("finalize_time")
    assert not ledger.told_of(IssueTopUpGrantRequest)
    assert await _get(desk.contract, top_up.top_up_id) == top_up


async def test_a_paid_pack_is_granted_from_the_moment_it_is_paid(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4))
    order = _pack(desk, signed)
    order.payment_window.FromTimedelta(timedelta(days=60))
    ordered = await desk.contract.OrderTopUp(order)
    running.clock.advance_to(day(7, 3))

    resolved = await desk.contract.ResolveTopUpPayment(_resolve(desk, ordered.top_up))

    top_up, invoice = resolved.top_up, resolved.invoice
    assert (top_up.status, invoice.status) == (pb.TOP_UP_STATUS_PAID, pb.INVOICE_STATUS_PAID)
    assert (top_up.payment_reference, top_up.resolve_time) == ("pi_42", timestamp(day(7, 3)))
    assert (invoice.issue_time, invoice.finalize_time) == (timestamp(JUNE), timestamp(day(7, 3)))
    [grant] = ledger.told_of(IssueTopUpGrantRequest)
    assert (grant.customer_id, grant.top_up_id) == (signed.contract.customer_id, top_up.top_up_id)
    assert grant.priority == 100
    assert (grant.amount_micros, grant.cost_basis_micros) == (1_000_000_000, 80_000_000)
    assert (grant.product_id, grant.credit_type_id) == (
        desk.sells.included.product_id,
        desk.sells.credits.credit_type_id,
    )
    assert (grant.effective_time, grant.expire_time) == (
        timestamp(day(7, 3)),
        timestamp(day(7, 3) + timedelta(days=365)),
    )


async def test_a_failed_payment_voids_the_invoice_and_grants_nothing(
    desk: Desk, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4))
    ordered = await desk.contract.OrderTopUp(_pack(desk, signed))

    resolved = await desk.contract.ResolveTopUpPayment(_resolve(desk, ordered.top_up, FAILED))

    assert (resolved.top_up.status, resolved.invoice.status) == (
        pb.TOP_UP_STATUS_FAILED,
        pb.INVOICE_STATUS_VOID,
    )
    assert not ledger.told_of(IssueTopUpGrantRequest)


async def test_without_a_gate_explicit_terms_are_granted_at_once(desk: Desk, ledger: RecordingLedger) -> None:
    signed = await desk.sign(desk.seats(4))

    ordered = await desk.contract.OrderTopUp(_terms(desk, signed))

    assert (ordered.top_up.status, ordered.invoice.status) == (
        pb.TOP_UP_STATUS_PAID,
        pb.INVOICE_STATUS_OPEN,
    )
    assert (ordered.top_up.top_up_pack_id, ordered.top_up.terms.priority) == ("", 100)
    assert ordered.top_up.resolve_time == timestamp(JUNE)
    [grant] = ledger.told_of(IssueTopUpGrantRequest)
    assert (grant.amount_micros, grant.cost_basis_micros) == (500_000_000, 45_000_000)
    assert not grant.HasField("expire_time")


@pytest.mark.parametrize("outcome", [PAID, FAILED])
async def test_the_same_outcome_told_often_counts_once(
    desk: Desk, ledger: RecordingLedger, outcome: pb.PaymentOutcome
) -> None:
    signed = await desk.sign(desk.seats(4))
    top_up = (await desk.contract.OrderTopUp(_pack(desk, signed))).top_up

    first = await desk.contract.ResolveTopUpPayment(_resolve(desk, top_up, outcome))
    again = [await desk.contract.ResolveTopUpPayment(_resolve(desk, top_up, outcome)) for _ in range(3)]

    assert again == [first] * 3
    assert await _get(desk.contract, top_up.top_up_id) == first.top_up
    assert len(ledger.told_of(IssueTopUpGrantRequest)) == (1 if outcome == PAID else 0)


async def test_what_was_paid_cannot_fail(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    top_up = (await desk.contract.OrderTopUp(_pack(desk, signed))).top_up
    paid = await desk.contract.ResolveTopUpPayment(_resolve(desk, top_up))

    with fault(
        StatusCode.FAILED_PRECONDITION,
        "TOP_UP_ALREADY_RESOLVED",
        top_up_id=top_up.top_up_id,
        status="PAID",
        outcome="FAILED",
    ):
        await desk.contract.ResolveTopUpPayment(_resolve(desk, top_up, FAILED))
    with fault(StatusCode.FAILED_PRECONDITION, "TOP_UP_ALREADY_RESOLVED", outcome="CANCELLED"):
        await desk.contract.CancelTopUp(_cancel(desk, top_up))
    with fault(StatusCode.FAILED_PRECONDITION, "TOP_UP_ALREADY_RESOLVED", outcome="REFUNDED"):
        await desk.contract.ResolveTopUpPayment(_resolve(desk, top_up, REFUNDED))
    assert (await desk.contract.ResolveTopUpPayment(_declined(desk, top_up))).top_up == paid.top_up


async def test_a_declined_card_does_not_end_a_top_up(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4))
    top_up = (await desk.contract.OrderTopUp(_pack(desk, signed))).top_up
    running.clock.advance(timedelta(minutes=1))

    declined = await desk.contract.ResolveTopUpPayment(_declined(desk, top_up))
    error = declined.top_up.last_payment_error
    assert (declined.top_up.status, declined.invoice.status) == (PENDING, pb.INVOICE_STATUS_DRAFT)
    assert (error.code, error.message) == ("card_declined", "Your card was declined.")
    assert error.create_time == timestamp(JUNE + timedelta(minutes=1))
    assert not declined.top_up.HasField("resolve_time")
    running.clock.advance(timedelta(minutes=1))
    paid = await desk.contract.ResolveTopUpPayment(_resolve(desk, top_up))

    assert (paid.top_up.status, paid.invoice.status) == (pb.TOP_UP_STATUS_PAID, pb.INVOICE_STATUS_PAID)
    assert paid.top_up.last_payment_error == error
    assert len(ledger.told_of(IssueTopUpGrantRequest)) == 1


async def test_an_order_that_is_not_paid_in_time_expires(desk: Desk, running: RunningContract) -> None:
    signed = await desk.sign(desk.seats(4))
    ordered = await desk.contract.OrderTopUp(_pack(desk, signed))
    patient = _pack(desk, signed)
    patient.payment_window.FromTimedelta(timedelta(days=2))
    waiting = (await desk.contract.OrderTopUp(patient)).top_up
    assert ordered.top_up.expire_time == timestamp(JUNE + timedelta(hours=24))

    await running.advance_to(JUNE + timedelta(hours=24) - timedelta(microseconds=1))
    assert await _get(desk.contract, ordered.top_up.top_up_id) == ordered.top_up
    await running.advance_to(JUNE + timedelta(hours=24))

    expired = await _get(desk.contract, ordered.top_up.top_up_id)
    [invoice] = [one for one in await desk.invoices(signed) if one.invoice_id == ordered.invoice.invoice_id]
    assert (expired.status, expired.resolve_time) == (pb.TOP_UP_STATUS_EXPIRED, ordered.top_up.expire_time)
    assert (invoice.status, invoice.void_reason) == (
        pb.INVOICE_STATUS_VOID,
        "the top-up was not paid in time",
    )
    assert (await _get(desk.contract, waiting.top_up_id)).status == PENDING


async def test_the_clock_decides_also_before_the_due_work_has_run(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4))
    early, late = [(await desk.contract.OrderTopUp(_pack(desk, signed))).top_up for _ in range(2)]
    running.clock.advance_to(JUNE + timedelta(hours=24) - timedelta(microseconds=1))
    in_time = await desk.contract.ResolveTopUpPayment(_resolve(desk, early))
    running.clock.advance_to(JUNE + timedelta(hours=24))

    too_late = await desk.contract.ResolveTopUpPayment(_resolve(desk, late))

    assert in_time.top_up.status == pb.TOP_UP_STATUS_PAID
    assert (too_late.top_up.status, too_late.invoice.status) == (
        pb.TOP_UP_STATUS_REFUND_DUE,
        pb.INVOICE_STATUS_VOID,
    )
    assert [one.top_up_id for one in ledger.told_of(IssueTopUpGrantRequest)] == [early.top_up_id]


async def test_a_payment_of_a_top_up_that_has_ended_is_owed_back_until_it_is_returned(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4))
    failed, dropped, late = [(await desk.contract.OrderTopUp(_pack(desk, signed))).top_up for _ in range(3)]
    await desk.contract.ResolveTopUpPayment(_resolve(desk, failed, FAILED))
    cancelled = await desk.contract.CancelTopUp(_cancel(desk, dropped))
    assert (cancelled.top_up.status, cancelled.invoice.status) == (
        pb.TOP_UP_STATUS_CANCELLED,
        pb.INVOICE_STATUS_VOID,
    )
    assert await desk.contract.CancelTopUp(_cancel(desk, dropped)) == cancelled
    await running.advance_to(JUNE + timedelta(hours=24))

    for top_up in (failed, dropped, late):
        owed = await desk.contract.ResolveTopUpPayment(_resolve(desk, top_up))
        assert (owed.top_up.status, owed.invoice.status) == (
            pb.TOP_UP_STATUS_REFUND_DUE,
            pb.INVOICE_STATUS_VOID,
        )
        assert owed.top_up.payment_reference == "pi_42"
        returned = await desk.contract.ResolveTopUpPayment(_resolve(desk, top_up, REFUNDED))
        assert returned.top_up.status == pb.TOP_UP_STATUS_REFUNDED
        assert await desk.contract.ResolveTopUpPayment(_resolve(desk, top_up, REFUNDED)) == returned
        assert await desk.contract.ResolveTopUpPayment(_resolve(desk, top_up)) == returned
    assert not ledger.told_of(IssueTopUpGrantRequest)


async def test_only_what_is_owed_can_be_returned(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    top_up = (await desk.contract.OrderTopUp(_pack(desk, signed))).top_up

    with fault(StatusCode.FAILED_PRECONDITION, "TOP_UP_ALREADY_RESOLVED", status="PENDING_PAYMENT"):
        await desk.contract.ResolveTopUpPayment(_resolve(desk, top_up, REFUNDED))


async def test_an_ungated_top_up_is_paid_already(desk: Desk, ledger: RecordingLedger) -> None:
    signed = await desk.sign(desk.seats(4))
    top_up = (await desk.contract.OrderTopUp(_pack(desk, signed, NONE))).top_up

    assert (await desk.contract.ResolveTopUpPayment(_resolve(desk, top_up))).top_up == top_up
    with fault(StatusCode.FAILED_PRECONDITION, "TOP_UP_ALREADY_RESOLVED", status="PAID"):
        await desk.contract.ResolveTopUpPayment(_resolve(desk, top_up, FAILED))
    assert len(ledger.told_of(IssueTopUpGrantRequest)) == 1


async def test_of_rival_outcomes_told_at_once_one_wins(desk: Desk, ledger: RecordingLedger) -> None:
    signed = await desk.sign(desk.seats(4))
    top_up = (await desk.contract.OrderTopUp(_pack(desk, signed))).top_up

    answers = await asyncio.gather(
        *(
            desk.contract.ResolveTopUpPayment(_resolve(desk, top_up, PAID if n % 2 else FAILED))
            for n in range(12)
        ),
        return_exceptions=True,
    )

    told = [one.top_up.status for one in answers if not isinstance(one, BaseException)]
    refused = [one for one in answers if isinstance(one, AioRpcError)]
    is_paid = pb.TOP_UP_STATUS_PAID in told
    # Once it has failed, the payments are owed back.
    assert set(told) <= (
        {pb.TOP_UP_STATUS_PAID} if is_paid else {pb.TOP_UP_STATUS_FAILED, pb.TOP_UP_STATUS_REFUND_DUE}
    )
    assert len(refused) == (6 if is_paid else 0)
    assert len(ledger.told_of(IssueTopUpGrantRequest)) == (1 if is_paid else 0)


async def test_a_payment_told_while_the_ledger_is_away_is_granted_later(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4))
    top_up = (await desk.contract.OrderTopUp(_pack(desk, signed))).top_up
    ledger.fault = PeerUnavailable(peer="x", details="away")

    paid = await desk.contract.ResolveTopUpPayment(_resolve(desk, top_up))
    assert paid.top_up.status == pb.TOP_UP_STATUS_PAID
    assert not ledger.told_of(IssueTopUpGrantRequest)
    ledger.fault = None
    await running.app.run_due(JUNE)

    [grant] = await ledger.until_told(IssueTopUpGrantRequest)
    assert grant.top_up_id == top_up.top_up_id


async def test_a_grant_that_is_there_already_is_all_the_notice_wanted(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4))
    ledger.fault = GrantAlreadyExists(source_id="top_1", grant_id="grt_1")

    await desk.contract.OrderTopUp(_pack(desk, signed, NONE))
    ledger.fault = None
    await running.app.run_due(JUNE)

    assert len(ledger.refused) == 1
    assert not ledger.told_of(IssueTopUpGrantRequest)


async def test_a_grant_of_other_terms_is_not_what_the_notice_wanted(
    desk: Desk, running: RunningContract, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4))
    ledger.fault = SourceIdReused(source_id="top_1", grant_id="grt_1", terms=["amount_micros"])

    top_up = (await desk.contract.OrderTopUp(_pack(desk, signed, NONE))).top_up
    assert not ledger.told_of(IssueTopUpGrantRequest)
    ledger.fault = None
    await running.app.run_due(JUNE)

    assert [one.top_up_id for one in ledger.told_of(IssueTopUpGrantRequest)] == [top_up.top_up_id]


@pytest.mark.parametrize("micros", [0, 4_999])
async def test_nobody_gets_free_credits_by_naming_the_price(
    desk: Desk, ledger: RecordingLedger, micros: int
) -> None:
    signed = await desk.sign(desk.seats(4))
    for gate in (NONE, EXTERNAL):
        order = _terms(desk, signed, gate)
        order.terms.price.micros = micros

        with bad_fields("terms.price"):
            await desk.contract.OrderTopUp(order)

    assert not ledger.told_of(IssueTopUpGrantRequest)


async def test_the_lowest_price_to_name_is_half_a_cent(desk: Desk) -> None:
    order = _terms(desk, await desk.sign(desk.seats(4)))
    order.terms.price.micros = 5_000

    assert dollars((await desk.contract.OrderTopUp(order)).invoice.total) == "0.01"


async def test_a_repeated_order_gets_the_first_answer(desk: Desk, ledger: RecordingLedger) -> None:
    signed = await desk.sign(desk.seats(4))
    order = _pack(desk, signed)

    first = await desk.contract.OrderTopUp(order)
    resolve = _resolve(desk, first.top_up)
    resolved = await desk.contract.ResolveTopUpPayment(resolve)

    assert await desk.contract.OrderTopUp(order) == first
    assert await desk.contract.ResolveTopUpPayment(resolve) == resolved
    assert len(ledger.told_of(IssueTopUpGrantRequest)) == 1
    order.payment_gate = NONE
    resolve.outcome = FAILED
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await desk.contract.OrderTopUp(order)
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await desk.contract.ResolveTopUpPayment(resolve)


async def test_twins_of_one_order_buy_once(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    order = _pack(desk, signed, NONE)

    twins = await asyncio.gather(*(desk.contract.OrderTopUp(order) for _ in range(6)))

    assert len({twin.top_up.top_up_id for twin in twins}) == 1


async def test_what_an_order_refers_to_must_be_known(desk: Desk) -> None:
    signed = await desk.sign(desk.seats(4))
    contract, pack, product, credit, seats = (
        desk.contract,
        _pack(desk, signed),
        _terms(desk, signed),
        _terms(desk, signed),
        _terms(desk, signed),
    )
    unknown = _pack(desk, signed)
    unknown.contract_id = "con_unknown"
    pack.top_up_pack_id = "pck_unknown"
    product.terms.product_id = "prd_unknown"
    credit.terms.credit_type_id = "crt_unknown"
    seats.terms.product_id = desk.sells.team_plan.product_id

    with fault(StatusCode.NOT_FOUND, "CONTRACT_NOT_FOUND", contract_id="con_unknown"):
        await contract.OrderTopUp(unknown)
    with fault(StatusCode.NOT_FOUND, "TOP_UP_PACK_NOT_FOUND", top_up_pack_id="pck_unknown"):
        await contract.OrderTopUp(pack)
    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_unknown"):
        await contract.OrderTopUp(product)
    with fault(StatusCode.NOT_FOUND, "CREDIT_TYPE_NOT_FOUND", credit_type_id="crt_unknown"):
        await contract.OrderTopUp(credit)
    with fault(StatusCode.FAILED_PRECONDITION, "PRODUCT_NOT_FIXED"):
        await contract.OrderTopUp(seats)
    with fault(StatusCode.NOT_FOUND, "TOP_UP_NOT_FOUND", top_up_id="top_unknown"):
        await contract.ResolveTopUpPayment(_resolve(desk, pb.TopUp(top_up_id="top_unknown")))
    with fault(StatusCode.NOT_FOUND, "TOP_UP_NOT_FOUND", top_up_id="top_unknown"):
        await _get(contract, "top_unknown")
    with fault(StatusCode.NOT_FOUND, "CONTRACT_NOT_FOUND", contract_id="con_unknown"):
        await contract.ListTopUps(pb.ListTopUpsRequest(contract_id="con_unknown"))


async def test_a_contract_sells_top_ups_while_it_is_in_force(desk: Desk, running: RunningContract) -> None:
    later, ending = await desk.sign(start=day(7, 1)), await desk.sign(end=day(7, 1))
    patient = _pack(desk, ending)
    patient.payment_window.FromTimedelta(timedelta(days=60))
    pending = (await desk.contract.OrderTopUp(patient)).top_up

    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_NOT_STARTED", start_time=day(7, 1).isoformat()):
        await desk.contract.OrderTopUp(_pack(desk, later))
    running.clock.advance_to(day(7, 1))
    assert (await desk.contract.OrderTopUp(_pack(desk, later))).top_up.top_up_id
    with fault(StatusCode.FAILED_PRECONDITION, "CONTRACT_ENDED", end_time=day(7, 1).isoformat()):
        await desk.contract.OrderTopUp(_pack(desk, ending))
    # Whoever has paid gets the credits, also when the contract has ended meanwhile.
    paid = await desk.contract.ResolveTopUpPayment(_resolve(desk, pending))
    assert paid.top_up.status == pb.TOP_UP_STATUS_PAID


async def test_without_the_catalog_nothing_is_ordered(
    databases: Databases, desk: Desk, ledger: RecordingLedger
) -> None:
    signed = await desk.sign(desk.seats(4))
    listing = pb.ListTopUpsRequest(contract_id=signed.contract.contract_id)

    async with running_contract(databases, ledger_address=ledger.address) as cut_off:
        for order in (_pack(desk, signed), _terms(desk, signed)):
            with away("catalog"):
                await cut_off.stub.OrderTopUp(order)
        assert not (await cut_off.stub.ListTopUps(listing)).top_ups
        order = _pack(desk, signed)
        ordered = await desk.contract.OrderTopUp(order)
        assert await cut_off.stub.OrderTopUp(order) == ordered
        # Payments need no Catalog.
        assert (await cut_off.stub.ResolveTopUpPayment(_resolve(desk, ordered.top_up))).top_up.resolve_time


async def test_top_ups_are_listed_in_the_order_they_were_made(desk: Desk) -> None:
    signed, other = await desk.sign(desk.seats(4)), await desk.sign(desk.seats(4))
    made = [(await desk.contract.OrderTopUp(_terms(desk, signed))).top_up for _ in range(3)]
    await desk.contract.OrderTopUp(_terms(desk, other))
    request = pb.ListTopUpsRequest(contract_id=signed.contract.contract_id, page_size=2)

    first = await desk.contract.ListTopUps(request)
    request.page_token = first.next_page_token
    rest = await desk.contract.ListTopUps(request)

    assert [*first.top_ups, *rest.top_ups] == made
    assert rest.next_page_token == ""
    request.contract_id = other.contract.contract_id
    with bad_fields("page_token"):
        await desk.contract.ListTopUps(request)


async def test_all_bad_fields_are_named_at_once(contract: ContractStub) -> None:
    with bad_fields("request_id", "contract_id", "what", "payment_gate"):
        await contract.OrderTopUp(pb.OrderTopUpRequest())
    order = pb.OrderTopUpRequest(
        request_id="r1",
        contract_id="con_1",
        terms=pb.TopUpTerms(
            credit_type_id="USD",
            price=money_pb2.Money(currency_code="XAU", micros=-1),
            priority=1_001,
        ),
        payment_gate=NONE,
    )
    order.terms.lifetime.FromSeconds(0)
    with bad_fields(
        "terms.product_id",
        "terms.credit_type_id",
        "terms.amount_micros",
        "terms.price.currency_code",
        "terms.price.micros",
        "terms.priority",
        "terms.lifetime",
    ):
        await contract.OrderTopUp(order)
    order.terms.ClearField("price")
    order.terms.amount_micros = 10**15 + 1
    with bad_fields(
        "terms.product_id",
        "terms.credit_type_id",
        "terms.amount_micros",
        "terms.price",
        "terms.priority",
        "terms.lifetime",
    ):
        await contract.OrderTopUp(order)
    with bad_fields("request_id", "top_up_id", "outcome", "payment_reference"):
        await contract.ResolveTopUpPayment(pb.ResolveTopUpPaymentRequest(payment_reference="x" * 201))
    with bad_fields("request_id", "top_up_id"):
        await contract.CancelTopUp(pb.CancelTopUpRequest())
    for window in (timedelta(seconds=59), timedelta(days=90, microseconds=1)):
        pack = pb.OrderTopUpRequest(
            request_id="r1", contract_id="con_1", top_up_pack_id="pck_1", payment_gate=EXTERNAL
        )
        pack.payment_window.FromTimedelta(window)
        with bad_fields("payment_window"):
            await contract.OrderTopUp(pack)
    with bad_fields("top_up_id"):
        await _get(contract, "")
    with bad_fields("contract_id", "page_size"):
        await contract.ListTopUps(pb.ListTopUpsRequest(page_size=-1))
