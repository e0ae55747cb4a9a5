# SPDX-License-Identifier: Apache-2.0
"""Events for the vendor: each cause publishes its events once, and an Alert that is away delays nothing."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1.ledger_peer_pb2 import (
    IssueTopUpGrantRequest,
    RefundGrantRequest,
    RefundGrantResponse,
)
from services.contract.domain.top_up import PAYMENT_WINDOW_DEFAULT
from tests.support.catalog import JUNE, RunningCatalog
from tests.support.contract import Desk, RunningContract, running_contract
from tests.support.faults import fault
from tests.support.invoices import credit, external_top_up, payment, void
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert

PAID, FAILED = pb.PAYMENT_OUTCOME_PAID, pb.PAYMENT_OUTCOME_FAILED
DECLINED, REFUNDED = pb.PAYMENT_OUTCOME_DECLINED, pb.PAYMENT_OUTCOME_REFUNDED
SECOND = timedelta(seconds=1)


@pytest.fixture
async def alert() -> AsyncIterator[RecordingAlert]:
    async with RecordingAlert() as recording:
        yield recording


@pytest.fixture
async def running(
    databases: Databases,
    running_catalog_service: RunningCatalog,
    ledger: RecordingLedger,
    alert: RecordingAlert,
) -> AsyncIterator[RunningContract]:
    async with running_contract(
        databases,
        catalog_address=running_catalog_service.address,
        ledger_address=ledger.address,
        alert_address=alert.address,
    ) as service:
        yield service


class Heard:
    """What Alert has heard since it was last asked."""

    def __init__(self, running: RunningContract, alert: RecordingAlert) -> None:
        self._running = running
        self._alert = alert

    async def types(self) -> list[str]:
        await self._running.app.run_due(self._running.clock.now())
        heard = [event.event_type for event in self._alert.events]
        del self._alert.events[:]
        return heard


@pytest.fixture
def heard(running: RunningContract, alert: RecordingAlert) -> Heard:
    return Heard(running, alert)


def _report(desk: Desk, top_up: pb.TopUp, outcome: pb.PaymentOutcome) -> pb.ResolveTopUpPaymentRequest:
    request = pb.ResolveTopUpPaymentRequest(
        request_id=desk.request_id(), top_up_id=top_up.top_up_id, outcome=outcome, payment_reference="pi_42"
    )
    if outcome == DECLINED:
        request.error_code, request.error_message = "card_declined", "Your card was declined."
    return request


async def _ordered(desk: Desk, heard: Heard) -> pb.TopUp:
    signed = await desk.sign(desk.seats(4))
    top_up = (await desk.contract.OrderTopUp(external_top_up(desk, signed))).top_up
    assert await heard.types() == ["invoice.finalized"]  # of the seats
    return top_up


async def test_each_outcome_of_a_payment_publishes_one_event_and_a_repeated_one_none(
    desk: Desk, running: RunningContract, heard: Heard
) -> None:
    top_up = await _ordered(desk, heard)

    declined = _report(desk, top_up, DECLINED)
    await desk.contract.ResolveTopUpPayment(declined)
    assert await heard.types() == ["top_up.declined"]
    await desk.contract.ResolveTopUpPayment(declined)
    assert await heard.types() == []
    running.clock.advance_to(JUNE + SECOND)
    await desk.contract.ResolveTopUpPayment(_report(desk, top_up, DECLINED))
    assert await heard.types() == ["top_up.declined"]

    await desk.contract.ResolveTopUpPayment(_report(desk, top_up, PAID))
    assert await heard.types() == ["top_up.paid", "invoice.finalized", "invoice.paid"]
    for late in (PAID, DECLINED):
        await desk.contract.ResolveTopUpPayment(_report(desk, top_up, late))
    with fault(StatusCode.FAILED_PRECONDITION, "TOP_UP_ALREADY_RESOLVED"):
        await desk.contract.ResolveTopUpPayment(_report(desk, top_up, FAILED))
    assert await heard.types() == []


async def test_a_payment_that_comes_too_late_is_owed_back_and_returned(
    desk: Desk, running: RunningContract, heard: Heard
) -> None:
    top_up = await _ordered(desk, heard)

    await running.advance_to(JUNE + PAYMENT_WINDOW_DEFAULT - SECOND)
    assert await heard.types() == []
    await running.advance_to(JUNE + PAYMENT_WINDOW_DEFAULT)
    assert await heard.types() == ["top_up.expired"]
    for outcome, event_type in ((PAID, "top_up.refund_due"), (REFUNDED, "top_up.refunded")):
        for _ in range(2):
            await desk.contract.ResolveTopUpPayment(_report(desk, top_up, outcome))
        assert await heard.types() == [event_type]


async def test_a_top_up_that_ends_otherwise_publishes_how(desk: Desk, heard: Heard) -> None:
    failing, cancelled = await _ordered(desk, heard), await _ordered(desk, heard)

    await desk.contract.ResolveTopUpPayment(_report(desk, failing, FAILED))
    assert await heard.types() == ["top_up.failed"]
    for _ in range(2):
        await desk.contract.CancelTopUp(
            pb.CancelTopUpRequest(request_id=desk.request_id(), top_up_id=cancelled.top_up_id)
        )
    assert await heard.types() == ["top_up.cancelled"]


async def test_an_order_without_a_gate_publishes_its_payment_at_once(desk: Desk, heard: Heard) -> None:
    signed = await desk.sign(desk.seats(4))
    order = external_top_up(desk, signed)
    order.payment_gate = pb.PAYMENT_GATE_NONE
    assert await heard.types() == ["invoice.finalized"]

    for _ in range(2):
        await desk.contract.OrderTopUp(order)

    assert await heard.types() == ["top_up.paid", "invoice.finalized"]  # the invoice is open


def _voided(micros: int) -> Callable[[RefundGrantRequest], RefundGrantResponse]:
    """Answer a refund: of 1,000 credits so many were voided, and the rest was spent."""

    def answer(_: RefundGrantRequest) -> RefundGrantResponse:
        return RefundGrantResponse(
            granted_micros=1_000_000_000,
            voided_micros=micros,
            spent_micros=1_000_000_000 - micros,
            apply_time=timestamp(JUNE),
        )

    return answer


def _refund(desk: Desk, top_up: pb.TopUp) -> pb.RefundTopUpRequest:
    return pb.RefundTopUpRequest(
        request_id=desk.request_id(), top_up_id=top_up.top_up_id, reason="by mistake"
    )


async def test_a_refund_of_credits_is_published_when_its_money_was_returned(
    desk: Desk, ledger: RecordingLedger, heard: Heard, alert: RecordingAlert
) -> None:
    top_up = await _ordered(desk, heard)
    await desk.contract.ResolveTopUpPayment(_report(desk, top_up, PAID))
    await heard.types()
    ledger.answers["RefundGrant"] = _voided(500_000_000)

    refund = (await desk.contract.RefundTopUp(_refund(desk, top_up))).refund
    assert await heard.types() == []
    await desk.contract.ResolveTopUpPayment(_report(desk, top_up, REFUNDED))
    [event] = await alert.until_published(1)
    data = json.loads(event.data_json)
    assert (event.event_type, data["status"]) == ("top_up.refunded", "PAID")
    assert data["refund"] == {
        "refund_id": refund.refund_id,
        "amount": {"currency_code": "USD", "micros": 40_000_000},
        "cause": "REQUEST",
        "status": "RETURNED",
        "owed_micros": 0,
    }
    assert await heard.types() == ["top_up.refunded"]

    await desk.contract.ResolveTopUpPayment(_report(desk, top_up, REFUNDED))
    await desk.contract.RefundTopUp(_refund(desk, top_up))  # nothing is left
    assert await heard.types() == []


async def test_a_refund_that_an_open_invoice_keeps_is_published_at_once(
    desk: Desk, ledger: RecordingLedger, heard: Heard
) -> None:
    signed = await desk.sign(desk.seats(4))
    order = external_top_up(desk, signed)
    order.payment_gate = pb.PAYMENT_GATE_NONE
    top_up = (await desk.contract.OrderTopUp(order)).top_up
    await heard.types()
    ledger.answers["RefundGrant"] = _voided(1_000_000_000)

    await desk.contract.RefundTopUp(_refund(desk, top_up))

    assert await heard.types() == ["invoice.paid", "top_up.refunded"]


async def test_an_invoice_publishes_that_it_is_issued_and_that_nothing_of_it_is_due(
    desk: Desk, heard: Heard
) -> None:
    [invoice] = await desk.invoices(await desk.sign(desk.seats(4)))
    [credited] = await desk.invoices(await desk.sign(desk.seats(4)))
    [voided] = await desk.invoices(await desk.sign(desk.seats(4)))
    assert await heard.types() == ["invoice.finalized"] * 3

    cancelling = void(desk, voided)
    await desk.contract.RecordInvoicePayment(payment(desk, invoice, 399_99, "a"))
    await desk.contract.CreateCreditNote(credit(desk, credited, 399_99))
    assert await heard.types() == []
    for _ in range(2):
        await desk.contract.VoidInvoice(cancelling)
    assert await heard.types() == ["invoice.voided"]

    rest = payment(desk, invoice, 1, "b")
    for _ in range(2):
        await desk.contract.RecordInvoicePayment(rest)
    assert await heard.types() == ["invoice.paid"]
    await desk.contract.CreateCreditNote(credit(desk, credited, 1))
    assert await heard.types() == ["invoice.paid"]


async def test_renewals_publish_their_invoices(desk: Desk, running: RunningContract, heard: Heard) -> None:
    await desk.sign(desk.seats(4))
    assert await heard.types() == ["invoice.finalized"]

    await running.advance_to(JUNE.replace(year=2027))

    assert await heard.types() == ["invoice.finalized"] * 2


async def test_an_alert_that_is_away_delays_no_grant_and_gets_each_event_later_once(
    desk: Desk, ledger: RecordingLedger, alert: RecordingAlert, heard: Heard
) -> None:
    top_up = await _ordered(desk, heard)
    await alert.go_away()

    await desk.contract.ResolveTopUpPayment(_report(desk, top_up, DECLINED))
    await desk.contract.ResolveTopUpPayment(_report(desk, top_up, PAID))
    assert [one.top_up_id for one in ledger.told_of(IssueTopUpGrantRequest)] == [top_up.top_up_id]
    assert alert.events == []

    await alert.come()
    await alert.until_published(4)
    assert await heard.types() == ["top_up.declined", "top_up.paid", "invoice.finalized", "invoice.paid"]


async def test_an_event_says_what_has_become_of_it(
    desk: Desk, running: RunningContract, alert: RecordingAlert, heard: Heard
) -> None:
    top_up = await _ordered(desk, heard)
    running.clock.advance_to(JUNE + SECOND)
    paid = await desk.contract.ResolveTopUpPayment(_report(desk, top_up, PAID))
    await running.app.run_due(running.clock.now())

    bought, issued, settled = alert.events
    assert {one.customer_id for one in alert.events} == {top_up.customer_id}
    assert bought.event_time == issued.event_time == paid.top_up.resolve_time
    assert json.loads(bought.data_json) == {
        "top_up_id": top_up.top_up_id,
        "customer_id": top_up.customer_id,
        "contract_id": top_up.contract_id,
        "invoice_id": top_up.invoice_id,
        "status": "PAID",
        "payment_gate": "EXTERNAL",
        "payment_reference": "pi_42",
        "last_payment_error": None,
        "top_up_pack_id": desk.sells.pack.top_up_pack_id,
        "product_id": desk.sells.included.product_id,
        "credit_type_id": desk.sells.credits.credit_type_id,
        "amount_micros": 1_000_000_000,
        "price": {"currency_code": "USD", "micros": 80_000_000},
        "refund": None,
        "create_time": "2025-06-01T00:00:00Z",
        "resolve_time": "2025-06-01T00:00:01Z",
        "expire_time": "2025-06-02T00:00:00Z",
    }
    assert json.loads(settled.data_json) == {
        "invoice_id": top_up.invoice_id,
        "customer_id": top_up.customer_id,
        "contract_id": top_up.contract_id,
        "number": "000002",
        "status": "PAID",
        "total": {"currency_code": "USD", "micros": 80_000_000},
        "paid": {"currency_code": "USD", "micros": 80_000_000},
        "credited": {"currency_code": "USD", "micros": 0},
        "due": {"currency_code": "USD", "micros": 0},
        "issue_time": "2025-06-01T00:00:00Z",
        "finalize_time": "2025-06-01T00:00:01Z",
    }
    assert json.loads(issued.data_json)["status"] == "OPEN"
