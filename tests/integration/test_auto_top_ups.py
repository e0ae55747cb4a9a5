# SPDX-License-Identifier: Apache-2.0
"""Automatic top-ups on a running mesh: the debit that takes the pool to its level brings it back, by one paid order."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from starlette.requests import Request

from deploy.local.mesh import HOST, free_port
from deploy.local.stripe import StripeStandIn, running_stripe
from meshkit.quantity import MICROS
from purser.contract.v1 import auto_top_ups_pb2 as auto
from purser.contract.v1 import contract_pb2 as contract
from purser.contract.v1 import payments_pb2 as payments
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from purser.type.v1.money_pb2 import Money
from tests.support.mesh import Acme, SwitchedMesh, acme_at, process_mesh, secured, until
from tests.support.postgres import Databases

PAID = contract.TOP_UP_STATUS_PAID


@pytest.fixture
async def stripe() -> AsyncIterator[StripeStandIn]:
    async with running_stripe() as stand_in:
        yield stand_in


@pytest.fixture
def settings(stripe: StripeStandIn) -> Mapping[str, str]:
    return stripe.settings(f"{HOST}:{free_port()}")


async def _set(acme: Acme, stripe: StripeStandIn, *, threshold: int, recharge_to: int) -> str:
    """Save a card of Acme, which has 400 credits, and set its automatic top-up."""
    await acme.stubs.payments.SetPaymentMethod(
        payments.SetPaymentMethodRequest(
            request_id=acme.request_id(),
            customer="acme",
            provider_customer_id=await stripe.customer(),
            payment_method_id=await stripe.card(),
        )
    )
    made = await acme.stubs.auto_top_ups.SetAutoTopUp(
        auto.SetAutoTopUpRequest(
            request_id=acme.request_id(),
            contract_id=acme.contract.contract_id,
            top_up_pack_id=acme.offer.pack,
            threshold_micros=threshold * MICROS,
            recharge_to_micros=recharge_to * MICROS,
            monthly_limit=Money(currency_code="USD", micros=500 * MICROS),
        )
    )
    return made.auto_top_up.auto_top_up_id


async def _orders(acme: Acme) -> list[contract.TopUp]:
    asked = contract.ListTopUpsRequest(contract_id=acme.contract.contract_id)
    return list((await acme.stubs.contract.ListTopUps(asked)).top_ups)


async def _status(acme: Acme, auto_top_up_id: str) -> int:
    asked = auto.GetAutoTopUpRequest(auto_top_up_id=auto_top_up_id)
    return (await acme.stubs.auto_top_ups.GetAutoTopUp(asked)).auto_top_up.status


async def test_fifty_debits_at_once_bring_one_order_that_recharges_the_pool(
    databases: Databases, tmp_path: Path, stripe: StripeStandIn, settings: Mapping[str, str]
) -> None:
    access = secured(tmp_path)
    async with SwitchedMesh(databases, access=access, payments=settings) as mesh:
        await mesh.start()
        async with acme_at(mesh.addresses, access.identity) as acme:
            auto_top_up_id = await _set(acme, stripe, threshold=200, recharge_to=1_100)

            answers = await asyncio.gather(*(acme.debit(5) for _ in range(50)))
            await until(acme.available, lambda available: available == 1_150 * MICROS)

            assert {one.decision for one in answers} == {ledger.DECISION_ALLOWED}
            [order] = await _orders(acme)
            assert (order.status, order.terms.amount_micros) == (PAID, 1_000 * MICROS)
            [payment] = await stripe.payments()
            assert payment["amount_received"] == 8_000
            assert await acme.entries(admin.ENTRY_KIND_GRANT) == [1_000 * MICROS, 400 * MICROS]

            # The level is set again behind the grant, so the next time the pool is low it asks again.
            await acme.debit(1_000)
            await until(acme.available, lambda available: available == 1_150 * MICROS)
            assert [one.status for one in await _orders(acme)] == [PAID, PAID]
            await until(
                lambda: _status(acme, auto_top_up_id), lambda status: status == auto.AUTO_TOP_UP_STATUS_IDLE
            )
            await acme.assert_adds_up()


async def test_debits_go_on_while_contract_is_away_and_the_order_follows(
    databases: Databases, stripe: StripeStandIn, settings: Mapping[str, str]
) -> None:
    async with SwitchedMesh(databases, payments=settings) as mesh:
        await mesh.start()
        async with acme_at(mesh.addresses) as acme:
            await _set(acme, stripe, threshold=200, recharge_to=1_100)
            await mesh.stop("contract")

            assert (await acme.debit(300)).decision == ledger.DECISION_ALLOWED
            assert await acme.available() == 100 * MICROS
            await mesh.start("contract")

            await until(acme.available, lambda available: available == 1_100 * MICROS)
            [order] = await _orders(acme)
            assert order.status == PAID


async def test_a_contract_killed_between_charge_and_commit_recharges_once(
    databases: Databases, tmp_path: Path, stripe: StripeStandIn, settings: Mapping[str, str]
) -> None:
    stripe.holds_webhooks = True
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
                await _set(acme, stripe, threshold=200, recharge_to=1_100)
                stripe.before_reply = wait
                await acme.debit(300)
                await charged.wait()
                await processes.kill("contract")
                released.set()
                await processes.start("contract")
                assert await stripe.post(stripe.held[0]) == 204

                await until(acme.available, lambda available: available == 1_100 * MICROS)
                [order] = await _orders(acme)
                assert order.status == PAID
                [payment] = await stripe.payments()
                assert payment["amount_received"] == 8_000
                assert await acme.entries(admin.ENTRY_KIND_GRANT) == [1_000 * MICROS, 400 * MICROS]
                await acme.assert_adds_up()
        finally:
            await processes.stop()
