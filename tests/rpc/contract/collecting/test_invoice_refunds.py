# SPDX-License-Identifier: Apache-2.0
"""RefundInvoicePayment: money that goes back is due again, or credited, and never more than was paid."""

from datetime import timedelta

import pytest
from grpc import StatusCode

from deploy.local.stripe import CARD, Fault
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import payments_pb2 as pay
from purser.type.v1.money_pb2 import Money
from tests.support.collecting import CENT, Collector
from tests.support.faults import bad_fields, fault
from tests.support.recording_alert import RecordingAlert

OPEN, PAID = pb.INVOICE_STATUS_OPEN, pb.INVOICE_STATUS_PAID
DUE, RETURNED = pb.INVOICE_REFUND_STATUS_DUE, pb.INVOICE_REFUND_STATUS_RETURNED


def refund(
    collector: Collector, invoice_id: str, cents: int = 0, *, credit: bool = False, payment_id: str = ""
) -> pay.RefundInvoicePaymentRequest:
    """cents: 0: the rest of the payment."""
    return pay.RefundInvoicePaymentRequest(
        request_id=collector.till.desk.request_id(),
        invoice_id=invoice_id,
        invoice_payment_id=payment_id,
        amount=Money(currency_code="USD", micros=cents * CENT) if cents else None,
        with_credit_note=credit,
        reason="a test",
    )


async def paid_invoice(collector: Collector) -> tuple[str, str]:
    """Return a customer and an invoice of $40.00 that was charged."""
    customer_id = (await collector.customer()).customer_id
    await collector.save_card(customer_id, CARD)
    invoice_id = (await collector.sign(customer_id)).invoices[0].invoice_id
    await collector.run()
    assert (await collector.invoice(invoice_id)).status == PAID
    return customer_id, invoice_id


async def test_what_goes_back_is_due_again_and_not_charged_by_itself(
    collector: Collector, alert: RecordingAlert
) -> None:
    _, invoice_id = await paid_invoice(collector)

    done = await collector.till.stub.RefundInvoicePayment(refund(collector, invoice_id, 1_000))

    assert (done.refund.status, done.refund.amount.micros, done.refund.credit_note_id) == (
        RETURNED,
        10_000_000,
        "",
    )
    assert (done.invoice.status, done.invoice.amount_due.micros) == (OPEN, 10_000_000)
    assert await collector.received() == 3_000
    await collector.run()
    assert await collector.received() == 3_000
    assert list((await collector.details(invoice_id)).refunds) == [done.refund]

    tried = await collector.till.stub.PayInvoice(collector.pay(invoice_id))
    assert tried.invoice.status == PAID
    assert await collector.received() == 4_000
    await collector.run()
    assert [event.event_type for event in alert.events].count("invoice.paid") == 2


async def test_what_goes_back_at_once_is_not_charged_again_by_itself(collector: Collector) -> None:
    customer_id = (await collector.customer()).customer_id
    await collector.save_card(customer_id, CARD)
    invoice_id = (await collector.sign(customer_id)).invoices[0].invoice_id
    paid = await collector.till.stub.PayInvoice(collector.pay(invoice_id))
    assert paid.invoice.status == PAID

    await collector.till.stub.RefundInvoicePayment(refund(collector, invoice_id))
    await collector.run()

    assert await collector.received() == 0
    assert (await collector.invoice(invoice_id)).amount_due.micros == 40_000_000


async def test_with_a_credit_note_nothing_is_due(collector: Collector, alert: RecordingAlert) -> None:
    customer_id, invoice_id = await paid_invoice(collector)

    done = await collector.till.stub.RefundInvoicePayment(refund(collector, invoice_id, 1_000, credit=True))

    invoice = done.invoice
    assert (invoice.status, invoice.amount_paid.micros, invoice.amount_credited.micros) == (
        PAID,
        30_000_000,
        10_000_000,
    )
    [note] = (await collector.details(invoice_id)).credit_notes
    assert done.refund.credit_note_id == note.credit_note_id
    assert await collector.account_credit(customer_id) == 0
    assert await collector.received() == 3_000
    await collector.run()
    assert [event.event_type for event in alert.events].count("invoice.paid") == 1


async def test_all_refunds_together_are_at_most_the_payment(collector: Collector) -> None:
    _, invoice_id = await paid_invoice(collector)
    await collector.till.stub.RefundInvoicePayment(refund(collector, invoice_id, 1_000))

    with fault(StatusCode.FAILED_PRECONDITION, "REFUND_EXCEEDS_PAYMENT", left_micros="30000000"):
        await collector.till.stub.RefundInvoicePayment(refund(collector, invoice_id, 3_001))
    await collector.till.stub.RefundInvoicePayment(refund(collector, invoice_id, 3_000))
    with fault(StatusCode.FAILED_PRECONDITION, "REFUND_EXCEEDS_PAYMENT", left_micros="0"):
        await collector.till.stub.RefundInvoicePayment(refund(collector, invoice_id))

    assert await collector.received() == 0
    assert (await collector.invoice(invoice_id)).amount_due.micros == 40_000_000


