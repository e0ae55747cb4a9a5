# SPDX-License-Identifier: Apache-2.0
"""Invoices that are charged automatically: attempts, dunning, suspension, small amounts, and what can go wrong."""

import json
from datetime import timedelta
from typing import Any

import pytest
from grpc import StatusCode

from deploy.local.stripe import (
    CARD,
    DECLINED_CARD,
    SECURE_CARD,
    Fault,
)
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import payments_pb2 as pay
from tests.support.catalog import JUNE
from tests.support.collecting import Collector
from tests.support.contract import unavailable
from tests.support.faults import bad_fields, fault
from tests.support.recording_alert import RecordingAlert

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
OPEN, PAID = pb.INVOICE_STATUS_OPEN, pb.INVOICE_STATUS_PAID
COLLECTING, CARRIED, STOPPED, SETTLED = (
    pay.DUNNING_STATUS_COLLECTING,
    pay.DUNNING_STATUS_CARRIED,
    pay.DUNNING_STATUS_STOPPED,
    pay.DUNNING_STATUS_SETTLED,
)


def attempts_of(alert: RecordingAlert) -> list[dict[str, Any]]:
    """Return what the events about failed attempts say, in order."""
    return [
        json.loads(event.data_json)["payment_attempt"]
        for event in alert.events
        if event.event_type == "invoice.payment_failed"
    ]


def types_of(alert: RecordingAlert) -> list[str]:
    return [event.event_type for event in alert.events]


async def due_invoice(collector: Collector, number: str = "", **terms: Any) -> tuple[str, str]:
    """Sign four seats at $10 for a customer with this card, if one is named; return the customer and the invoice."""
    customer_id = (await collector.customer()).customer_id
    if number:
        await collector.save_card(customer_id, number, decline_code=terms.pop("decline_code", ""))
    signed = await collector.sign(customer_id, **terms)
    [invoice] = signed.invoices
    return customer_id, invoice.invoice_id


async def test_an_issued_invoice_is_charged_to_the_saved_card(
    collector: Collector, alert: RecordingAlert
) -> None:
    _, invoice_id = await due_invoice(collector, CARD)
    assert (await collector.invoice(invoice_id)).status == OPEN

    await collector.run()

    paid = await collector.details(invoice_id)
    assert (paid.invoice.status, paid.invoice.amount_paid.micros) == (PAID, 40_000_000)
    [at_stripe] = await collector.till.stripe.payments()
    assert at_stripe["metadata"]["invoice_id"] == invoice_id
    [payment] = paid.payments
    assert (payment.reference, payment.amount.micros) == (at_stripe["id"], 40_000_000)
    assert types_of(alert) == ["invoice.finalized", "invoice.paid"]
    asked = await collector.payment(invoice_id)
    assert (asked.state, asked.client_secret) == (pay.PAYMENT_STATE_SUCCEEDED, "")
    assert asked.dunning.status == SETTLED


async def test_an_invoice_that_is_sent_is_not_charged(collector: Collector) -> None:
    _, invoice_id = await due_invoice(collector, CARD, method=pb.COLLECTION_METHOD_SEND)

    await collector.run_at(JUNE + 22 * DAY)

    assert (await collector.invoice(invoice_id)).status == OPEN
    assert await collector.till.stripe.payments() == []


async def test_golden_retries_on_the_3rd_8th_15th_and_22nd_then_the_customer_is_suspended_until_it_pays(
    collector: Collector, alert: RecordingAlert
) -> None:
    customer_id, invoice_id = await due_invoice(collector, DECLINED_CARD, suspends=True)
    await collector.run()
    assert len(attempts_of(alert)) == 1

    for number, day in enumerate([2, 7, 14, 21], 2):
        await collector.run_at(JUNE + day * DAY - TICK)
        assert len(attempts_of(alert)) == number - 1
        assert await collector.suspensions(customer_id) == []
        await collector.run_at(JUNE + day * DAY)
        assert len(attempts_of(alert)) == number

    told = attempts_of(alert)
    assert [one["attempt"] for one in told] == [1, 2, 3, 4, 5]
    assert [one["next_attempt_time"] for one in told] == [
        "2025-06-03T00:00:00Z",
        "2025-06-08T00:00:00Z",
        "2025-06-15T00:00:00Z",
        "2025-06-22T00:00:00Z",
        None,
    ]
    assert {one["error"]["code"] for one in told} == {"card_declined"}
    assert [one["suspends"] for one in told] == [False, False, False, False, True]
    assert await collector.suspensions(customer_id) == [pb.SUSPENSION_REASON_INVOICE_UNPAID]
    assert len(await collector.till.stripe.payments()) == 1  # one intent, which was continued
    stopped = await collector.payment(invoice_id)
    assert (stopped.dunning.status, stopped.dunning.suspends) == (STOPPED, True)

    await collector.till.desk.contract.RecordInvoicePayment(collector.record(invoice_id, 3_999))
    await collector.run()
    assert await collector.suspensions(customer_id) == [pb.SUSPENSION_REASON_INVOICE_UNPAID]
    await collector.till.desk.contract.RecordInvoicePayment(collector.record(invoice_id, 1, "bank-2"))
    await collector.run()
    assert await collector.suspensions(customer_id) == []


