# SPDX-License-Identifier: Apache-2.0
"""Payments whose payer is present: the bank asks on its own page, and sends the payer back to return_url."""

import httpx
from grpc import StatusCode

from deploy.local.stripe import DECLINED_CARD, SECURE_CARD, Fault
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import payments_pb2 as pay
from tests.support.collecting import Collector
from tests.support.contract import unavailable
from tests.support.faults import bad_fields, fault
from tests.support.till import Till

BACK = "https://portal.example/top-ups/1?tab=2"
ACTION_REQUIRED, OPEN = pay.PAYMENT_STATE_ACTION_REQUIRED, pay.PAYMENT_STATE_OPEN


async def confirm(redirect_url: str, outcome: str) -> str:
    """Answer at the bank's page as the payer; returns where the bank sends the payer."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert "3-D Secure" in (await browser.get(redirect_url)).text
        sent = await browser.post(redirect_url, data={"outcome": outcome})
    assert sent.status_code == 303
    return sent.headers["location"]


async def test_the_payer_confirms_at_the_bank_and_comes_back(till: Till) -> None:
    top_up = await till.order()
    await till.save_card(top_up, SECURE_CARD)
    charge = till.charge(top_up)
    charge.return_url = BACK

    asked = await till.stub.PayTopUp(charge)
    waits = await till.payment(top_up)
    assert (asked.top_up.status, waits.state) == (pb.TOP_UP_STATUS_PENDING_PAYMENT, ACTION_REQUIRED)
    back = await confirm(waits.redirect_url, "succeeded")

    assert back.startswith(f"{BACK}&payment_intent={waits.provider_payment_id}&")
    after = await till.payment(top_up)
    assert (after.state, after.redirect_url) == (pay.PAYMENT_STATE_SUCCEEDED, "")
    assert (await till.now(top_up)).status == pb.TOP_UP_STATUS_PAID
    assert till.granted() == [top_up.top_up_id]


async def test_a_payer_whom_the_bank_refuses_can_pay_with_another_card(till: Till) -> None:
    top_up = await till.order()
    await till.save_card(top_up, SECURE_CARD)
    charge = till.charge(top_up)
    charge.return_url = BACK
    await till.stub.PayTopUp(charge)

    await confirm((await till.payment(top_up)).redirect_url, "failed")
    assert (await till.payment(top_up)).state == OPEN
    refused = await till.now(top_up)
    assert refused.last_payment_error.code == "payment_intent_authentication_failure"
    await till.save_card(top_up)
    again = till.charge(top_up)
    again.return_url = BACK

    assert (await till.stub.PayTopUp(again)).top_up.status == pb.TOP_UP_STATUS_PAID
    assert len(await till.stripe.payments()) == 1


async def test_nobody_is_sent_anywhere_while_nobody_is_present(till: Till) -> None:
    top_up = await till.order()
    await till.save_card(top_up, SECURE_CARD)

    await till.stub.PayTopUp(till.charge(top_up))
    waits = await till.payment(top_up)
    assert (waits.state, waits.redirect_url) == (ACTION_REQUIRED, "")
    present = till.charge(top_up)
    present.return_url = BACK
    await till.stub.PayTopUp(present)

    assert (await till.payment(top_up)).redirect_url.startswith(till.stripe.address)


async def test_an_invoice_is_confirmed_at_the_bank_too(collector: Collector) -> None:
    customer = await collector.customer()
    await collector.save_card(customer.customer_id, SECURE_CARD)
    signed = await collector.sign(customer.customer_id, method=pb.COLLECTION_METHOD_SEND)
    invoice_id = signed.invoices[0].invoice_id
    request = collector.pay(invoice_id)
    request.return_url = BACK

    attempt = await collector.till.stub.PayInvoice(request)
    assert attempt.state == ACTION_REQUIRED
    await confirm((await collector.payment(invoice_id)).redirect_url, "succeeded")

    assert (await collector.payment(invoice_id)).state == pay.PAYMENT_STATE_SUCCEEDED
    assert (await collector.invoice(invoice_id)).status == pb.INVOICE_STATUS_PAID


async def test_an_attempt_whose_reply_is_lost_is_repeated_with_the_same_return_url(
    collector: Collector,
) -> None:
    customer = await collector.customer()
    await collector.save_card(customer.customer_id, SECURE_CARD)
    signed = await collector.sign(customer.customer_id, method=pb.COLLECTION_METHOD_SEND)
    invoice_id = signed.invoices[0].invoice_id
    request = collector.pay(invoice_id)
    request.return_url = BACK
    stripe = collector.till.stripe
    stripe.faults = [None, None, Fault(500, is_done=True)]  # created, asked, confirmed without a reply

    with unavailable("PAYMENT_PROVIDER_UNAVAILABLE"):
        await collector.till.stub.PayInvoice(request)
    confirmed = [call for call in stripe.calls if call.endswith("/confirm")]
    attempt = await collector.till.stub.PayInvoice(request)

    assert len(confirmed) == 1
    assert attempt.state == ACTION_REQUIRED
    assert stripe.return_url((await collector.payment(invoice_id)).provider_payment_id) == BACK


async def test_a_return_url_is_an_absolute_address_of_at_most_1000_characters(till: Till) -> None:
    relative = ("/top-ups", "portal.example/top-ups", "javascript:alert(1)", "https://a b", "https://é/")

    for url in (*relative, "https://a/" + "x" * 991):
        with bad_fields("return_url"):
            await till.stub.PayTopUp(
                pay.PayTopUpRequest(request_id="1", top_up_id="top_unknown", return_url=url)
            )
        with bad_fields("return_url"):
            await till.stub.PayInvoice(
                pay.PayInvoiceRequest(request_id="1", invoice_id="inv_unknown", return_url=url)
            )
    with fault(StatusCode.NOT_FOUND, "TOP_UP_NOT_FOUND"):
        longest = "https://a/" + "x" * 990
        await till.stub.PayTopUp(
            pay.PayTopUpRequest(request_id="1", top_up_id="top_unknown", return_url=longest)
        )


async def test_the_saved_card_is_shown_by_its_label(till: Till, collector: Collector) -> None:
    customer = (await collector.customer()).customer_id
    asked = pay.GetPaymentMethodRequest(customer=customer)
    assert not (await till.stub.GetPaymentMethod(asked)).HasField("payment_method")

    await collector.save_card(customer, DECLINED_CARD)
    saved_id = await collector.save_card(customer)

    saved = (await till.stub.GetPaymentMethod(asked)).payment_method
    assert (saved.label, saved.payment_method_id, saved.customer_id) == ("visa ···· 4242", saved_id, customer)
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await till.stub.GetPaymentMethod(pay.GetPaymentMethodRequest(customer="nobody"))
    with bad_fields("customer"):
        await till.stub.GetPaymentMethod(pay.GetPaymentMethodRequest())


async def test_lists_of_money_come_newest_first_if_asked(till: Till, collector: Collector) -> None:
    customer = (await collector.customer()).customer_id
    signed = [
        await collector.sign(customer, method=pb.COLLECTION_METHOD_SEND, seats=seats) for seats in (1, 2, 3)
    ]
    contract_id = signed[0].contract.contract_id
    for _ in range(3):
        await till.desk.contract.OrderTopUp(
            pb.OrderTopUpRequest(
                request_id=till.desk.request_id(),
                contract_id=contract_id,
                top_up_pack_id=till.desk.sells.pack.top_up_pack_id,
                payment_gate=pb.PAYMENT_GATE_STRIPE,
            )
        )

    stub = till.desk.contract
    oldest = await stub.ListInvoices(pb.ListInvoicesRequest(customer=customer))
    first = await stub.ListInvoices(pb.ListInvoicesRequest(customer=customer, newest_first=True, page_size=4))
    rest = await stub.ListInvoices(
        pb.ListInvoicesRequest(
            customer=customer, newest_first=True, page_size=4, page_token=first.next_page_token
        )
    )
    top_ups = await stub.ListTopUps(pb.ListTopUpsRequest(contract_id=contract_id))
    latest = await stub.ListTopUps(
        pb.ListTopUpsRequest(contract_id=contract_id, newest_first=True, page_size=2)
    )
    last = await stub.ListTopUps(
        pb.ListTopUpsRequest(
            contract_id=contract_id, newest_first=True, page_size=2, page_token=latest.next_page_token
        )
    )

    assert len(oldest.invoices) == 6
    assert [*first.invoices, *rest.invoices] == list(reversed(oldest.invoices))
    assert [*latest.top_ups, *last.top_ups] == list(reversed(top_ups.top_ups))
    with bad_fields("page_token"):
        await stub.ListInvoices(pb.ListInvoicesRequest(customer=customer, page_token=first.next_page_token))
    with bad_fields("page_token"):
        await stub.ListTopUps(
            pb.ListTopUpsRequest(contract_id=contract_id, page_token=latest.next_page_token)
        )
