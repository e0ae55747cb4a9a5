# SPDX-License-Identifier: Apache-2.0
"""ObserveCrossing, from the Ledger's call to the signed webhook."""

import time
from datetime import timedelta

import pytest
from grpc import StatusCode

from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as pb
from purser.alert.v1 import alert_peer_pb2 as peer_pb
from tests.support.alert import (
    ACME,
    JUNE,
    AlertPeerStub,
    AlertStub,
    a_crossing,
    a_spend_alert,
    an_alert,
    an_endpoint,
    deliveries_of,
    running_receiver,
)
from tests.support.faults import bad_fields, fault


async def the_state(alert: AlertStub, alert_id: str) -> pb.AlertStatus:
    (status,) = (await alert.GetAlertState(pb.GetAlertStateRequest(alert_id=alert_id))).statuses
    return status


async def test_a_crossing_reaches_the_webhook_signed(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(alert, receiver)
    low = await an_alert(alert)

    await peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))

    event = await receiver.next_event()
    assert event.verified
    assert event.event_type == "alert.in_alarm"
    assert event.data == {
        "alert_id": low.alert_id,
        "alert_name": "Nearly out of credits",
        "alert_type": "LOW_BALANCE",
        "customer_id": ACME,
        "credit_type_id": "crt_ai",
        "currency_code": "",
        "group_key": "",
        "group_value": "",
        "state": "IN_ALARM",
        "threshold_micros": 10_000_000,
        "value_micros": 7_500_000,
        "observe_time": "2025-06-01T00:00:00Z",
    }


