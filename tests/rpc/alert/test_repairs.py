# SPDX-License-Identifier: Apache-2.0
"""RepairAlertState and ResendAlert: the Ledger's crossings count again after a false one."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from grpc import StatusCode

from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.quantity import INT64_MAX
from purser.alert.v1 import alert_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as ledger_pb
from tests.support.alert import (
    ACME,
    AlertPeerStub,
    AlertStub,
    a_crossing,
    a_spend_alert,
    an_alert,
    an_endpoint,
    deliveries_of,
)
from tests.support.faults import bad_fields, fault
from tests.support.ledger_peer import RecordingLedger
from tests.support.postgres import Databases


@pytest.fixture
async def sql(databases: Databases) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(databases.admin_url)
    yield connection
    await connection.close()


def _repair(alert_id: str, **more: str) -> pb.RepairAlertStateRequest:
    asked = {
        "request_id": "repair",
        "alert_id": alert_id,
        "customer_id": ACME,
        "reason": "a false crossing",
        "actor": "ops@seatsco.example",
    }
    return pb.RepairAlertStateRequest(**(asked | more))


async def _states(alert: AlertStub, alert_id: str) -> dict[str, tuple[str, int]]:
    found = await alert.GetAlertState(pb.GetAlertStateRequest(alert_id=alert_id))
    return {
        one.group_value: (pb.AlertState.Name(one.state).removeprefix("ALERT_STATE_"), one.sequence)
        for one in found.statuses
    }


async def test_a_sequence_from_before_there_was_a_bound_is_forgotten(
    alert: AlertStub, peer: AlertPeerStub, sql: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    low = await an_alert(alert)
    await peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
    await sql.execute(f"UPDATE alert.alert_statuses SET sequence = {INT64_MAX}")
    with fault(StatusCode.FAILED_PRECONDITION, "NOTICE_TOO_FAR_BEHIND", known=str(INT64_MAX)):
        await peer.ObserveCrossing(a_crossing(low, 2, in_alarm=False))

    repaired = (await alert.RepairAlertState(_repair(low.alert_id))).status
    assert (repaired.state, repaired.sequence, repaired.HasField("observe_time")) == (
        pb.ALERT_STATE_EVALUATING,
        0,
        False,
    )
    assert await _states(alert, low.alert_id) == {"": ("EVALUATING", 0)}

    await peer.ObserveCrossing(a_crossing(low, 2, in_alarm=False))
    assert await _states(alert, low.alert_id) == {"": ("OK", 2)}


async def test_the_edges_after_it_are_posted_even_under_the_sequences_of_false_ones(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(alert, receiver)
    low = await an_alert(alert)
    for sequence, in_alarm in ((1, True), (2, False), (50, True), (51, False)):
        await peer.ObserveCrossing(a_crossing(low, sequence, in_alarm=in_alarm))

    for number in range(2):
        await alert.RepairAlertState(_repair(low.alert_id, request_id=f"repair-{number}"))
        for sequence, in_alarm in ((50, True), (51, False)):
            crossing = a_crossing(low, sequence, in_alarm=in_alarm)
            crossing.request_id += f"-{number}"
            await peer.ObserveCrossing(crossing)

    listed = await deliveries_of(alert, low.alert_id)
    assert [one.event_type for one in listed] == ["alert.resolved", "alert.in_alarm"] * 4  # newest first
    assert len({(await receiver.next_event()).webhook_id for _ in range(8)}) == 8


async def test_only_that_customer_and_group_value_are_forgotten(
    alert: AlertStub, peer: AlertPeerStub
) -> None:
    spend = await a_spend_alert(alert)
    for value in ("ann", "bob"):
        await peer.ObserveCrossing(a_crossing(spend, 7, in_alarm=True, group_value=value))

    await alert.RepairAlertState(_repair(spend.alert_id, group_value="ann"))

    assert await _states(alert, spend.alert_id) == {
        "": ("EVALUATING", 0),
        "ann": ("EVALUATING", 0),
        "bob": ("IN_ALARM", 7),
    }


async def test_the_ledger_gets_the_threshold_again_under_the_next_version(
    alert: AlertStub, ledger: RecordingLedger
) -> None:
    low = await an_alert(alert)
    resend = pb.ResendAlertRequest(request_id="resend", alert_id=low.alert_id)

    assert (await alert.ResendAlert(resend)).alert == low
    assert (await alert.ResendAlert(resend)).alert == low
    await alert.RepairAlertState(_repair(low.alert_id))
    await alert.ArchiveAlert(pb.ArchiveAlertRequest(request_id="archive", alert_id=low.alert_id))
    await alert.ResendAlert(pb.ResendAlertRequest(request_id="resend-2", alert_id=low.alert_id))

    told = ledger.told_of(ledger_pb.WatchThresholdRequest)
    assert [(one.version, one.is_active) for one in told] == [
        (1, True),
        (2, True),
        (3, True),
        (4, False),
        (5, False),
    ]
    assert {one.threshold_micros for one in told} == {low.threshold_micros}


async def test_what_is_unknown_is_not_repaired(alert: AlertStub, ledger: RecordingLedger) -> None:
    low = await an_alert(alert)

    with fault(StatusCode.NOT_FOUND, "ALERT_NOT_FOUND", alert_id="alr_x"):
        await alert.ResendAlert(pb.ResendAlertRequest(request_id="r", alert_id="alr_x"))
    with fault(StatusCode.NOT_FOUND, "ALERT_NOT_FOUND", alert_id="alr_x"):
        await alert.RepairAlertState(_repair("alr_x"))
    for more in ({"customer_id": "cus_other"}, {"group_value": "ann"}):
        with fault(StatusCode.NOT_FOUND, "ALERT_STATE_NOT_FOUND", alert_id=low.alert_id, **more):
            await alert.RepairAlertState(_repair(low.alert_id, **more))
    assert len(ledger.told_of(ledger_pb.WatchThresholdRequest)) == 1


async def test_every_bad_field_is_named(alert: AlertStub) -> None:
    with bad_fields("request_id", "alert_id"):
        await alert.ResendAlert(pb.ResendAlertRequest())
    with bad_fields("request_id", "alert_id", "customer_id", "reason", "actor"):
        await alert.RepairAlertState(pb.RepairAlertStateRequest())
    with bad_fields("group_value"):
        await alert.RepairAlertState(_repair("alr_1", group_value="x" * 501))