async def test_what_a_credit_note_has_taken_off_is_not_credited_again(collector: Collector) -> None:
    customer_id, invoice_id = await paid_invoice(collector)
    await collector.till.desk.contract.CreateCreditNote(collector.credit(invoice_id, 3_500))

    with fault(StatusCode.FAILED_PRECONDITION, "CREDIT_EXCEEDS_INVOICE", left_micros="5000000"):
        await collector.till.stub.RefundInvoicePayment(refund(collector, invoice_id, 501, credit=True))

    assert (await collector.invoice(invoice_id)).status == PAID
    assert await collector.received() == 4_000
    done = await collector.till.stub.RefundInvoicePayment(refund(collector, invoice_id, 500, credit=True))
    assert done.invoice.status == PAID
    assert await collector.account_credit(customer_id) == 3_500


@pytest.mark.parametrize("is_done", [False, True], ids=["refused", "lost reply"])
@pytest.mark.parametrize("at", [0, 1], ids=["list", "create"])
async def test_stripe_that_fails_returns_it_later_and_once(
    collector: Collector, at: int, is_done: bool
) -> None:
    _, invoice_id = await paid_invoice(collector)
    request = refund(collector, invoice_id, 1_000)
    collector.till.stripe.faults = [*[None] * at, Fault(500, is_done)]

    waits = await collector.till.stub.RefundInvoicePayment(request)
    assert waits.refund.status == DUE
    collector.till.stripe.forget_keys()
    for _ in range(2):
        collector.till.wall.advance(timedelta(minutes=2))
        await collector.run()

    assert (await collector.till.stub.RefundInvoicePayment(request)).refund.status == RETURNED
    assert await collector.received() == 3_000
    assert len(await collector.till.stripe.refunds()) == 1


async def test_the_vendor_returns_what_it_has_recorded(collector: Collector) -> None:
    customer_id = (await collector.customer()).customer_id
    signed = await collector.sign(customer_id, method=pb.COLLECTION_METHOD_SEND)
    invoice_id = signed.invoices[0].invoice_id
    contract = collector.till.desk.contract
    first = (await contract.RecordInvoicePayment(collector.record(invoice_id, 1_500, "bank-1"))).payment
    await contract.RecordInvoicePayment(collector.record(invoice_id, 2_500, "bank-2"))
    with fault(StatusCode.NOT_FOUND, "INVOICE_PAYMENT_NOT_FOUND", invoice_id=invoice_id):
        await collector.till.stub.RefundInvoicePayment(refund(collector, invoice_id))

    done = await collector.till.stub.RefundInvoicePayment(
        refund(collector, invoice_id, payment_id=first.invoice_payment_id)
    )

    assert (done.refund.status, done.refund.amount.micros) == (RETURNED, 15_000_000)
    assert done.invoice.amount_due.micros == 15_000_000
    assert await collector.till.stripe.refunds() == []


async def test_the_payment_of_a_top_up_goes_back_with_its_credits(collector: Collector) -> None:
    till = collector.till
    top_up = await till.order()
    await till.stub.PayTopUp(till.charge(top_up, await till.stripe.card()))

    with fault(StatusCode.FAILED_PRECONDITION, "PAYMENT_OF_TOP_UP", top_up_id=top_up.top_up_id):
        await till.stub.RefundInvoicePayment(refund(collector, top_up.invoice_id))


async def test_drafts_and_bad_fields_are_refused(collector: Collector) -> None:
    with bad_fields("request_id", "invoice_id", "reason"):
        await collector.till.stub.RefundInvoicePayment(pay.RefundInvoicePaymentRequest())
    with fault(StatusCode.NOT_FOUND, "INVOICE_NOT_FOUND"):
        await collector.till.stub.RefundInvoicePayment(refund(collector, "inv_none"))
    customer_id = (await collector.customer()).customer_id
    signed = await collector.sign(customer_id, method=pb.COLLECTION_METHOD_SEND)
    invoice_id = signed.invoices[0].invoice_id
    with fault(StatusCode.NOT_FOUND, "INVOICE_PAYMENT_NOT_FOUND"):
        await collector.till.stub.RefundInvoicePayment(refund(collector, invoice_id))
    cents = refund(collector, invoice_id, 1)
    cents.amount.currency_code = "EUR"
    await collector.till.desk.contract.RecordInvoicePayment(collector.record(invoice_id, 1))
    with fault(StatusCode.FAILED_PRECONDITION, "CURRENCY_DIFFERS"):
        await collector.till.stub.RefundInvoicePayment(cents)
