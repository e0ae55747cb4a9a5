# SPDX-License-Identifier: Apache-2.0
"""The sequences of crossings: none may be so far from the known one that it blocks what follows."""

from grpc import StatusCode

from meshkit.distance import DISTANCE_MAX
from meshkit.quantity import INT64_MAX
from purser.alert.v1 import alert_pb2 as pb
from tests.support.alert import ACME, AlertPeerStub, AlertStub, a_crossing, a_spend_alert, an_alert
from tests.support.faults import fault


async def the_state(alert: AlertStub, alert_id: str) -> pb.AlertStatus:
    (status,) = (await alert.GetAlertState(pb.GetAlertStateRequest(alert_id=alert_id))).statuses
    return status


async def test_a_first_sequence_is_at_most_a_million(alert: AlertStub, peer: AlertPeerStub) -> None:
    low = await an_alert(alert)

    for sequence in (DISTANCE_MAX + 1, INT64_MAX):
        with fault(
            StatusCode.FAILED_PRECONDITION,
            "NOTICE_TOO_FAR_AHEAD",
            field="sequence",
            known="0",
            given=str(sequence),
        ):
            await peer.ObserveCrossing(a_crossing(low, sequence, in_alarm=True))
    assert (await the_state(alert, low.alert_id)).state == pb.ALERT_STATE_EVALUATING

    await peer.ObserveCrossing(a_crossing(low, DISTANCE_MAX, in_alarm=True))
    assert (await the_state(alert, low.alert_id)).sequence == DISTANCE_MAX


async def test_a_sequence_is_at_most_a_million_above_the_known_one(
    alert: AlertStub, peer: AlertPeerStub
) -> None:
    low = await an_alert(alert)
    await peer.ObserveCrossing(a_crossing(low, 7, in_alarm=True))

    with fault(StatusCode.FAILED_PRECONDITION, "NOTICE_TOO_FAR_AHEAD", known="7"):
        await peer.ObserveCrossing(a_crossing(low, 8 + DISTANCE_MAX, in_alarm=False))
    await peer.ObserveCrossing(a_crossing(low, 8, in_alarm=False))
    await peer.ObserveCrossing(a_crossing(low, 8 + DISTANCE_MAX, in_alarm=True))

    assert (await the_state(alert, low.alert_id)).sequence == 8 + DISTANCE_MAX


async def test_a_sequence_is_at_most_a_million_below_the_known_one(
    alert: AlertStub, peer: AlertPeerStub
) -> None:
    low = await an_alert(alert)
    await peer.ObserveCrossing(a_crossing(low, 2, in_alarm=True))
    await peer.ObserveCrossing(a_crossing(low, 2 + DISTANCE_MAX, in_alarm=True))

    await peer.ObserveCrossing(a_crossing(low, 3, in_alarm=False))
    with fault(
        StatusCode.FAILED_PRECONDITION, "NOTICE_TOO_FAR_BEHIND", known=str(2 + DISTANCE_MAX), given="1"
    ):
        await peer.ObserveCrossing(a_crossing(low, 1, in_alarm=False))

    assert (await the_state(alert, low.alert_id)).state == pb.ALERT_STATE_IN_ALARM


async def test_each_group_value_has_its_own_sequence(alert: AlertStub, peer: AlertPeerStub) -> None:
    spend = await a_spend_alert(alert)
    await peer.ObserveCrossing(a_crossing(spend, DISTANCE_MAX, in_alarm=True, group_value="ann"))

    with fault(StatusCode.FAILED_PRECONDITION, "NOTICE_TOO_FAR_AHEAD", known="0"):
        await peer.ObserveCrossing(a_crossing(spend, DISTANCE_MAX + 1, in_alarm=True, group_value="bob"))
    await peer.ObserveCrossing(a_crossing(spend, DISTANCE_MAX + 1, in_alarm=True, group_value="ann"))
    found = await alert.GetAlertState(pb.GetAlertStateRequest(alert_id=spend.alert_id, customer_id=ACME))
    assert {one.group_value: one.sequence for one in found.statuses} == {"": 0, "ann": DISTANCE_MAX + 1}
