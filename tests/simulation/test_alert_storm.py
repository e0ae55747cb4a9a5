# SPDX-License-Identifier: Apache-2.0
"""Alert storms: many customers run low at once, while Ledger, Alert and the vendor's receiver are killed and return.

Every customer's crossing becomes one event and reaches the receiver; what comes again has the same id.
"""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from grpc import StatusCode
from grpc.aio import AioRpcError

from deploy.local.mesh import ProcessMesh
from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.quantity import MICROS
from meshkit.rpc.client import open_channel
from purser.alert.v1 import alert_pb2 as alert
from purser.alert.v1.alert_pb2_grpc import AlertServiceStub
from purser.ledger.v1 import ledger_pb2 as ledger
from tests.perf.world import CREDIT_TYPE, PRODUCT, Stubs, customers, open_stubs
from tests.simulation.conftest import Plan
from tests.support.alert import running_receiver
from tests.support.mesh import process_mesh, until
from tests.support.postgres import Databases

CROSSINGS = 25  # times the length of the simulation: 1,000 with STEPS=360000
THRESHOLD, SPENT = 1_000 * MICROS, 100 * MICROS
PATIENCE_SECONDS = 120.0
PATIENTLY: dict[str, Any] = {"timeout": 30.0, "wait_for_ready": True}


async def test_each_crossing_of_a_storm_is_one_event_and_none_is_lost_to_kills(
    databases: Databases, tmp_path: Path, plan: Plan
) -> None:
    names = customers(CROSSINGS * plan.times)
    dice = Random(plan.seed)
    mesh = process_mesh(databases, tmp_path, sandbox_start_time=datetime.now(UTC))
    try:
        await mesh.start("ledger", "alert")
        async with running_receiver() as receiver, open_stubs(mesh.addresses["ledger"]) as stubs:
            await _prepare(mesh, stubs, names, receiver)
            storm = asyncio.gather(*(_run_low(stubs, name) for name in names))
            kills = [
                lambda: _killed(mesh, "ledger"),
                lambda: _killed(mesh, "alert"),
                lambda: _gone(receiver),
            ]
            dice.shuffle(kills)
            # Each when a quarter more has been received.
            for quarter, kill in enumerate(kills, start=1):
                await _until_received(receiver, quarter * len(names) // 4)
                await kill()
            await storm
            await _until_received(receiver, len(names))
            await _check(mesh, receiver, names)
    finally:
        await mesh.stop()


async def _prepare(
    mesh: ProcessMesh, stubs: Stubs, names: tuple[str, ...], receiver: WebhookReceiver
) -> None:
    await stubs.open_shop()
    await stubs.sign(names)
    await stubs.grant(names, micros=(THRESHOLD + SPENT) // 2)  # two grants each
    async with open_channel(mesh.addresses["alert"]) as channel:
        alerts = AlertServiceStub(channel)
        endpoint = alert.CreateWebhookEndpointRequest(request_id="endpoint", url=receiver.url)
        receiver.secret = (await alerts.CreateWebhookEndpoint(endpoint)).secret
        await alerts.CreateAlert(
            alert.CreateAlertRequest(
                request_id="alert",
                name="Nearly out of credits",
                alert_type=alert.ALERT_TYPE_LOW_BALANCE,
                credit_type_id=CREDIT_TYPE,
                threshold_micros=THRESHOLD,
            )
        )


async def _run_low(stubs: Stubs, name: str) -> None:
    """Spend down to the threshold; an unanswered request is repeated with its request_id."""
    request = ledger.DebitRequest(
        request_id=f"{name}-low", customer=name, product_id=PRODUCT, credits_micros=SPENT
    )
    while True:
        try:
            answer = await stubs.gate.Debit(request, **PATIENTLY)
        except AioRpcError as error:
            if error.code() is not StatusCode.UNAVAILABLE:
                raise
        else:
            assert answer.decision == ledger.DECISION_ALLOWED
            return


async def _killed(mesh: ProcessMesh, service: str) -> None:
    await mesh.kill(service)
    await mesh.start(service)


async def _gone(receiver: WebhookReceiver) -> None:
    await receiver.stop()
    await receiver.start()


async def _until_received(receiver: WebhookReceiver, count: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len({one.webhook_id for one in receiver.received}) < count:
            await receiver.next_event(PATIENCE_SECONDS)


async def _check(mesh: ProcessMesh, receiver: WebhookReceiver, names: tuple[str, ...]) -> None:
    events = defaultdict(set)
    for one in receiver.received:
        assert one.event_type == "alert.in_alarm"
        assert one.verified
        events[one.data["customer_id"]].add(one.webhook_id)
    assert events.keys() == set(names)
    assert all(len(ids) == 1 for ids in events.values())
    async with open_channel(mesh.addresses["alert"]) as channel:
        alerts = AlertServiceStub(channel)
        asked = alert.ListDeliveriesRequest(page_size=500, status=alert.DELIVERY_STATUS_PENDING)
        # What was received may not be recorded yet.
        await until(lambda: alerts.ListDeliveries(asked), lambda page: not page.deliveries)
