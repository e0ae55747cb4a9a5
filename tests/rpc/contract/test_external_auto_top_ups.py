# SPDX-License-Identifier: Apache-2.0
"""Automatic top-ups without a payment provider: the vendor is told of each order, and reports its payment."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, timedelta

import pytest

from purser.contract.v1 import auto_top_ups_pb2 as auto
from purser.contract.v1 import contract_pb2 as pb
from tests.support.auto_top_ups import CREDIT, Pump, a_pump
from tests.support.catalog import JUNE, RunningCatalog
from tests.support.contract import Desk, RunningContract, running_contract
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
IDLE, ORDERED = auto.AUTO_TOP_UP_STATUS_IDLE, auto.AUTO_TOP_UP_STATUS_ORDERED
BLOCKED, DISABLED = auto.AUTO_TOP_UP_STATUS_BLOCKED, auto.AUTO_TOP_UP_STATUS_DISABLED


@pytest.fixture
async def alert() -> AsyncIterator[RecordingAlert]:
    async with RecordingAlert() as listening:
        yield listening


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


@pytest.fixture
async def pump(
    desk: Desk, running: RunningContract, ledger: RecordingLedger, alert: RecordingAlert
) -> AsyncIterator[Pump]:
    async with a_pump(desk, running, ledger, alert) as made:
        await made.set()
        yield made


async def resolve(pump: Pump, top_up_id: str, outcome: pb.PaymentOutcome) -> pb.TopUp:
    report = pb.ResolveTopUpPaymentRequest(
        request_id=pump.desk.request_id(), top_up_id=top_up_id, outcome=outcome
    )
    return (await pump.desk.contract.ResolveTopUpPayment(report)).top_up


async def test_the_vendor_is_told_of_the_order_and_reports_that_it_was_paid(pump: Pump) -> None:
    waits = await pump.low(480)
    [order] = await pump.orders()
    [event] = [one for one in pump.alert.events if one.event_type == "auto_top_up.ordered"]
    told = json.loads(event.data_json)
    assert (waits.status, waits.payment_gate) == (ORDERED, pb.PAYMENT_GATE_EXTERNAL)
    assert (order.status, order.terms.amount_micros) == (pb.TOP_UP_STATUS_PENDING_PAYMENT, 3_000 * CREDIT)
    assert (told["top_up_id"], told["payment_gate"], told["status"]) == (
        order.top_up_id,
        "EXTERNAL",
        "ORDERED",
    )

    await resolve(pump, order.top_up_id, pb.PAYMENT_OUTCOME_DECLINED)
    assert (await pump.now()).status == ORDERED
    await resolve(pump, order.top_up_id, pb.PAYMENT_OUTCOME_PAID)
    await resolve(pump, order.top_up_id, pb.PAYMENT_OUTCOME_PAID)

    assert pump.granted() == [order.top_up_id]
    assert ((await pump.now()).status, pump.level().version) == (IDLE, 2)


async def test_an_order_that_is_not_paid_in_a_day_counts_as_a_failure(pump: Pump) -> None:
    await pump.low()

    await pump.running.advance_to(JUNE + DAY - TICK)
    before = await pump.now()
    await pump.running.advance_to(JUNE + DAY)
    after = await pump.now()

    assert before.status == ORDERED
    assert (after.status, after.failures) == (BLOCKED, 1)
    assert after.until_time.ToDatetime(UTC) == JUNE + DAY + timedelta(hours=1)
    assert [one.status for one in await pump.orders()] == [pb.TOP_UP_STATUS_EXPIRED]


@pytest.mark.parametrize("is_cancelled", [False, True], ids=["failed", "cancelled"])
async def test_two_orders_in_a_row_that_end_unpaid_disable_it(pump: Pump, is_cancelled: bool) -> None:
    for hour in (1, 2):
        await pump.low()
        order = (await pump.orders())[-1]
        if is_cancelled:
            await pump.desk.contract.CancelTopUp(
                pb.CancelTopUpRequest(request_id=pump.desk.request_id(), top_up_id=order.top_up_id)
            )
        else:
            await resolve(pump, order.top_up_id, pb.PAYMENT_OUTCOME_FAILED)
        await pump.running.advance_to(JUNE + hour * timedelta(hours=1))

    after = await pump.now()
    assert (after.status, after.failures) == (DISABLED, 2)
    assert [one["status"] for one in pump.stops()] == ["BLOCKED", "DISABLED"]


async def test_what_is_paid_too_late_is_owed_back_and_starts_nothing(pump: Pump) -> None:
    await pump.low()
    [order] = await pump.orders()
    await pump.running.advance_to(JUNE + DAY)
    before = await pump.now()

    late = await resolve(pump, order.top_up_id, pb.PAYMENT_OUTCOME_PAID)

    assert late.status == pb.TOP_UP_STATUS_REFUND_DUE
    assert pump.granted() == []
    assert await pump.now() == before


async def test_setting_it_again_while_an_order_waits_makes_no_second_one(pump: Pump) -> None:
    await pump.low()
    off = auto.DisableAutoTopUpRequest(request_id=pump.desk.request_id(), auto_top_up_id=pump.auto_top_up_id)
    await pump.stub.DisableAutoTopUp(off)

    again = await pump.set()
    after = await pump.low(100)

    [order] = await pump.orders()
    assert (again.status, again.top_up_id) == (ORDERED, order.top_up_id)
    assert after.status == ORDERED
    await resolve(pump, order.top_up_id, pb.PAYMENT_OUTCOME_PAID)
    assert ((await pump.now()).status, pump.level().version) == (IDLE, 4)


async def test_orders_that_wait_or_ended_unpaid_are_counted_as_they_should_be(pump: Pump) -> None:
    await pump.low()
    waiting = await pump.got()
    [order] = await pump.orders()
    await resolve(pump, order.top_up_id, pb.PAYMENT_OUTCOME_FAILED)

    ended = await pump.got()

    assert (waiting.spent.micros, waiting.orders_today) == (240 * CREDIT, 1)
    assert (ended.spent.micros, ended.orders_today) == (0, 1)


async def test_taxes_do_not_count_for_the_limit_and_are_charged(pump: Pump) -> None:
    tax = pb.TaxTerms(name="VAT", rate_micros=200_000)
    await pump.desk.contract.SetBillingDetails(
        pb.SetBillingDetailsRequest(
            request_id=pump.desk.request_id(),
            customer=pump.contract.customer_id,
            billing_details=pb.BillingDetails(party=pb.Party(name="Acme"), taxes=[tax]),
        )
    )

    await pump.low()

    [order] = await pump.orders()
    invoice = await pump.desk.contract.GetInvoice(pb.GetInvoiceRequest(invoice_id=order.invoice_id))
    assert invoice.invoice.total.micros == 288 * CREDIT
    assert (await pump.got()).spent.micros == 240 * CREDIT
