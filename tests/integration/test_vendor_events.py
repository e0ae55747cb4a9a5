# SPDX-License-Identifier: Apache-2.0
"""Contract's events reach the vendor through Alert: signed, once, and only at endpoints that ask for them."""

from collections.abc import AsyncIterator

import pytest

from deploy.local.ports import HOST, free_port
from deploy.local.stripe import DECLINED_CARD, StripeStandIn, running_stripe
from deploy.local.webhook_receiver import WebhookReceiver
from purser.alert.v1 import alert_pb2 as alert
from purser.contract.v1 import contract_pb2 as contract
from purser.contract.v1 import payments_pb2 as payments
from tests.support.alert import running_receiver
from tests.support.mail_receiver import running_mail_receiver
from tests.support.mesh import JUNE, Acme, SwitchedMesh, acme_at, advance, forget_deliveries, pending, until
from tests.support.postgres import Databases

CREDIT = 1_000_000
TYPES = ["top_up.paid", "top_up.declined", "invoice.paid"]


@pytest.fixture
async def stripe() -> AsyncIterator[StripeStandIn]:
    async with running_stripe() as stand_in:
        yield stand_in


async def _endpoint(acme: Acme, receiver: WebhookReceiver, *event_types: str) -> None:
    request = alert.CreateWebhookEndpointRequest(
        request_id=acme.request_id(), url=receiver.url, event_types=event_types
    )
    receiver.secret = (await acme.stubs.alert.CreateWebhookEndpoint(request)).secret


async def _pay(acme: Acme, stripe: StripeStandIn, top_up: contract.TopUp, *card: str) -> None:
    await acme.stubs.payments.SetPaymentMethod(
        payments.SetPaymentMethodRequest(
            request_id=acme.request_id(),
            customer="acme",
            provider_customer_id=await stripe.customer(),
            payment_method_id=await stripe.card(*card),
        )
    )
    await acme.stubs.payments.PayTopUp(
        payments.PayTopUpRequest(request_id=acme.request_id(), top_up_id=top_up.top_up_id)
    )


async def _told(databases: Databases) -> None:
    await until(lambda: pending(databases, ["contract"]), lambda count: count == 0)


async def test_a_top_up_that_is_paid_through_stripe_is_posted_once_to_those_who_ask(
    databases: Databases, stripe: StripeStandIn
) -> None:
    settings = stripe.settings(f"{HOST}:{free_port()}")
    async with (
        running_receiver() as asking,
        running_receiver() as alerts,
        SwitchedMesh(databases, payments=settings) as mesh,
    ):
        await mesh.start()
        async with acme_at(mesh.addresses) as acme:
            await _told(databases)
            await _endpoint(acme, alerts)
            await _endpoint(acme, asking, *TYPES)
            ordered = await acme.stubs.contract.OrderTopUp(
                contract.OrderTopUpRequest(
                    request_id=acme.request_id(),
                    contract_id=acme.contract.contract_id,
                    top_up_pack_id=acme.offer.pack,
                    payment_gate=contract.PAYMENT_GATE_STRIPE,
                )
            )
            await _pay(acme, stripe, ordered.top_up, DECLINED_CARD)
            declined = await asking.next_event()
            await _pay(acme, stripe, ordered.top_up)
            rest = [await asking.next_event(), await asking.next_event()]
            # All that Contract has said, it says again.
            await _told(databases)
            assert await forget_deliveries(databases, "contract") >= 4
            await advance(acme.stubs, JUNE)
            await _told(databases)
            listed = (await acme.stubs.alert.ListDeliveries(alert.ListDeliveriesRequest())).deliveries

    assert (declined.event_type, declined.data["last_payment_error"]["code"]) == (
        "top_up.declined",
        "card_declined",
    )
    posted = {one.event_type: one.data for one in rest}
    assert set(posted) == {"top_up.paid", "invoice.paid"}
    assert posted["top_up.paid"]["top_up_id"] == ordered.top_up.top_up_id
    assert posted["top_up.paid"]["amount_micros"] == 1_000 * CREDIT
    assert posted["invoice.paid"]["invoice_id"] == ordered.invoice.invoice_id
    assert [one.verified for one in asking.received] == [True] * 3
    assert sorted(one.event_type for one in listed) == sorted(TYPES)
    assert alerts.received == []


async def test_events_wait_for_an_alert_that_is_down_and_credits_do_not(databases: Databases) -> None:
    async with running_receiver() as receiver, SwitchedMesh(databases) as mesh:
        await mesh.start()
        async with acme_at(mesh.addresses) as acme:
            await _endpoint(acme, receiver, "top_up.paid")
            await mesh.stop("alert")

            top_up = await acme.buy()
            await until(acme.available, lambda available: available == 1_400 * CREDIT)
            assert await pending(databases, ["contract"]) > 0

            await mesh.start("alert")
            event = await receiver.next_event(30)

    assert (event.event_type, event.data["top_up_id"]) == ("top_up.paid", top_up.top_up_id)
    assert event.verified


async def test_a_large_invoice_is_mailed_and_posted_until_it_is_paid(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        running_receiver() as receiver,
        running_mail_receiver() as mails,
        SwitchedMesh(databases) as mesh,
    ):
        for name, value in mails.settings.items():
            monkeypatch.setenv(f"PURSER_ALERT_{name.upper()}", str(value))
        await mesh.start()
        async with acme_at(mesh.addresses) as acme:
            await _endpoint(acme, receiver)
            await acme.stubs.alert.CreateWebhookEndpoint(
                alert.CreateWebhookEndpointRequest(
                    request_id=acme.request_id(),
                    kind=alert.ENDPOINT_KIND_EMAIL,
                    recipients=["ann@vendor.example"],
                )
            )
            [invoice] = (
                await acme.stubs.contract.ListInvoices(contract.ListInvoicesRequest(customer="acme"))
            ).invoices
            watched = await acme.stubs.alert.CreateAlert(
                alert.CreateAlertRequest(
                    request_id=acme.request_id(),
                    name="A large invoice",
                    alert_type=alert.ALERT_TYPE_INVOICE_TOTAL,
                    threshold_micros=invoice.total.micros,
                    currency_code="USD",
                )
            )
            alarm, mail = await receiver.next_event(), await mails.next_mail()
            await acme.stubs.contract.RecordInvoicePayment(
                contract.RecordInvoicePaymentRequest(
                    request_id=acme.request_id(),
                    invoice_id=invoice.invoice_id,
                    amount=invoice.amount_due,
                    reference="wire 1",
                )
            )
            resolved, second = await receiver.next_event(), await mails.next_mail()

    assert (alarm.event_type, resolved.event_type) == ("alert.in_alarm", "alert.resolved")
    for event in (alarm, resolved):
        assert event.data["alert_id"] == watched.alert.alert_id
        assert event.data["group_value"] == invoice.invoice_id
        assert event.data["value_micros"] == invoice.total.micros
    assert mail.message["Subject"] == "In alarm: A large invoice"
    assert second.message["Subject"] == "Resolved: A large invoice"
    assert f"Invoice {invoice.invoice_id} of customer {acme.contract.customer_id}" in mail.text()
