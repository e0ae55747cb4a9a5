# SPDX-License-Identifier: Apache-2.0
"""Invoices that are collected by several replicas, by ones that are killed, and while somebody changes them."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from starlette.requests import Request

from deploy.local.stripe import CARD, DECLINED_CARD, StripeStandIn
from meshkit.clock import ManualClock
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import payments_pb2 as pay
from tests.support.catalog import JUNE, RunningCatalog
from tests.support.collecting import AUTOMATICALLY, Collector
from tests.support.contract import RunningContract, running_contract
from tests.support.faults import fault
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert
from tests.support.till import paid_contract

DAY = timedelta(days=1)
PAID = pb.INVOICE_STATUS_PAID


def failures(alert: RecordingAlert) -> int:
    return [event.event_type for event in alert.events].count("invoice.payment_failed")


async def due_invoice(collector: Collector, number: str) -> tuple[str, str]:
    customer_id = (await collector.customer()).customer_id
    await collector.save_card(customer_id, number)
    return customer_id, (await collector.sign(customer_id)).invoices[0].invoice_id


@pytest.mark.parametrize("number", [CARD, DECLINED_CARD], ids=["accepted", "declined"])
async def test_two_replicas_make_one_attempt(
    databases: Databases,
    running_catalog_service: RunningCatalog,
    ledger: RecordingLedger,
    alert: RecordingAlert,
    stripe: StripeStandIn,
    running: RunningContract,
    wall: ManualClock,
    collector: Collector,
    number: str,
) -> None:
    _, invoice_id = await due_invoice(collector, number)
    async with paid_contract(
        databases,
        stripe,
        catalog_address=running_catalog_service.address,
        ledger_address=ledger.address,
        alert_address=alert.address,
        wall=wall,
        clock=running.clock,
    ) as other:
        for _ in range(3):
            await asyncio.gather(*(one.app.run_due(JUNE) for one in (running, other, running, other)))
        await collector.run()

    confirms = [call for call in stripe.calls if call.endswith("/confirm")]
    assert len(confirms) == 1
    assert failures(alert) == (number == DECLINED_CARD)
    assert ((await collector.invoice(invoice_id)).status == PAID) == (number == CARD)
    assert len((await collector.details(invoice_id)).payments) == (number == CARD)


@pytest.mark.parametrize("number", [CARD, DECLINED_CARD], ids=["accepted", "declined"])
@pytest.mark.parametrize("path", ["/v1/payment_intents", "/confirm"], ids=["create", "charge"])
async def test_a_run_that_is_killed_after_stripe_has_acted_is_made_up_for(
    collector: Collector, alert: RecordingAlert, number: str, path: str
) -> None:
    _, invoice_id = await due_invoice(collector, number)
    acted, gone = asyncio.Event(), asyncio.Event()

    async def hang_up(call: Request) -> None:
        if call.method == "POST" and call.url.path.endswith(path):
            acted.set()
            while (await call.receive())["type"] != "http.disconnect":
                pass
            gone.set()

    stripe = collector.till.stripe
    stripe.before_reply = hang_up
    running = asyncio.ensure_future(collector.till.run_due())
    await acted.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await gone.wait()
    stripe.before_reply = None
    assert failures(alert) == 0

    for _ in range(2):
        collector.till.wall.advance(timedelta(minutes=2))
        await collector.run()

    assert len(await stripe.payments()) == 1
    assert failures(alert) == (number == DECLINED_CARD)
    assert len((await collector.details(invoice_id)).payments) == (number == CARD)
    assert await collector.received() == (4_000 if number == CARD else 0)


async def test_an_invoice_that_is_paid_voided_and_charged_at_once_is_settled_once(
    collector: Collector,
) -> None:
    for number in range(6):
        customer_id, invoice_id = await due_invoice(collector, CARD)
        contract = collector.till.desk.contract
        void = pb.VoidInvoiceRequest(request_id=f"void-{number}", invoice_id=invoice_id, reason="a race")
        before = await collector.received()

        done = await asyncio.gather(
            collector.till.run_due(),
            contract.RecordInvoicePayment(collector.record(invoice_id, 4_000, f"bank-{number}")),
            contract.VoidInvoice(void),
            collector.till.stub.PayInvoice(collector.pay(invoice_id)),
            return_exceptions=True,
        )
        assert all(
            one is None or not isinstance(one, Exception) or isinstance(one, AioRpcError) for one in done
        )
        collector.till.wall.advance(timedelta(minutes=2))
        await collector.run()

        details = await collector.details(invoice_id)
        charged = await collector.received() - before
        by_card = (
            sum(one.amount.micros for one in details.payments if one.reference.startswith("pi_")) // 10_000
        )
        assert charged == by_card + await collector.account_credit(customer_id)
        assert details.invoice.amount_due.micros == 0


async def test_another_card_that_is_saved_during_an_attempt_is_tried_when_that_fails(
    collector: Collector, alert: RecordingAlert
) -> None:
    customer_id, invoice_id = await due_invoice(collector, DECLINED_CARD)

    async def save(call: Request) -> None:
        if call.url.path.endswith("/confirm"):
            collector.till.stripe.before_reply = None
            await collector.save_card(customer_id, CARD)

    collector.till.stripe.before_reply = save
    await collector.run()

    assert failures(alert) == 1
    assert (await collector.invoice(invoice_id)).status == PAID


async def test_a_contract_that_sends_again_ends_the_retries(
    collector: Collector, alert: RecordingAlert
) -> None:
    customer_id = (await collector.customer()).customer_id
    await collector.save_card(customer_id, DECLINED_CARD)
    signed = await collector.sign(customer_id)
    assert signed.contract.invoice_collection.method == AUTOMATICALLY
    assert list(signed.contract.invoice_collection.retry_days) == [2, 7, 14, 21]
    await collector.run()
    request = pb.SetInvoiceCollectionRequest(
        request_id="send-again",
        contract_id=signed.contract.contract_id,
        invoice_collection=pb.InvoiceCollection(method=pb.COLLECTION_METHOD_SEND),
    )

    changed = (await collector.till.desk.contract.SetInvoiceCollection(request)).contract
    await collector.run_at(JUNE + 22 * DAY)

    assert changed.invoice_collection.method == pb.COLLECTION_METHOD_SEND
    assert failures(alert) == 1
    status = (await collector.payment(signed.invoices[0].invoice_id)).dunning.status
    assert status == pay.DUNNING_STATUS_STOPPED


async def test_a_change_of_plan_keeps_how_invoices_are_collected(collector: Collector) -> None:
    customer_id = (await collector.customer()).customer_id
    await collector.save_card(customer_id)
    signed = await collector.sign(customer_id, retry_days=(5,), suspends=True)
    change = pb.ChangePlanRequest(
        request_id="another-plan",
        contract_id=signed.contract.contract_id,
        rate_card_id=signed.contract.rate_card_id,
        subscriptions=[collector.till.desk.seats(2)],
    )

    changed = await collector.till.desk.contract.ChangePlan(change)

    asked = pb.GetContractRequest(contract_id=changed.plan_change.begun_contract_id)
    begun = (await collector.till.desk.contract.GetContract(asked)).contract
    assert begun.invoice_collection == signed.contract.invoice_collection


async def test_without_a_provider_nothing_is_charged_automatically(
    databases: Databases, running_catalog_service: RunningCatalog, collector: Collector
) -> None:
    customer_id = (await collector.customer()).customer_id
    sent = await collector.sign(customer_id, method=pb.COLLECTION_METHOD_SEND)
    async with running_contract(databases, catalog_address=running_catalog_service.address) as keyless:
        with fault(StatusCode.FAILED_PRECONDITION, "PAYMENTS_NOT_SET_UP"):
            await keyless.stub.CreateContract(collector.contract_request(customer_id))
        request = pb.SetInvoiceCollectionRequest(
            request_id="keyless",
            contract_id=sent.contract.contract_id,
            invoice_collection=pb.InvoiceCollection(method=AUTOMATICALLY),
        )
        with fault(StatusCode.FAILED_PRECONDITION, "PAYMENTS_NOT_SET_UP"):
            await keyless.stub.SetInvoiceCollection(request)
