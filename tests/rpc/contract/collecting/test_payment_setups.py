# SPDX-License-Identifier: Apache-2.0
"""Saving a payment method in the browser: CreatePaymentSetup, GetPaymentSetup, webhooks, and Stripe that fails."""

from datetime import timedelta

import pytest
from grpc import StatusCode

from deploy.local.stripe import SECURE_CARD, Fault
from meshkit.rpc.client import open_channel
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import payments_pb2 as pay
from purser.contract.v1.payments_pb2_grpc import PaymentServiceStub
from tests.support.catalog import RunningCatalog
from tests.support.contract import running_contract, unavailable
from tests.support.faults import bad_fields, fault
from tests.support.postgres import Databases
from tests.support.till import Till

MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)
OPEN, SUCCEEDED = pay.PAYMENT_SETUP_STATE_OPEN, pay.PAYMENT_SETUP_STATE_SUCCEEDED


async def begin(till: Till, customer: str) -> pay.PaymentSetup:
    request = pay.CreatePaymentSetupRequest(request_id=till.desk.request_id(), customer=customer)
    return (await till.stub.CreatePaymentSetup(request)).payment_setup


async def now(till: Till, setup: pay.PaymentSetup) -> pay.PaymentSetup:
    asked = pay.GetPaymentSetupRequest(payment_setup_id=setup.payment_setup_id)
    return (await till.stub.GetPaymentSetup(asked)).payment_setup


async def is_charged(till: Till, top_up: pb.TopUp) -> bool:
    """Return whether a top-up is paid with the saved method."""
    return (await till.stub.PayTopUp(till.charge(top_up))).top_up.status == pb.TOP_UP_STATUS_PAID


async def test_a_card_is_saved_in_the_browser_and_pays_when_nobody_is_present(till: Till) -> None:
    top_up = await till.order()
    setup = await begin(till, top_up.customer_id)
    assert (setup.state, setup.customer_id) == (OPEN, top_up.customer_id)
    assert setup.client_secret.startswith(f"{setup.provider_setup_id}_secret_")

    await till.stripe.save_in_browser(setup.client_secret, await till.stripe.card())
    after = await now(till, setup)

    assert (after.state, after.client_secret) == (SUCCEEDED, "")
    assert await is_charged(till, top_up)


async def test_a_webhook_tells_that_the_card_was_saved(till: Till) -> None:
    top_up = await till.order()
    setup = await begin(till, top_up.customer_id)
    await till.stripe.save_in_browser(setup.client_secret, await till.stripe.card())
    await till.run_due()
    with fault(StatusCode.FAILED_PRECONDITION, "PAYMENT_METHOD_MISSING"):
        await is_charged(till, top_up)

    [event] = till.stripe.held
    for _ in range(2):
        assert await till.stripe.post(event) == 204
        await till.run_due()

    assert await is_charged(till, top_up)


async def test_a_setup_whose_webhook_is_lost_is_found_within_a_minute(till: Till) -> None:
    top_up = await till.order()
    setup = await begin(till, top_up.customer_id)
    await till.stripe.save_in_browser(setup.client_secret, await till.stripe.card())

    till.wall.advance(MINUTE - TICK)
    await till.run_due()
    with fault(StatusCode.FAILED_PRECONDITION, "PAYMENT_METHOD_MISSING"):
        await is_charged(till, top_up)
    till.wall.advance(TICK)
    await till.run_due()

    assert await is_charged(till, top_up)


async def test_after_a_day_only_a_webhook_or_a_question_finds_it(till: Till) -> None:
    setup = await begin(till, (await till.desk.customer()).customer_id)
    question = f"GET /v1/setup_intents/{setup.provider_setup_id}"
    for _ in range(40):
        till.wall.advance(timedelta(hours=1))
        await till.run_due()
    asked = till.stripe.calls.count(question)
    till.wall.advance(timedelta(days=1))
    await till.run_due()
    assert till.stripe.calls.count(question) == asked > 0

    await till.stripe.save_in_browser(setup.client_secret, await till.stripe.card())
    await till.stripe.post(till.stripe.held[0])
    await till.run_due()

    assert till.stripe.calls.count(question) == asked + 1


async def test_the_payer_confirms_a_card_that_asks_for_3d_secure(till: Till) -> None:
    customer = await till.desk.customer()
    setup = await begin(till, customer.customer_id)

    await till.stripe.save_in_browser(setup.client_secret, await till.stripe.card(SECURE_CARD))

    waits = await now(till, setup)
    assert waits.state == pay.PAYMENT_SETUP_STATE_ACTION_REQUIRED
    assert waits.client_secret == setup.client_secret


async def test_a_customer_is_made_at_stripe_once(till: Till) -> None:
    top_up = await till.order()
    saved = await till.save_card(top_up)
    known = await begin(till, top_up.customer_id)
    other = await till.desk.customer("Globex")
    first = await begin(till, other.customer_id)
    second = await begin(till, other.customer_id)

    assert known.provider_customer_id == saved.provider_customer_id
    assert first.provider_customer_id == second.provider_customer_id != saved.provider_customer_id
    assert first.provider_setup_id != second.provider_setup_id
    assert till.stripe.calls.count("POST /v1/customers") == 1


@pytest.mark.parametrize("at", [0, 1, 2], ids=["customer", "setup", "question"])
@pytest.mark.parametrize("is_done", [False, True], ids=["refused", "lost reply"])
async def test_a_repeated_call_makes_one_setup(till: Till, at: int, is_done: bool) -> None:
    customer = await till.desk.customer()
    till.stripe.faults = [*[None] * at, Fault(500, is_done)]
    request = pay.CreatePaymentSetupRequest(request_id=till.desk.request_id(), customer=customer.customer_id)

    with unavailable("PAYMENT_PROVIDER_UNAVAILABLE"):
        await till.stub.CreatePaymentSetup(request)
    setup = (await till.stub.CreatePaymentSetup(request)).payment_setup

    assert setup.state == OPEN
    assert setup.client_secret
    assert (await till.stub.CreatePaymentSetup(request)).payment_setup == setup
    [known] = await till.stripe.setups()
    assert known["id"] == setup.provider_setup_id


async def test_setups_need_a_customer_and_a_key(
    databases: Databases, running_catalog_service: RunningCatalog, till: Till
) -> None:
    customer = await till.desk.customer()
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await begin(till, "nobody")
    with fault(StatusCode.NOT_FOUND, "PAYMENT_SETUP_NOT_FOUND", payment_setup_id="pst_none"):
        await now(till, pay.PaymentSetup(payment_setup_id="pst_none"))
    with bad_fields("request_id", "customer"):
        await till.stub.CreatePaymentSetup(pay.CreatePaymentSetupRequest())
    with bad_fields("payment_setup_id"):
        await till.stub.GetPaymentSetup(pay.GetPaymentSetupRequest())
    async with (
        running_contract(databases, catalog_address=running_catalog_service.address) as keyless,
        open_channel(keyless.address) as channel,
    ):
        with fault(StatusCode.FAILED_PRECONDITION, "PAYMENTS_NOT_SET_UP"):
            await PaymentServiceStub(channel).CreatePaymentSetup(
                pay.CreatePaymentSetupRequest(request_id="keyless", customer=customer.customer_id)
            )