async def test_it_is_there_well_within_a_second(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(alert, receiver)
    low = await an_alert(alert)

    begun = time.monotonic()
    await peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
    await receiver.next_event()

    assert time.monotonic() - begun < 0.9  # the worker's own looks are a second apart


async def test_every_edge_is_told_once_and_no_debit_between_them(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(alert, receiver)
    low = await an_alert(alert)

    for sequence, in_alarm in enumerate([False, False, True, True, True, False, True], start=1):
        await peer.ObserveCrossing(a_crossing(low, sequence, in_alarm=in_alarm))

    events = {(await receiver.next_event()).webhook_id for _ in range(3)}
    listed = await deliveries_of(alert, low.alert_id)
    assert [delivery.event_type for delivery in listed] == [
        "alert.in_alarm",
        "alert.resolved",
        "alert.in_alarm",
    ]
    assert {delivery.webhook_id for delivery in listed} == events


async def test_from_evaluating_to_ok_tells_nobody(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(alert, receiver)
    low = await an_alert(alert)

    await peer.ObserveCrossing(a_crossing(low, 1, in_alarm=False, value_micros=400_000_000))

    assert await the_state(alert, low.alert_id) == pb.AlertStatus(
        customer_id=ACME,
        state=pb.ALERT_STATE_OK,
        value_micros=400_000_000,
        observe_time=timestamp(JUNE),
        sequence=1,
    )
    assert await deliveries_of(alert, low.alert_id) == []


async def test_a_late_observation_never_undoes_a_newer_one(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(alert, receiver)
    low = await an_alert(alert)

    await peer.ObserveCrossing(a_crossing(low, 3, in_alarm=True, at=JUNE + timedelta(hours=3)))
    await peer.ObserveCrossing(a_crossing(low, 2, in_alarm=False, at=JUNE + timedelta(hours=2)))

    status = await the_state(alert, low.alert_id)
    assert (status.state, status.sequence) == (pb.ALERT_STATE_IN_ALARM, 3)
    assert status.observe_time == timestamp(JUNE + timedelta(hours=3))
    assert [one.event_type for one in await deliveries_of(alert, low.alert_id)] == ["alert.in_alarm"]


async def test_a_repeated_notice_is_one_observation(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(alert, receiver)
    low = await an_alert(alert)
    crossing = a_crossing(low, 1, in_alarm=True)

    for _ in range(3):
        await peer.ObserveCrossing(crossing)

    assert len(await deliveries_of(alert, low.alert_id)) == 1
    other = a_crossing(low, 2, in_alarm=True)
    other.request_id = crossing.request_id
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id=crossing.request_id):
        await peer.ObserveCrossing(other)


async def test_every_group_value_stands_for_itself(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(alert, receiver)
    spend = await a_spend_alert(alert)

    await peer.ObserveCrossing(a_crossing(spend, 1, in_alarm=False))
    await peer.ObserveCrossing(a_crossing(spend, 1, in_alarm=True, group_value="user_1234"))
    await peer.ObserveCrossing(a_crossing(spend, 1, in_alarm=False, group_value="user_9"))

    event = await receiver.next_event()
    assert (event.data["group_key"], event.data["group_value"]) == ("user_id", "user_1234")
    listed = (await alert.GetAlertState(pb.GetAlertStateRequest(alert_id=spend.alert_id))).statuses
    assert {status.group_value: status.state for status in listed} == {
        "": pb.ALERT_STATE_OK,
        "user_1234": pb.ALERT_STATE_IN_ALARM,
        "user_9": pb.ALERT_STATE_OK,
    }
    assert len(await deliveries_of(alert, spend.alert_id)) == 1


async def test_an_alert_on_every_customer_fans_out(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(alert, receiver)
    low = await an_alert(alert, customer_id="")

    for customer in ("cus_a", "cus_b"):
        await peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True, customer_id=customer))

    told = {(await receiver.next_event()).data["customer_id"] for _ in range(2)}
    assert told == {"cus_a", "cus_b"}


async def test_every_enabled_endpoint_is_told_with_its_own_secret(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    async with running_receiver() as second, running_receiver() as disabled:
        first_endpoint = await an_endpoint(alert, receiver, request_id="e1")
        second_endpoint = await an_endpoint(alert, second, request_id="e2")
        gone = await an_endpoint(alert, disabled, request_id="e3")
        await alert.DisableWebhookEndpoint(
            pb.DisableWebhookEndpointRequest(request_id="d", webhook_endpoint_id=gone.webhook_endpoint_id)
        )
        low = await an_alert(alert)

        await peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))

        events = [await receiver.next_event(), await second.next_event()]
        assert all(event.verified for event in events)
        assert events[0].webhook_id != events[1].webhook_id
        assert events[0].body == events[1].body
    listed = await deliveries_of(alert, low.alert_id)
    assert {one.webhook_endpoint_id for one in listed} == {
        first_endpoint.webhook_endpoint_id,
        second_endpoint.webhook_endpoint_id,
    }


async def test_an_endpoint_is_told_what_happens_from_now_on(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    low = await an_alert(alert)
    await peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
    await an_endpoint(alert, receiver)

    await peer.ObserveCrossing(a_crossing(low, 2, in_alarm=False))

    assert (await receiver.next_event()).event_type == "alert.resolved"
    assert len(await deliveries_of(alert, low.alert_id)) == 1


@pytest.mark.parametrize("stranger", ["an unknown alert", "another customer", "another user", "archived"])
async def test_what_an_alert_does_not_watch_is_ignored_without_a_fault(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver, stranger: str
) -> None:
    await an_endpoint(alert, receiver)
    spend = await a_spend_alert(alert, group_value="user_1234")
    crossing = a_crossing(spend, 1, in_alarm=True, group_value="user_1234")
    match stranger:
        case "an unknown alert":
            crossing.alert_id = "alr_x"
        case "another customer":
            crossing.customer_id = "cus_other"
        case "another user":
            crossing.group_value = "user_9"
        case "archived":
            await alert.ArchiveAlert(pb.ArchiveAlertRequest(request_id="a", alert_id=spend.alert_id))

    await peer.ObserveCrossing(crossing)

    assert (await the_state(alert, spend.alert_id)).state == pb.ALERT_STATE_EVALUATING
    assert (await alert.ListDeliveries(pb.ListDeliveriesRequest())).deliveries == []


async def test_all_bad_fields_are_named(alert: AlertStub, peer: AlertPeerStub) -> None:
    with bad_fields("request_id", "alert_id", "customer_id", "sequence", "observe_time"):
        await peer.ObserveCrossing(peer_pb.ObserveCrossingRequest())
    with bad_fields("sequence", "group_value"):
        await peer.ObserveCrossing(
            peer_pb.ObserveCrossingRequest(
                request_id="r",
                alert_id="alr_1",
                customer_id=ACME,
                group_value="x" * 501,
                sequence=-1,
                observe_time=timestamp(JUNE),
            )
        )


async def test_a_group_value_with_a_nul_is_a_bad_field(alert: AlertStub, peer: AlertPeerStub) -> None:
    spend = await a_spend_alert(alert)

    with bad_fields("group_value"):
        await peer.ObserveCrossing(a_crossing(spend, 1, in_alarm=True, group_value="user\0"))
    await peer.ObserveCrossing(a_crossing(spend, 1, in_alarm=True, group_value="user"))

    found = await alert.GetAlertState(pb.GetAlertStateRequest(alert_id=spend.alert_id))
    assert {one.group_value: one.state for one in found.statuses}["user"] == pb.ALERT_STATE_IN_ALARM