async def test_only_the_last_overdue_invoice_lifts_the_suspension(collector: Collector) -> None:
    customer_id, first = await due_invoice(collector, DECLINED_CARD, suspends=True, retry_days=(1,))
    second = (await collector.sign(customer_id, suspends=True, retry_days=(1,))).invoices[0].invoice_id
    await collector.run()
    await collector.run_at(JUNE + DAY)
    assert await collector.suspensions(customer_id) == [pb.SUSPENSION_REASON_INVOICE_UNPAID]

    await collector.till.desk.contract.RecordInvoicePayment(collector.record(first, 4_000))
    await collector.run()
    assert await collector.suspensions(customer_id) == [pb.SUSPENSION_REASON_INVOICE_UNPAID]
    await collector.till.desk.contract.RecordInvoicePayment(collector.record(second, 4_000))
    await collector.run()
    assert await collector.suspensions(customer_id) == []


async def test_a_soft_decline_is_paid_by_the_retry_of_day_2(
    collector: Collector, alert: RecordingAlert
) -> None:
    customer_id, invoice_id = await due_invoice(collector)
    await collector.run()
    [told] = attempts_of(alert)
    assert told["error"]["code"] == "payment_method_missing"
    assert await collector.till.stripe.payments() == []
    declined = await collector.save_card(customer_id, DECLINED_CARD, decline_code="insufficient_funds")
    await collector.run()
    assert attempts_of(alert)[-1]["error"]["code"] == "insufficient_funds"

    [intent] = await collector.till.stripe.payments()
    await collector.till.stripe.accept(declined)
    await collector.run_at(JUNE + 2 * DAY - TICK)
    assert (await collector.invoice(invoice_id)).status == OPEN
    await collector.run_at(JUNE + 2 * DAY)

    paid = await collector.details(invoice_id)
    assert paid.invoice.status == PAID
    assert [one.reference for one in paid.payments] == [intent["id"]]
    assert await collector.received() == 4_000


async def test_a_hard_decline_is_not_retried_until_another_card_is_saved(
    collector: Collector, alert: RecordingAlert
) -> None:
    customer_id, invoice_id = await due_invoice(
        collector, DECLINED_CARD, decline_code="stolen_card", suspends=True
    )
    await collector.run()
    [told] = attempts_of(alert)
    assert (told["error"]["code"], told["next_attempt_time"], told["suspends"]) == ("stolen_card", None, True)
    assert await collector.suspensions(customer_id) == [pb.SUSPENSION_REASON_INVOICE_UNPAID]
    await collector.run_at(JUNE + 22 * DAY)
    assert len(attempts_of(alert)) == 1

    await collector.save_card(customer_id)
    await collector.run()

    assert (await collector.invoice(invoice_id)).status == PAID
    assert await collector.suspensions(customer_id) == []


async def test_saving_the_same_card_again_starts_no_attempt(
    collector: Collector, alert: RecordingAlert
) -> None:
    customer_id, _ = await due_invoice(collector)
    declined = await collector.save_card(customer_id, DECLINED_CARD)
    await collector.run()
    assert len(attempts_of(alert)) == 1

    setup = pay.CreatePaymentSetupRequest(request_id=collector.till.desk.request_id(), customer=customer_id)
    known = (await collector.till.stub.CreatePaymentSetup(setup)).payment_setup
    await collector.till.stub.SetPaymentMethod(
        pay.SetPaymentMethodRequest(
            request_id=collector.till.desk.request_id(),
            customer=customer_id,
            provider_customer_id=known.provider_customer_id,
            payment_method_id=declined,
        )
    )
    await collector.run()
    assert len(attempts_of(alert)) == 1

    await collector.save_card(customer_id, DECLINED_CARD)
    await collector.run()
    assert len(attempts_of(alert)) == 2


