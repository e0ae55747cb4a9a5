# SPDX-License-Identifier: Apache-2.0
"""A service is unavailable: no work is lost, nothing is done twice, and the gate keeps answering."""

from collections.abc import AsyncIterator

import pytest

from deploy.local.database import SERVICES
from deploy.local.seatsco import open_stubs
from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.quantity import MICROS
from purser.alert.v1 import alert_pb2 as alert
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from tests.support.alert import running_receiver
from tests.support.mesh import (
    THIRD_OF_JUNE,
    Acme,
    SwitchedMesh,
    acme_at,
    acme_of,
    advance,
    away,
    forget_deliveries,
    pending,
    tell_now,
    until,
)
from tests.support.postgres import Databases

A_SEAT_ON_THE_THIRD = 93_333_333  # 100 credits × 28/30, rounded down to the micro


@pytest.fixture
async def mesh(databases: Databases) -> AsyncIterator[SwitchedMesh]:
    async with SwitchedMesh(databases) as running:
        await running.start()
        yield running


@pytest.fixture
async def acme(mesh: SwitchedMesh) -> AsyncIterator[Acme]:
    async with acme_at(mesh.addresses) as signed:
        yield signed


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with running_receiver() as listening:
        yield listening


async def _listen(acme: Acme, receiver: WebhookReceiver) -> None:
    request = alert.CreateWebhookEndpointRequest(request_id="listen", url=receiver.url)
    receiver.secret = (await acme.stubs.alert.CreateWebhookEndpoint(request)).secret


async def test_seats_and_a_top_up_during_an_outage_of_the_ledger_arrive_once_each(
    mesh: SwitchedMesh, acme: Acme, databases: Databases
) -> None:
    await advance(acme.stubs, THIRD_OF_JUNE)
    await mesh.stop("ledger")
    added = await acme.change_seats(1)
    top_up = await acme.buy()
    assert await pending(databases) > 0

    await mesh.start("ledger")

    arrived = 400 * MICROS + A_SEAT_ON_THE_THIRD + 1_000 * MICROS
    assert await until(acme.available, lambda available: available == arrived)
    assert added.seat_change.quantity_after == 5
    assert top_up.status == contract.TOP_UP_STATUS_PAID
    assert await acme.entries(admin.ENTRY_KIND_SEAT_ADJUSTMENT) == [A_SEAT_ON_THE_THIRD]
    assert await acme.entries(admin.ENTRY_KIND_GRANT) == [1_000 * MICROS, 400 * MICROS]
    await acme.assert_adds_up()


async def test_every_notice_can_be_delivered_again_and_changes_nothing(
    mesh: SwitchedMesh, acme: Acme, databases: Databases, receiver: WebhookReceiver
) -> None:
    await _listen(acme, receiver)
    watched = await acme.warn_at(100)
    await advance(acme.stubs, THIRD_OF_JUNE)
    await acme.change_seats(1)
    await acme.debit(450)
    assert (await receiver.next_event()).event_type == "alert.in_alarm"
    await acme.buy()
    assert (await receiver.next_event()).event_type == "alert.resolved"
    before = await acme.stubs.gate.GetBalance(ledger.GetBalanceRequest(customer="acme"))

    delivered_again = {service: await forget_deliveries(databases, service) for service in SERVICES}
    await until(lambda: pending(databases), lambda notices: notices == 0)

    assert all(delivered_again.values()), delivered_again
    after = await acme.stubs.gate.GetBalance(ledger.GetBalanceRequest(customer="acme"))
    assert after == before
    assert await acme.entries(admin.ENTRY_KIND_SEAT_ADJUSTMENT) == [A_SEAT_ON_THE_THIRD]
    assert await acme.state_of(watched) == alert.ALERT_STATE_OK
    deliveries = await acme.stubs.alert.ListDeliveries(alert.ListDeliveriesRequest())
    assert len(deliveries.deliveries) == len(receiver.received) == 2
    await acme.assert_adds_up()


async def test_a_crossing_during_an_outage_of_alert_is_delivered_once_afterwards(
    mesh: SwitchedMesh, acme: Acme, receiver: WebhookReceiver
) -> None:
    await _listen(acme, receiver)
    await acme.warn_at(10)
    await mesh.stop("alert")
    for _ in range(4):
        await acme.debit(99)

    await mesh.start("alert")

    warned = await receiver.next_event()
    await acme.buy()
    over = await receiver.next_event()
    assert (warned.event_type, warned.data["value_micros"], warned.verified) == (
        "alert.in_alarm",
        4 * MICROS,
        True,
    )
    assert (over.event_type, over.data["value_micros"]) == ("alert.resolved", 1_004 * MICROS)
    assert len(receiver.received) == 2


