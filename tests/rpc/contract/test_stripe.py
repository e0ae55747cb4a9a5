# SPDX-License-Identifier: Apache-2.0
"""Top-ups paid through Stripe: PaymentService, webhooks, questions to Stripe, and everything that can go wrong."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from prometheus_client import REGISTRY

from deploy.local.stripe import (
    API_KEY,
    DECLINED_CARD,
    SECURE_CARD,
    WEBHOOK_SECRET,
    Fault,
    StripeStandIn,
    local_stripe,
    stripe_stand_in,
)
from meshkit.clock import ManualClock
from meshkit.db import open_engine
from meshkit.ids import Ids
from meshkit.rpc.client import open_channel
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import payments_pb2 as pay
from purser.contract.v1 import self_service_pb2 as own
from purser.contract.v1.payments_pb2_grpc import PaymentServiceStub
from purser.contract.v1.self_service_pb2_grpc import SelfServiceStub
from services.contract import meters
from services.contract.store import PostgresStore
from tests.support.catalog import JUNE, RunningCatalog
from tests.support.contract import Desk, RunningContract, running_contract, unavailable
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases
from tests.support.till import Till, open_till, paid_contract

MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
PENDING, PAID = pb.TOP_UP_STATUS_PENDING_PAYMENT, pb.TOP_UP_STATUS_PAID
NEXT_SECRET = "whsec_of_the_next_endpoint"


@pytest.fixture(scope="module")
def localstripe() -> Iterator[str]:
    with local_stripe() as address:
        yield address


@pytest.fixture
async def stripe(localstripe: str) -> AsyncIterator[StripeStandIn]:
    async with stripe_stand_in(localstripe) as stand_in:
        stand_in.holds_webhooks = True
        yield stand_in


@pytest.fixture
def wall() -> ManualClock:
    return ManualClock(datetime.now(UTC))


@pytest.fixture
async def running(
    databases: Databases,
    running_catalog_service: RunningCatalog,
    ledger: RecordingLedger,
    stripe: StripeStandIn,
    wall: ManualClock,
) -> AsyncIterator[RunningContract]:
    async with paid_contract(
        databases,
        stripe,
        catalog_address=running_catalog_service.address,
        ledger_address=ledger.address,
        wall=wall,
        more_secrets=f", {NEXT_SECRET}",
    ) as service:
        yield service


@pytest.fixture
async def till(
    desk: Desk, running: RunningContract, wall: ManualClock, stripe: StripeStandIn, ledger: RecordingLedger
) -> AsyncIterator[Till]:
    async with open_till(desk, running, wall=wall, stripe=stripe, ledger=ledger) as opened:
        yield opened


async def test_a_customer_pays_in_the_browser_and_the_webhook_tells(till: Till) -> None:
    top_up = await till.order()
    asked = await till.payment(top_up)
    assert (asked.state, asked.amount.micros) == (pay.PAYMENT_STATE_OPEN, 80_000_000)

    await till.stripe.pay_in_browser(asked.client_secret, await till.stripe.card())
    await till.run_due()
    assert (await till.now(top_up)).status == PENDING
    [event] = till.stripe.held
    assert await till.stripe.post(event) == 204
    await till.run_due()

    paid = await till.now(top_up)
    assert (paid.status, paid.payment_reference) == (PAID, asked.provider_payment_id)
    assert till.granted() == [top_up.top_up_id]
    after = await till.payment(top_up)
    assert (after.state, after.client_secret) == (pay.PAYMENT_STATE_SUCCEEDED, "")


async def test_a_payment_whose_webhook_is_lost_is_found_within_a_minute(till: Till) -> None:
    top_up = await till.order()
    asked = await till.stub.GetTopUpPayment(pay.GetTopUpPaymentRequest(top_up_id=top_up.top_up_id))
    await till.stripe.pay_in_browser(asked.client_secret, await till.stripe.card())

    till.wall.advance(MINUTE - TICK)
    await till.run_due()
    assert (await till.now(top_up)).status == PENDING
    till.wall.advance(TICK)
    await till.run_due()

    assert (await till.now(top_up)).status == PAID
    assert till.granted() == [top_up.top_up_id]


async def test_a_declined_card_can_be_followed_by_another(till: Till) -> None:
    top_up = await till.order()
    await till.save_card(top_up, DECLINED_CARD)

    declined = await till.stub.PayTopUp(till.charge(top_up))
    assert declined.top_up.status == PENDING
    assert declined.top_up.last_payment_error.code == "card_declined"
    assert declined.top_up.last_payment_error.message == "Your card was declined."
    saved = await till.save_card(top_up)
    assert saved.label == "visa ···· 4242"
    paid = await till.stub.PayTopUp(till.charge(top_up))

    assert (paid.top_up.status, paid.invoice.status) == (PAID, pb.INVOICE_STATUS_PAID)
    assert len(await till.stripe.payments()) == 1
    assert till.granted() == [top_up.top_up_id]


async def test_3d_secure_waits_for_the_payer(till: Till) -> None:
    top_up = await till.order()
    await till.save_card(top_up, SECURE_CARD)

    waits = await till.stub.PayTopUp(till.charge(top_up))
    asked = await till.payment(top_up)
    assert (waits.top_up.status, asked.state) == (PENDING, pay.PAYMENT_STATE_ACTION_REQUIRED)
    await till.stripe.authenticate(asked.client_secret, succeeds=True)

    assert (await till.payment(top_up)).state == pay.PAYMENT_STATE_SUCCEEDED
    assert (await till.now(top_up)).status == PAID
    assert till.granted() == [top_up.top_up_id]


async def test_3d_secure_that_fails_leaves_the_top_up_open(till: Till) -> None:
    top_up = await till.order()
    await till.save_card(top_up, SECURE_CARD)
    await till.stub.PayTopUp(till.charge(top_up))

    await till.stripe.authenticate((await till.payment(top_up)).client_secret, succeeds=False)

    assert (await till.payment(top_up)).state == pay.PAYMENT_STATE_OPEN
    failed = await till.now(top_up)
    assert (failed.status, failed.last_payment_error.code) == (
        PENDING,
        "payment_intent_authentication_failure",
    )


@pytest.mark.parametrize("is_done", [False, True], ids=["refused", "lost reply"])
@pytest.mark.parametrize("status_code", [429, 500])
async def test_an_order_waits_for_a_stripe_that_fails_and_exists_there_once(
    till: Till, status_code: int, is_done: bool
) -> None:
    till.stripe.faults = [Fault(status_code, is_done)]

    top_up = await till.order()
    assert top_up.status == PENDING
    await till.run_due()

    assert (await till.payment(top_up)).state == pay.PAYMENT_STATE_OPEN
    assert len(await till.stripe.payments()) == 1


async def test_a_charge_whose_reply_is_lost_charges_once(till: Till) -> None:
    top_up = await till.order()
    await till.save_card(top_up)
    charge = till.charge(top_up)
    till.stripe.faults = [None, None, Fault(500, is_done=True)]  # asked, its customer named, confirmed

    with unavailable("PAYMENT_PROVIDER_UNAVAILABLE"):
        await till.stub.PayTopUp(charge)
    assert (await till.now(top_up)).status == PENDING
    paid = await till.stub.PayTopUp(charge)

    assert paid.top_up.status == PAID
    assert await till.stub.PayTopUp(charge) == paid
    assert till.granted() == [top_up.top_up_id]
    [payment] = await till.stripe.payments()
    assert payment["amount_received"] == 8_000


async def test_a_charge_that_is_repeated_after_it_was_found_out_is_answered(till: Till) -> None:
    top_up = await till.order()
    await till.save_card(top_up)
    charge = till.charge(top_up)
    till.stripe.faults = [None, None, Fault(500, is_done=True)]
    with unavailable("PAYMENT_PROVIDER_UNAVAILABLE"):
        await till.stub.PayTopUp(charge)
    await till.stripe.post(till.stripe.held[0])
    await till.run_due()

    assert (await till.now(top_up)).status == PAID
    assert (await till.stub.PayTopUp(charge)).top_up.status == PAID
    assert (await till.stub.PayTopUp(till.charge(top_up))).top_up.status == PAID
    assert till.granted() == [top_up.top_up_id]


async def test_a_customer_s_own_order_waits_for_stripe(till: Till) -> None:
    signed = await till.desk.sign(till.desk.seats(4))
    order = own.BuyTopUpRequest(
        request_id=till.desk.request_id(),
        contract_id=signed.contract.contract_id,
        top_up_pack_id=till.desk.sells.pack.top_up_pack_id,
    )

    async with open_channel(till.running.address) as channel:
        bought = await SelfServiceStub(channel).BuyTopUp(order)

    assert bought.top_up.payment_gate == pb.PAYMENT_GATE_STRIPE
    assert (await till.payment(bought.top_up)).client_secret


async def test_a_cancelled_top_up_cannot_be_paid_any_more(till: Till) -> None:
    top_up = await till.order()
    asked = await till.payment(top_up)

    cancelled = await till.desk.contract.CancelTopUp(till.cancel(top_up))
    refused = await till.stripe.pay_in_browser(asked.client_secret, await till.stripe.card())

    assert (cancelled.top_up.status, cancelled.invoice.status) == (
        pb.TOP_UP_STATUS_CANCELLED,
        pb.INVOICE_STATUS_VOID,
    )
    assert refused["error"]["code"] == "payment_intent_unexpected_state"
    with fault(StatusCode.FAILED_PRECONDITION, "TOP_UP_ALREADY_RESOLVED", status="CANCELLED"):
        await till.stub.PayTopUp(till.charge(top_up, await till.stripe.card()))
    assert (await till.payment(top_up)).state == pay.PAYMENT_STATE_CANCELLED
    assert till.granted() == []


async def test_a_payment_that_is_made_before_it_is_cancelled_wins(till: Till) -> None:
    top_up = await till.order()
    asked = await till.payment(top_up)
    await till.stripe.pay_in_browser(asked.client_secret, await till.stripe.card())

    with fault(StatusCode.FAILED_PRECONDITION, "TOP_UP_ALREADY_RESOLVED", status="PAID"):
        await till.desk.contract.CancelTopUp(till.cancel(top_up))

    assert till.granted() == [top_up.top_up_id]


async def test_cancelling_and_paying_at_once_leaves_one_of_both(till: Till) -> None:
    for _ in range(4):
        top_up = await till.order()
        card = await till.stripe.card()

        await asyncio.gather(
            till.stub.PayTopUp(till.charge(top_up, card)),
            *(till.desk.contract.CancelTopUp(till.cancel(top_up)) for _ in range(3)),
            till.run_due(),
            return_exceptions=True,
        )

        status = (await till.now(top_up)).status
        assert status in (PAID, pb.TOP_UP_STATUS_CANCELLED)
        assert till.granted().count(top_up.top_up_id) == (status == PAID)


async def test_a_top_up_is_not_cancelled_before_stripe_confirms_it(till: Till) -> None:
    top_up = await till.order()
    till.stripe.faults = [Fault(500)]

    with unavailable("PAYMENT_PROVIDER_UNAVAILABLE"):
        await till.desk.contract.CancelTopUp(till.cancel(top_up))
    assert (await till.now(top_up)).status == PENDING
    await till.run_due()

    assert (await till.now(top_up)).status == pb.TOP_UP_STATUS_CANCELLED


async def test_an_order_expires_once_stripe_confirms_that_it_was_not_paid(till: Till) -> None:
    top_up = await till.order()
    till.stripe.faults = [Fault(500)]
    await till.running.advance_to(JUNE + timedelta(hours=24) - TICK)
    assert till.stripe.faults

    await till.running.advance_to(JUNE + timedelta(hours=24))
    assert (await till.now(top_up)).status == PENDING
    till.wall.advance(2 * MINUTE)
    await till.run_due()

    expired = await till.now(top_up)
    assert expired.status == pb.TOP_UP_STATUS_EXPIRED
    assert [one["status"] for one in await till.stripe.payments()] == ["canceled"]


async def test_what_was_paid_in_time_is_granted_although_it_is_heard_of_late(till: Till) -> None:
    top_up = await till.order()
    await till.stripe.pay_in_browser((await till.payment(top_up)).client_secret, await till.stripe.card())

    await till.running.advance_to(JUNE + timedelta(days=3))

    assert (await till.now(top_up)).status == PAID
    assert till.granted() == [top_up.top_up_id]


async def test_another_amount_than_ordered_is_given_back(till: Till) -> None:
    top_up = await till.order()
    asked = await till.payment(top_up)
    other = {"amount": 7_999}
    await till.stripe.behind.post(
        f"/v1/payment_intents/{asked.provider_payment_id}",
        json=other,
        headers={"Authorization": f"Bearer {API_KEY}"},
    )
    await till.stripe.pay_in_browser(asked.client_secret, await till.stripe.card())
    # Asked, asked for earlier refunds, refunded without a reply.
    till.stripe.faults = [None, None, Fault(500, is_done=True)]

    with unavailable("PAYMENT_PROVIDER_UNAVAILABLE"):
        await till.payment(top_up)
    owed = await till.now(top_up)
    till.wall.advance(2 * MINUTE)
    await till.run_due()

    assert (owed.status, owed.last_payment_error.code) == (pb.TOP_UP_STATUS_REFUND_DUE, "amount_differs")
    assert (await till.now(top_up)).status == pb.TOP_UP_STATUS_REFUNDED
    assert len(await till.stripe.refunds()) == 1
    assert till.granted() == []


async def test_only_webhooks_that_stripe_signed_within_five_minutes_are_accepted(till: Till) -> None:
    top_up = await till.order()
    await till.stripe.pay_in_browser((await till.payment(top_up)).client_secret, await till.stripe.card())
    [event] = till.stripe.held
    now = int(datetime.now(UTC).timestamp())

    assert await till.stripe.post(event, secret="whsec_forged") == 400
    assert await till.stripe.post(event, at=now - 310) == 400
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.post(till.stripe.webhook_url, json=event)).status_code == 400
        assert (await http.post(till.stripe.webhook_url, content=b"\xff" * 1_000_001)).status_code == 413
        assert (await http.get(till.stripe.webhook_url)).status_code == 405
    await till.run_due()
    assert (await till.now(top_up)).status == PENDING

    assert await till.stripe.post(event, secret=NEXT_SECRET, at=now - 290) == 204
    await till.run_due()
    assert (await till.now(top_up)).status == PAID


async def test_repeated_and_late_webhooks_change_nothing(till: Till) -> None:
    top_up = await till.order()
    asked = await till.payment(top_up)
    await till.stripe.pay_in_browser(asked.client_secret, await till.stripe.card(DECLINED_CARD))
    await till.stripe.pay_in_browser(asked.client_secret, await till.stripe.card())
    declined, paid = till.stripe.held

    for event in (paid, declined, paid, declined):
        assert await till.stripe.post(event) == 204
        await till.run_due()

    assert (await till.now(top_up)).status == PAID
    assert till.granted() == [top_up.top_up_id]


@pytest.mark.parametrize(
    "about",
    [
        {"object": "payment_intent", "id": "pi_of_another_account"},
        {"object": "charge", "payment_intent": "pi_of_another_account"},
        {"object": "customer", "id": "cus_1"},
        {"object": "payment_intent", "id": 7},
        "nothing",
    ],
)
async def test_a_signed_webhook_about_something_else_is_ignored(till: Till, about: object) -> None:
    top_up = await till.order()
    before = await till.now(top_up)
    asked = len(till.stripe.calls)

    assert await till.stripe.post({"data": {"object": about}}) == 204
    await till.run_due()

    assert await till.now(top_up) == before
    assert len(till.stripe.calls) == asked


async def test_what_stripe_will_never_take_fails(till: Till) -> None:
    till.stripe.faults = [Fault(500), Fault(400)]

    top_up = await till.order()
    with fault(StatusCode.FAILED_PRECONDITION, "TOP_UP_ALREADY_RESOLVED", status="FAILED"):
        await till.stub.PayTopUp(till.charge(top_up, "pm_1"))

    failed = await till.now(top_up)
    assert (failed.status, failed.last_payment_error.code) == (pb.TOP_UP_STATUS_FAILED, "invalid_request")
    assert (await till.payment(top_up)).state == pay.PAYMENT_STATE_CANCELLED


async def test_a_refused_key_is_no_answer(till: Till) -> None:
    till.stripe.faults = [Fault(401), Fault(403)]

    top_up = await till.order()
    with unavailable("PAYMENT_PROVIDER_UNAVAILABLE", details="it refuses the API key"):
        await till.payment(top_up)

    assert (await till.payment(top_up)).state == pay.PAYMENT_STATE_OPEN


async def test_a_payment_needs_a_method_that_the_customer_may_use(till: Till) -> None:
    top_up = await till.order()

    with fault(StatusCode.FAILED_PRECONDITION, "PAYMENT_METHOD_MISSING", customer_id=top_up.customer_id):
        await till.stub.PayTopUp(till.charge(top_up))
    with fault(StatusCode.FAILED_PRECONDITION, "PAYMENT_METHOD_UNKNOWN", payment_method_id="pm_none"):
        await till.stub.PayTopUp(till.charge(top_up, "pm_none"))
    saving = pay.SetPaymentMethodRequest(
        request_id=till.desk.request_id(),
        customer=top_up.customer_id,
        provider_customer_id=await till.stripe.customer(),
        payment_method_id="pm_none",
    )
    with fault(StatusCode.FAILED_PRECONDITION, "PAYMENT_METHOD_UNKNOWN", provider_code="resource_missing"):
        await till.stub.SetPaymentMethod(saving)
    saving.payment_method_id = await till.stripe.card()
    saving.customer = "nobody"
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await till.stub.SetPaymentMethod(saving)
    assert (await till.now(top_up)).status == PENDING


async def test_nobody_reports_what_stripe_is_asked(till: Till) -> None:
    top_up = await till.order()
    report = pb.ResolveTopUpPaymentRequest(
        request_id=till.desk.request_id(), top_up_id=top_up.top_up_id, outcome=pb.PAYMENT_OUTCOME_PAID
    )

    with fault(StatusCode.FAILED_PRECONDITION, "PAID_THROUGH_PROVIDER", top_up_id=top_up.top_up_id):
        await till.desk.contract.ResolveTopUpPayment(report)

    assert till.granted() == []


async def test_a_top_up_of_another_gate_has_no_payment_at_stripe(till: Till) -> None:
    signed = await till.desk.sign(till.desk.seats(4))
    ordered = await till.desk.contract.OrderTopUp(
        pb.OrderTopUpRequest(
            request_id=till.desk.request_id(),
            contract_id=signed.contract.contract_id,
            top_up_pack_id=till.desk.sells.pack.top_up_pack_id,
            payment_gate=pb.PAYMENT_GATE_EXTERNAL,
        )
    )

    with fault(StatusCode.FAILED_PRECONDITION, "NOT_PAID_THROUGH_PROVIDER"):
        await till.payment(ordered.top_up)
    with fault(StatusCode.FAILED_PRECONDITION, "NOT_PAID_THROUGH_PROVIDER"):
        await till.stub.PayTopUp(till.charge(ordered.top_up))
    with fault(StatusCode.NOT_FOUND, "TOP_UP_NOT_FOUND"):
        await till.payment(pb.TopUp(top_up_id="top_unknown"))


async def test_without_a_key_there_are_no_payments_through_stripe(
    databases: Databases, running_catalog_service: RunningCatalog, till: Till
) -> None:
    top_up = await till.order()

    async with (
        running_contract(databases, catalog_address=running_catalog_service.address) as keyless,
        open_channel(keyless.address) as channel,
    ):
        with fault(StatusCode.FAILED_PRECONDITION, "PAYMENTS_NOT_SET_UP"):
            await PaymentServiceStub(channel).GetPaymentMethod(
                pay.GetPaymentMethodRequest(customer=top_up.customer_id)
            )
        with fault(StatusCode.FAILED_PRECONDITION, "PAYMENTS_NOT_SET_UP"):
            await PaymentServiceStub(channel).GetTopUpPayment(
                pay.GetTopUpPaymentRequest(top_up_id=top_up.top_up_id)
            )
        with fault(StatusCode.FAILED_PRECONDITION, "PAYMENTS_NOT_SET_UP"):
            await keyless.stub.OrderTopUp(
                pb.OrderTopUpRequest(
                    request_id="keyless",
                    contract_id=top_up.contract_id,
                    top_up_pack_id=top_up.top_up_pack_id,
                    payment_gate=pb.PAYMENT_GATE_STRIPE,
                )
            )


async def test_all_bad_fields_of_payments_are_named_at_once(till: Till) -> None:
    with bad_fields("request_id", "customer", "provider_customer_id", "payment_method_id"):
        await till.stub.SetPaymentMethod(pay.SetPaymentMethodRequest())
    with bad_fields("request_id", "top_up_id", "payment_method_id"):
        await till.stub.PayTopUp(pay.PayTopUpRequest(payment_method_id="x" * 201))
    with bad_fields("top_up_id"):
        await till.stub.GetTopUpPayment(pay.GetTopUpPaymentRequest())


async def test_the_log_has_neither_the_key_nor_what_lets_one_pay(
    till: Till, capsys: pytest.CaptureFixture[str]
) -> None:
    till.stripe.faults = [Fault(401), Fault(500)]
    top_up = await till.order()
    with pytest.raises(AioRpcError):
        await till.payment(top_up)
    asked = await till.payment(top_up)
    await till.stripe.pay_in_browser(asked.client_secret, await till.stripe.card(DECLINED_CARD))
    await till.stripe.post(till.stripe.held[0], secret="whsec_forged")
    await till.run_due()

    said = capsys.readouterr().out
    assert "stripe_key_refused" in said
    assert "stripe_webhook_refused" in said
    for secret in (API_KEY, API_KEY[-6:], WEBHOOK_SECRET, asked.client_secret, DECLINED_CARD[-4:]):
        assert secret not in said


async def test_metrics_say_which_payments_are_open_and_how_late_they_are_asked_about(
    till: Till, databases: Databases
) -> None:
    def shown() -> tuple[float | None, float | None]:
        kind = {"kind": "top_up"}
        return (
            REGISTRY.get_sample_value("contract_open_payments", {**kind, "state": "OPEN"}),
            REGISTRY.get_sample_value("contract_payment_late_seconds", kind),
        )

    engine = open_engine(databases.url("contract"), application_name="meters")
    store = PostgresStore(engine, wall=till.wall, ids=Ids(till.wall))
    top_up = await till.order()
    await till.payment(top_up)

    await meters.measure(store, till.wall)
    in_time = shown()
    await meters.measure(store, ManualClock(till.wall.now() + timedelta(days=1)))
    late = shown()
    await till.save_card(top_up)
    await till.stub.PayTopUp(till.charge(top_up))
    await meters.measure(store, till.wall)
    await engine.dispose()

    assert (in_time, shown()) == ((1.0, 0.0), (0.0, 0.0))
    assert late[0] == 1.0
    assert late[1] is not None
    assert timedelta(hours=22) < timedelta(seconds=late[1]) < timedelta(days=1)
