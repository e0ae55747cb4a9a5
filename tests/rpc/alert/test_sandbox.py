# SPDX-License-Identifier: Apache-2.0
"""Business time moves alerts; webhooks live in wall time. The clock is served in the sandbox only."""

from datetime import UTC, datetime, timedelta

import grpc.aio
import pytest
from grpc import StatusCode

from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.clock import ManualClock
from meshkit.faults import DatabaseUnavailable
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_peer_pb2 as ledger_pb
from purser.sandbox.v1 import clock_pb2, clock_pb2_grpc
from tests.support.alert import (
    JUNE,
    RunningAlert,
    a_crossing,
    an_alert,
    an_endpoint,
    deliveries_of,
    running_alert,
)
from tests.support.faults import fault
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases

JULY = datetime(2025, 7, 1, tzinfo=UTC)


async def advance(running: RunningAlert, at: datetime) -> datetime:
    async with open_channel(running.address) as channel:
        answer = await clock_pb2_grpc.ClockServiceStub(channel).AdvanceTime(
            clock_pb2.AdvanceTimeRequest(new_time=timestamp(at), local_only=True)
        )
    return answer.now_time.ToDatetime(UTC)


async def test_alerts_follow_the_sandbox_clock_and_webhooks_the_wall(
    databases: Databases, receiver: WebhookReceiver
) -> None:
    now = datetime.now(UTC)
    async with running_alert(databases, sandbox=True, wall=ManualClock(now)) as running:
        assert await advance(running, JULY) == JULY
        endpoint = await an_endpoint(running.stub, receiver)
        low = await an_alert(running.stub)
        await running.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True, at=JULY))
        event = await receiver.next_event()
        (delivery,) = await deliveries_of(running.stub, low.alert_id)

    assert low.create_time == timestamp(JULY)
    assert event.data["observe_time"] == "2025-07-01T00:00:00Z"
    assert event.verified
    assert endpoint.create_time == timestamp(now)
    assert delivery.create_time == timestamp(now)


async def test_the_sandbox_time_outlives_a_restart(databases: Databases) -> None:
    async with running_alert(databases, sandbox=True) as running:
        await advance(running, JULY)

    async with running_alert(databases, sandbox=True) as running:
        low = await an_alert(running.stub)
        assert low.create_time == timestamp(JULY)
        with fault(StatusCode.FAILED_PRECONDITION, "CLOCK_MOVES_FORWARD_ONLY"):
            await advance(running, JULY - timedelta(seconds=1))


async def test_advancing_tells_the_ledger_what_it_has_not_heard(
    databases: Databases, ledger: RecordingLedger
) -> None:
    async with running_alert(databases, sandbox=True, ledger_address=ledger.address) as running:
        ledger.fault = DatabaseUnavailable()
        await an_alert(running.stub)
        ledger.fault = None

        await advance(running, JUNE)

        assert len(ledger.told_of(ledger_pb.WatchThresholdRequest)) == 1


async def test_production_serves_no_clock(running: RunningAlert) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await advance(running, JULY)

    assert refused.value.code() is StatusCode.UNIMPLEMENTED