async def test_the_payer_confirms_what_the_bank_asks_for(collector: Collector, alert: RecordingAlert) -> None:
    _, invoice_id = await due_invoice(collector, SECURE_CARD)
    await collector.run()
    asked = await collector.payment(invoice_id)
    assert asked.state == pay.PAYMENT_STATE_ACTION_REQUIRED
    assert (asked.amount.micros, list(asked.invoice_ids)) == (40_000_000, [invoice_id])
    [told] = attempts_of(alert)
    assert (told["error"]["code"], told["next_attempt_time"]) == (
        "authentication_required",
        "2025-06-03T00:00:00Z",
    )

    await collector.till.stripe.authenticate(asked.client_secret, succeeds=True)
    for event in collector.till.stripe.held:
        await collector.till.stripe.post(event)
    await collector.run()

    assert (await collector.invoice(invoice_id)).status == PAID
    await collector.run_at(JUNE + 2 * DAY)
    assert len(attempts_of(alert)) == 1


async def test_a_customer_pays_an_open_invoice_in_the_browser(collector: Collector) -> None:
    _, invoice_id = await due_invoice(collector, method=pb.COLLECTION_METHOD_SEND)
    asked = await collector.payment(invoice_id)
    assert not asked.HasField("dunning")

    await collector.till.stripe.pay_in_browser(asked.client_secret, await collector.till.stripe.card())
    for event in [*collector.till.stripe.held, *collector.till.stripe.held]:
        await collector.till.stripe.post(event)
        await collector.run()

    paid = await collector.details(invoice_id)
    assert paid.invoice.status == PAID
    assert [one.reference for one in paid.payments] == [asked.provider_payment_id]


async def test_a_payment_whose_webhook_is_lost_is_found_within_a_minute(collector: Collector) -> None:
    _, invoice_id = await due_invoice(collector, method=pb.COLLECTION_METHOD_SEND)
    asked = await collector.payment(invoice_id)
    await collector.till.stripe.pay_in_browser(asked.client_secret, await collector.till.stripe.card())

    collector.till.wall.advance(timedelta(minutes=1) - TICK)
    await collector.run()
    assert (await collector.invoice(invoice_id)).status == OPEN
    collector.till.wall.advance(TICK)
    await collector.run()
    assert (await collector.invoice(invoice_id)).status == PAID


@pytest.mark.parametrize("status_code", [429, 500])
@pytest.mark.parametrize("is_done", [False, True], ids=["refused", "lost reply"])
@pytest.mark.parametrize("at", [0, 1, 2], ids=["create", "name the customer", "confirm"])
async def test_stripe_that_fails_midway_is_asked_again_and_charges_once(
    collector: Collector, alert: RecordingAlert, status_code: int, is_done: bool, at: int
) -> None:
    _, invoice_id = await due_invoice(collector, CARD)
    collector.till.stripe.faults = [*[None] * at, Fault(status_code, is_done)]
    await collector.run()
    assert (await collector.invoice(invoice_id)).status == OPEN

    collector.till.wall.advance(timedelta(minutes=2))
    await collector.run()

    paid = await collector.details(invoice_id)
    assert (paid.invoice.status, len(paid.payments)) == (PAID, 1)
    assert await collector.received() == 4_000
    assert attempts_of(alert) == []


async def test_an_attempt_whose_decline_was_lost_fails_once(
    collector: Collector, alert: RecordingAlert
) -> None:
    await due_invoice(collector, DECLINED_CARD)
    collector.till.stripe.faults = [None, None, Fault(500, is_done=True)]
    await collector.run()
    assert attempts_of(alert) == []

    for _ in range(3):
        collector.till.wall.advance(timedelta(minutes=2))
        await collector.run()

    assert len(attempts_of(alert)) == 1


async def test_webhooks_that_are_old_repeated_and_out_of_order_change_nothing(collector: Collector) -> None:
    customer_id, invoice_id = await due_invoice(collector, DECLINED_CARD)
    await collector.run()
    await collector.save_card(customer_id)
    await collector.run()
    paid = await collector.details(invoice_id)
    assert paid.invoice.status == PAID

    for event in [*reversed(collector.till.stripe.held), *collector.till.stripe.held]:
        assert await collector.till.stripe.post(event) == 204
        await collector.run()

    assert await collector.details(invoice_id) == paid
    assert await collector.received() == 4_000


