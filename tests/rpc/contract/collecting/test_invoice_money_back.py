# SPDX-License-Identifier: Apache-2.0
"""Invoices whose payment went back without us: refunds at Stripe's dashboard, and disputes, lost or won."""

from datetime import timedelta

import pytest

from deploy.local.stripe import CARD, Fault
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import payments_pb2 as pay
from tests.support.catalog import JUNE
from tests.support.collecting import Collector

OPEN, PAID = pb.INVOICE_STATUS_OPEN, pb.INVOICE_STATUS_PAID
DAY = timedelta(days=1)


async def paid_invoice(collector: Collector) -> tuple[str, str, str]:
    """Return a customer, an invoice of $40.00 that was charged, and Stripe's id of the payment."""
    customer_id = (await collector.customer()).customer_id
    await collector.save_card(customer_id, CARD)
    invoice_id = (await collector.sign(customer_id)).invoices[0].invoice_id
    await collector.run()
    [payment] = (await collector.details(invoice_id)).payments
    collector.till.stripe.held.clear()
    return customer_id, invoice_id, payment.reference


async def tell(collector: Collector) -> None:
    """Let every webhook come twice, the latest first, and run what is due."""
    events = list(collector.till.stripe.held)
    collector.till.stripe.held.clear()
    for event in [*reversed(events), *events]:
        assert await collector.till.stripe.post(event) == 204
    await collector.run()


async def refunds_of(collector: Collector, invoice_id: str) -> list[tuple[int, int]]:
    """Return who caused each refund of an invoice, and how many cents went back."""
    details = await collector.details(invoice_id)
    return [(one.cause, one.amount.micros // 10_000) for one in details.refunds]


async def test_a_refund_at_the_dashboard_makes_the_amount_due_again_once(collector: Collector) -> None:
    _, invoice_id, payment_id = await paid_invoice(collector)
    await collector.till.stripe.refund_at_dashboard(payment_id, 1_000)

    await tell(collector)

    invoice = await collector.invoice(invoice_id)
    assert (invoice.status, invoice.amount_due.micros) == (OPEN, 10_000_000)
    assert await refunds_of(collector, invoice_id) == [(pb.INVOICE_REFUND_CAUSE_PROVIDER, 1_000)]
    assert await collector.received() == 3_000


async def test_a_refund_of_ours_counts_once(collector: Collector) -> None:
    _, invoice_id, _ = await paid_invoice(collector)
    request = pay.RefundInvoicePaymentRequest(
        request_id=collector.till.desk.request_id(), invoice_id=invoice_id, reason="a test"
    )
    await collector.till.stub.RefundInvoicePayment(request)
    collector.till.wall.advance(timedelta(minutes=5))

    await tell(collector)

    assert await refunds_of(collector, invoice_id) == [(pb.INVOICE_REFUND_CAUSE_REQUESTED, 4_000)]


async def test_what_no_webhook_told_is_found_by_looking(collector: Collector) -> None:
    _, invoice_id, payment_id = await paid_invoice(collector)
    collector.till.stripe.dispute(await collector.till.stripe.payment(payment_id))
    collector.till.stripe.held.clear()

    collector.till.wall.advance(timedelta(minutes=5))
    await collector.run()

    assert await refunds_of(collector, invoice_id) == [(pb.INVOICE_REFUND_CAUSE_CHARGEBACK, 4_000)]
    assert (await collector.invoice(invoice_id)).amount_due.micros == 40_000_000


async def test_a_dispute_that_is_won_pays_the_invoice_again(collector: Collector) -> None:
    customer_id, invoice_id, payment_id = await paid_invoice(collector)
    dispute_id = collector.till.stripe.dispute(await collector.till.stripe.payment(payment_id))
    await tell(collector)
    assert (await collector.invoice(invoice_id)).status == OPEN

    collector.till.stripe.close_dispute(dispute_id, "won")
    await tell(collector)

    details = await collector.details(invoice_id)
    assert (details.invoice.status, details.invoice.amount_paid.micros) == (PAID, 40_000_000)
    assert [one.reference for one in details.payments] == [payment_id, f"{payment_id}/{dispute_id}"]
    assert details.refunds[0].HasField("reverse_time")
    assert await collector.account_credit(customer_id) == 0


async def test_what_comes_back_after_another_payment_is_account_credit(collector: Collector) -> None:
    customer_id, invoice_id, payment_id = await paid_invoice(collector)
    dispute_id = collector.till.stripe.dispute(await collector.till.stripe.payment(payment_id), 1_000)
    await tell(collector)
    await collector.till.desk.contract.RecordInvoicePayment(collector.record(invoice_id, 400))

    collector.till.stripe.close_dispute(dispute_id, "won")
    await tell(collector)

    assert (await collector.invoice(invoice_id)).status == PAID
    assert await collector.account_credit(customer_id) == 400


async def test_a_dispute_that_is_lost_stays_due_and_is_not_charged_by_itself(collector: Collector) -> None:
    _, invoice_id, payment_id = await paid_invoice(collector)
    dispute_id = collector.till.stripe.dispute(await collector.till.stripe.payment(payment_id))
    await tell(collector)
    collector.till.stripe.close_dispute(dispute_id, "lost")
    await tell(collector)

    await collector.run_at(JUNE + 22 * DAY)

    assert (await collector.invoice(invoice_id)).amount_due.micros == 40_000_000
    assert len(await collector.till.stripe.payments()) == 1


async def test_a_dispute_of_a_payment_of_two_invoices_is_shared(collector: Collector) -> None:
    customer_id = (await collector.customer()).customer_id
    await collector.save_card(customer_id, CARD)
    small = (await collector.sign(customer_id, seats=1, end=JUNE + DAY)).invoices[0].invoice_id
    await collector.run()
    main = (await collector.sign(customer_id)).invoices[0].invoice_id
    await collector.run()
    [payment] = await collector.till.stripe.payments()
    collector.till.stripe.dispute(payment)

    await tell(collector)

    chargeback = pb.INVOICE_REFUND_CAUSE_CHARGEBACK
    assert await refunds_of(collector, main) == [(chargeback, 4_000)]
    assert await refunds_of(collector, small) == [(chargeback, 33)]


@pytest.mark.parametrize("status_code", [429, 500])
async def test_stripe_that_does_not_answer_is_asked_again(collector: Collector, status_code: int) -> None:
    _, invoice_id, payment_id = await paid_invoice(collector)
    await collector.till.stripe.refund_at_dashboard(payment_id, 1_000)
    [event] = collector.till.stripe.held
    await collector.till.stripe.post(event)
    collector.till.stripe.faults = [Fault(status_code)] * 3
    await collector.run()
    collector.till.stripe.faults.clear()

    collector.till.wall.advance(timedelta(minutes=2))
    await collector.run()

    assert await refunds_of(collector, invoice_id) == [(pb.INVOICE_REFUND_CAUSE_PROVIDER, 1_000)]