async def test_the_gate_answers_while_all_other_services_are_unavailable(
    mesh: SwitchedMesh, acme: Acme
) -> None:
    await acme.warn_at(100)
    await mesh.stop("catalog", "contract", "alert")

    allowed = await acme.authorize(30)
    captured = await acme.stubs.gate.Capture(
        ledger.CaptureRequest(request_id=acme.request_id(), customer="acme", hold_id=allowed.hold_id)
    )
    spent = await acme.debit(40)
    denied = await acme.authorize(1)

    assert allowed.decision == spent.decision == ledger.DECISION_ALLOWED
    assert captured.captured_micros == 360 * MICROS
    assert (denied.decision, denied.denial_reason) == (
        ledger.DECISION_DENIED,
        ledger.DENIAL_REASON_INSUFFICIENT_CREDITS,
    )
    await acme.assert_adds_up()


async def test_without_the_catalog_no_contract_is_created_and_nothing_is_half_done(
    mesh: SwitchedMesh, databases: Databases
) -> None:
    async with open_stubs(mesh.addresses) as stubs:
        acme = await acme_of(stubs)
        await mesh.stop("catalog")
        request = contract.CreateContractRequest(
            request_id="second",
            customer="acme",
            rate_card_id=acme.offer.rate_card,
            start_time=acme.contract.start_time,
            grant_schedules=[
                contract.GrantScheduleTerms(
                    product_id=acme.offer.included,
                    credit_type_id=acme.offer.ai_credits,
                    unit_amount_micros=7 * MICROS,
                    frequency=contract.GRANT_FREQUENCY_MONTHLY,
                )
            ],
        )
        known = contract.ListContractsRequest(customer="acme")

        with away("catalog"):
            await stubs.contract.CreateContract(request)

        assert len((await stubs.contract.ListContracts(known)).contracts) == 1
        assert await pending(databases, with_events=False) == 0
        assert await acme.available() == 400 * MICROS
        await mesh.start("catalog")
        signed = await until(
            lambda: stubs.contract.CreateContract(request), lambda answer: answer.HasField("contract")
        )
        assert signed.contract.contract_id != acme.contract.contract_id
        assert len((await stubs.contract.ListContracts(known)).contracts) == 2
        assert await until(acme.available, lambda available: available == 407 * MICROS)


@pytest.mark.parametrize("away", ["catalog", "ledger", "alert"])
async def test_contract_serves_a_customer_whichever_other_service_is_unavailable(
    mesh: SwitchedMesh, acme: Acme, away: str
) -> None:
    await mesh.stop(away)

    changed = await acme.change_seats(2)

    assert changed.seat_change.quantity_after == 6


@pytest.mark.parametrize(
    "order",
    [
        ("catalog", "contract", "ledger", "alert"),
        ("alert", "ledger", "contract", "catalog"),
        ("ledger", "alert", "catalog", "contract"),
        ("contract", "ledger", "alert", "catalog"),
        ("alert", "contract", "catalog", "ledger"),
        ("catalog", "alert", "contract", "ledger"),
    ],
    ids="-".join,
)
async def test_in_whatever_order_services_start_they_reach_the_same_state(
    databases: Databases, receiver: WebhookReceiver, order: tuple[str, ...]
) -> None:
    """All services have notices for a Ledger that never ran; then all services start again."""
    async with SwitchedMesh(databases) as mesh:
        await mesh.start("catalog", "contract", "alert")
        async with acme_at(mesh.addresses) as acme:
            await _listen(acme, receiver)
            await acme.change_seats(1)
            await acme.buy()
            watched = await acme.warn_at(2_000)
        await mesh.stop("catalog", "contract", "alert")
        assert await pending(databases) >= 10

        for service in order:
            await mesh.start(service)
            await tell_now(mesh.addresses, service, local_only=True)
        await tell_now(mesh.addresses, order[0])

        warned = await receiver.next_event()
        assert (warned.event_type, warned.verified) == ("alert.in_alarm", True)
        async with acme_at(mesh.addresses) as acme:
            assert await acme.available() == 1_500 * MICROS
            assert await acme.state_of(watched) == alert.ALERT_STATE_IN_ALARM
            assert await acme.entries(admin.ENTRY_KIND_SEAT_ADJUSTMENT) == [100 * MICROS]
            assert await acme.entries(admin.ENTRY_KIND_GRANT) == [1_000 * MICROS, 400 * MICROS]
            await acme.assert_adds_up()
        await until(lambda: pending(databases), lambda notices: notices == 0)
        assert len(receiver.received) == 1