async def test_pay_invoice_tries_now_and_a_repeated_call_charges_once(
    collector: Collector, alert: RecordingAlert
) -> None:
    customer_id, invoice_id = await due_invoice(collector, method=pb.COLLECTION_METHOD_SEND)
    with fault(StatusCode.FAILED_PRECONDITION, "PAYMENT_METHOD_MISSING", customer_id=customer_id):
        await collector.till.stub.PayInvoice(collector.pay(invoice_id))
    await collector.save_card(customer_id, DECLINED_CARD)
    refused = await collector.till.stub.PayInvoice(collector.pay(invoice_id))
    assert (refused.invoice.status, refused.state) == (OPEN, pay.PAYMENT_STATE_OPEN)
    assert refused.dunning.last_payment_error.code == "card_declined"
    assert not refused.dunning.HasField("next_attempt_time")
    await collector.run()
    assert len(attempts_of(alert)) == 1

    request = collector.pay(invoice_id, await collector.till.stripe.card())
    collector.till.stripe.faults = [None, Fault(500, is_done=True)]
    with unavailable("PAYMENT_PROVIDER_UNAVAILABLE"):
        await collector.till.stub.PayInvoice(request)
    with fault(StatusCode.FAILED_PRECONDITION, "PAYMENT_UNDER_WAY", invoice_id=invoice_id):
        await collector.till.stub.PayInvoice(collector.pay(invoice_id))
    done = await collector.till.stub.PayInvoice(request)

    assert (done.invoice.status, done.state) == (PAID, pay.PAYMENT_STATE_SUCCEEDED)
    assert await collector.till.stub.PayInvoice(request) == done
    with fault(StatusCode.FAILED_PRECONDITION, "INVOICE_ALREADY_PAID", invoice_id=invoice_id):
        await collector.till.stub.PayInvoice(collector.pay(invoice_id))
    assert await collector.received() == 4_000


async def test_while_the_money_is_taken_the_invoice_is_not_changed(collector: Collector) -> None:
    customer_id, invoice_id = await due_invoice(collector, CARD)
    collector.till.stripe.faults = [None, None, Fault(500, is_done=True)]
    await collector.run()
    contract = collector.till.desk.contract

    with fault(StatusCode.FAILED_PRECONDITION, "PAYMENT_UNDER_WAY", invoice_id=invoice_id):
        await contract.RecordInvoicePayment(collector.record(invoice_id, 100))
    void = pb.VoidInvoiceRequest(
        request_id=collector.till.desk.request_id(), invoice_id=invoice_id, reason="a test"
    )
    with fault(StatusCode.FAILED_PRECONDITION, "PAYMENT_UNDER_WAY", invoice_id=invoice_id):
        await contract.VoidInvoice(void)
    credited = await contract.CreateCreditNote(collector.credit(invoice_id, 1_000))
    assert (credited.invoice.amount_due.micros, credited.credit_note.account_credit.micros) == (
        40_000_000,
        10_000_000,
    )
    collector.till.wall.advance(timedelta(minutes=2))
    await collector.run()

    assert (await collector.invoice(invoice_id)).status == PAID
    assert await collector.received() == 4_000
    assert await collector.account_credit(customer_id) == 1_000


async def test_between_attempts_the_amount_follows(collector: Collector) -> None:
    customer_id, invoice_id = await due_invoice(collector, DECLINED_CARD)
    await collector.run()
    await collector.till.desk.contract.RecordInvoicePayment(collector.record(invoice_id, 1_500))
    await collector.till.desk.contract.CreateCreditNote(collector.credit(invoice_id, 500))
    await collector.run()
    [old] = await collector.till.stripe.payments()
    assert old["status"] == "canceled"

    await collector.save_card(customer_id)
    await collector.run()

    paid = await collector.details(invoice_id)
    assert (paid.invoice.status, paid.invoice.amount_paid.micros) == (PAID, 35_000_000)
    assert await collector.received() == 2_000
    assert await collector.account_credit(customer_id) == 0


async def test_what_is_paid_before_the_old_payment_is_cancelled_becomes_account_credit(
    collector: Collector,
) -> None:
    customer_id, invoice_id = await due_invoice(collector, DECLINED_CARD)
    await collector.run()
    asked = await collector.payment(invoice_id)
    await collector.till.desk.contract.RecordInvoicePayment(collector.record(invoice_id, 1_500))
    await collector.till.stripe.pay_in_browser(asked.client_secret, await collector.till.stripe.card())

    await collector.run()

    paid = await collector.details(invoice_id)
    assert (paid.invoice.status, paid.invoice.amount_paid.micros) == (PAID, 40_000_000)
    assert await collector.account_credit(customer_id) == 1_500
    assert await collector.received() == 4_000


