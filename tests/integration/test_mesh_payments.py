# SPDX-License-Identifier: Apache-2.0
"""kill -9 of a Contract while Stripe takes the money: what was paid is granted once, however it is found out."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from grpc.aio import AioRpcError
from starlette.requests import Request

from deploy.local.ports import HOST, free_port
from deploy.local.stripe import StripeStandIn, running_stripe
from meshkit.quantity import MICROS
from purser.contract.v1 import contract_pb2 as contract
from purser.contract.v1 import payments_pb2 as payments
from purser.ledger.v1 import ledger_admin_pb2 as admin
from tests.support.mesh import Acme, SwitchedMesh, acme_at, process_mesh, until
from tests.support.postgres import Databases


@pytest.fixture
async def stripe() -> AsyncIterator[StripeStandIn]:
    async with running_stripe() as stand_in:
        stand_in.holds_webhooks = True
        yield stand_in


async def _ordered(acme: Acme, stripe: StripeStandIn) -> str:
    """Order a pack to be paid through Stripe, with a card saved; returns the top_up_id."""
    ordered = await acme.stubs.contract.OrderTopUp(
        contract.OrderTopUpRequest(
            request_id=acme.request_id(),
            contract_id=acme.contract.contract_id,
            top_up_pack_id=acme.offer.pack,
            payment_gate=contract.PAYMENT_GATE_STRIPE,
        )
    )
    await acme.stubs.payments.SetPaymentMethod(
        payments.SetPaymentMethodRequest(
            request_id=acme.request_id(),
            customer="acme",
            provider_customer_id=await stripe.customer(),
            payment_method_id=await stripe.card(),
        )
    )
    return ordered.top_up.top_up_id


@pytest.mark.parametrize("found_by", ["a retry", "a webhook"])
async def test_a_contract_killed_between_charge_and_commit_grants_what_was_paid_once(
    databases: Databases, tmp_path: Path, stripe: StripeStandIn, found_by: str
) -> None:
    settings = stripe.settings(f"{HOST}:{free_port()}")
    charged, released = asyncio.Event(), asyncio.Event()

    async def wait(call: Request) -> None:
        if call.url.path.endswith("/confirm"):
            charged.set()
            await released.wait()

    async with SwitchedMesh(databases) as others:
        processes = process_mesh(databases, tmp_path, addresses=others.addresses, payments=settings)
        try:
            await processes.start("contract")
            await others.start("catalog", "ledger", "alert")
            async with acme_at(others.addresses) as acme:
                top_up_id = await _ordered(acme, stripe)
                charge = payments.PayTopUpRequest(request_id=acme.request_id(), top_up_id=top_up_id)
                stripe.before_reply = wait
                paying = asyncio.ensure_future(acme.stubs.payments.PayTopUp(charge))
                await charged.wait()
                await processes.kill("contract")
                released.set()
                with pytest.raises(AioRpcError):
                    await paying
                await processes.start("contract")

                if found_by == "a retry":
                    paid = await acme.stubs.payments.PayTopUp(charge, wait_for_ready=True)
                    assert paid.top_up.status == contract.TOP_UP_STATUS_PAID
                else:
                    assert await stripe.post(stripe.held[0]) == 204

                await until(acme.available, lambda available: available == 1_400 * MICROS)
                assert await acme.entries(admin.ENTRY_KIND_GRANT) == [1_000 * MICROS, 400 * MICROS]
                [payment] = await stripe.payments()
                assert payment["amount_received"] == 8_000
                await acme.assert_adds_up()
        finally:
            await processes.stop()


async def test_a_contract_killed_while_stripe_returns_money_returns_it_once(
    databases: Databases, tmp_path: Path, stripe: StripeStandIn
) -> None:
    settings = stripe.settings(f"{HOST}:{free_port()}")
    refunded, released = asyncio.Event(), asyncio.Event()

    async def wait(call: Request) -> None:
        if (call.method, call.url.path) == ("POST", "/v1/refunds"):
            refunded.set()
            await released.wait()

    async with SwitchedMesh(databases) as others:
        processes = process_mesh(databases, tmp_path, addresses=others.addresses, payments=settings)
        try:
            await processes.start("contract")
            await others.start("catalog", "ledger", "alert")
            async with acme_at(others.addresses) as acme:
                top_up_id = await _ordered(acme, stripe)
                charge = payments.PayTopUpRequest(request_id=acme.request_id(), top_up_id=top_up_id)
                await acme.stubs.payments.PayTopUp(charge)
                await until(acme.available, lambda available: available == 1_400 * MICROS)
                stripe.before_reply = wait
                refund = contract.RefundTopUpRequest(
                    request_id=acme.request_id(), top_up_id=top_up_id, reason="bought by mistake"
                )
                refunding = asyncio.ensure_future(acme.stubs.contract.RefundTopUp(refund))
                await refunded.wait()
                await processes.kill("contract")
                released.set()
                stripe.before_reply = None
                # A day later, only the refund itself is known to Stripe.
                stripe.forget_keys()
                with pytest.raises(AioRpcError):
                    await refunding
                await processes.start("contract")

                async def status() -> int:
                    shown = await acme.stubs.contract.GetTopUp(
                        contract.GetTopUpRequest(top_up_id=top_up_id), wait_for_ready=True
                    )
                    [one] = shown.refunds
                    return one.status

                await until(status, lambda status: status == contract.TOP_UP_REFUND_STATUS_RETURNED)
                assert [one["amount"] for one in await stripe.refunds()] == [8_000]
                assert await acme.available() == 400 * MICROS
                assert await acme.entries(admin.ENTRY_KIND_VOID) == [-1_000 * MICROS]
                await acme.assert_adds_up()
        finally:
            await processes.stop()