async def test_a_void_invoice_is_not_charged_any_more(collector: Collector, alert: RecordingAlert) -> None:
    _, invoice_id = await due_invoice(collector, DECLINED_CARD)
    await collector.run()
    void = pb.VoidInvoiceRequest(
        request_id=collector.till.desk.request_id(), invoice_id=invoice_id, reason="a test"
    )
    await collector.till.desk.contract.VoidInvoice(void)

    await collector.run_at(JUNE + 22 * DAY)

    assert len(attempts_of(alert)) == 1
    [intent] = await collector.till.stripe.payments()
    assert intent["status"] == "canceled"


async def test_a_total_below_the_minimum_is_paid_with_the_next_invoice(collector: Collector) -> None:
    customer_id, first = await due_invoice(collector, CARD, seats=1, end=JUNE + DAY)
    await collector.run()
    assert (await collector.invoice(first)).amount_due.micros == 330_000
    assert await collector.till.stripe.payments() == []
    with fault(
        StatusCode.FAILED_PRECONDITION,
        "AMOUNT_BELOW_MINIMUM",
        invoice_id=first,
        due_micros="330000",
        minimum_micros="500000",
    ):
        await collector.till.stub.PayInvoice(collector.pay(first))

    second = (await collector.sign(customer_id)).invoices[0].invoice_id
    await collector.run()

    [intent] = await collector.till.stripe.payments()
    assert intent["amount_received"] == 4_033
    for invoice_id, micros in ((first, 330_000), (second, 40_000_000)):
        paid = await collector.details(invoice_id)
        assert paid.invoice.status == PAID
        assert [(one.reference, one.amount.micros) for one in paid.payments] == [(intent["id"], micros)]
    assert list((await collector.payment(first)).invoice_ids) == [second, first]
    assert (await collector.payment(first)).dunning.status == SETTLED


@pytest.mark.parametrize(
    ("hours", "micros", "is_charged"), [(35, 490_000, False), (36, 500_000, True)], ids=["49 c", "50 c"]
)
async def test_exactly_the_minimum_is_charged(
    collector: Collector, hours: int, micros: int, is_charged: bool
) -> None:
    _, invoice_id = await due_invoice(collector, CARD, seats=1, end=JUNE + timedelta(hours=hours))
    assert (await collector.invoice(invoice_id)).amount_due.micros == micros

    await collector.run()

    assert (await collector.invoice(invoice_id)).status == (PAID if is_charged else OPEN)


async def test_small_invoices_are_charged_once_they_reach_the_minimum_together(collector: Collector) -> None:
    customer_id, first = await due_invoice(collector, CARD, seats=1, end=JUNE + DAY)
    await collector.run()
    second = (await collector.sign(customer_id, seats=1, end=JUNE + DAY)).invoices[0].invoice_id
    await collector.run()

    assert await collector.received() == 66
    assert [(await collector.invoice(one)).status for one in (first, second)] == [PAID, PAID]


async def test_what_is_carried_stays_so_when_the_next_invoice_is_declined(
    collector: Collector, alert: RecordingAlert
) -> None:
    customer_id, first = await due_invoice(collector, DECLINED_CARD, seats=1, end=JUNE + DAY)
    await collector.run()
    second = (await collector.sign(customer_id)).invoices[0].invoice_id
    await collector.run()
    assert len(attempts_of(alert)) == 1
    await collector.till.desk.contract.RecordInvoicePayment(collector.record(second, 4_000))
    await collector.run()
    [intent] = await collector.till.stripe.payments()
    assert intent["status"] == "canceled"
    assert (await collector.invoice(first)).status == OPEN

    await collector.save_card(customer_id)
    third = (await collector.sign(customer_id)).invoices[0].invoice_id
    await collector.run()

    assert [(await collector.invoice(one)).status for one in (first, third)] == [PAID, PAID]
    assert await collector.received() == 4_033


async def test_bad_fields_are_named_at_once(collector: Collector) -> None:
    with bad_fields("request_id", "invoice_id", "payment_method_id"):
        await collector.till.stub.PayInvoice(pay.PayInvoiceRequest(payment_method_id="x" * 201))
    with bad_fields("invoice_id"):
        await collector.till.stub.GetInvoicePayment(pay.GetInvoicePaymentRequest())
    request = pb.SetInvoiceCollectionRequest()
    with bad_fields("request_id", "contract_id", "invoice_collection"):
        await collector.till.desk.contract.SetInvoiceCollection(request)
    request.invoice_collection.retry_days.extend([3, 3, 91])
    with bad_fields(
        "request_id",
        "contract_id",
        "invoice_collection.retry_days[1]",
        "invoice_collection.retry_days[2]",
    ):
        await collector.till.desk.contract.SetInvoiceCollection(request)
