# SPDX-License-Identifier: Apache-2.0
"""ListDeliveries, ReplayDelivery."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.clock import ManualClock
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as pb
from tests.support.alert import (
    AlertPeerStub,
    AlertStub,
    a_crossing,
    an_alert,
    an_endpoint,
    deliveries_of,
    running_alert,
    until_delivery,
)
from tests.support.faults import bad_fields, fault
from tests.support.postgres import Databases


def is_delivered(delivery: pb.Delivery) -> bool:
    return delivery.status == pb.DELIVERY_STATUS_DELIVERED


async def replay(alert: AlertStub, delivery_id: str, request_id: str = "replay") -> pb.Delivery:
    request = pb.ReplayDeliveryRequest(request_id=request_id, delivery_id=delivery_id)
    return (await alert.ReplayDelivery(request)).delivery


async def listed(alert: AlertStub, **wanted: object) -> list[str]:
    request = pb.ListDeliveriesRequest(**wanted)  # type: ignore[arg-type]
    return [delivery.delivery_id for delivery in (await alert.ListDeliveries(request)).deliveries]


async def test_the_log_tells_what_was_told_to_whom_and_how(
    databases: Databases, receiver: WebhookReceiver
) -> None:
    now = datetime.now(UTC)
    async with running_alert(databases, wall=ManualClock(now)) as running:
        alert = running.stub
        endpoint = await an_endpoint(alert, receiver)
        low = await an_alert(alert)
        await running.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
        event = await receiver.next_event()

        delivery = await until_delivery(alert, low.alert_id, is_delivered)

    assert delivery == pb.Delivery(
        delivery_id=delivery.delivery_id,
        webhook_endpoint_id=endpoint.webhook_endpoint_id,
        webhook_id=event.webhook_id,
        event_type="alert.in_alarm",
        status=pb.DELIVERY_STATUS_DELIVERED,
        attempts=1,
        last_status_code=204,
        create_time=timestamp(now),
        deliver_time=timestamp(now),
        payload=event.body.decode(),
    )
    assert event.headers["content-type"] == "application/json"
    assert event.headers["webhook-timestamp"] == str(int(now.timestamp()))


async def test_deliveries_are_listed_newest_first_by_endpoint_and_alert(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    first = await an_endpoint(alert, receiver, request_id="e1")
    second = await an_endpoint(alert, receiver, request_id="e2")
    low, other = await an_alert(alert, request_id="a1"), await an_alert(alert, request_id="a2")
    for made in (low, other):
        await peer.ObserveCrossing(a_crossing(made, 1, in_alarm=True))

    everything = await listed(alert)
    assert everything == sorted(everything, reverse=True)
    assert len(everything) == 4
    assert await listed(alert, alert_id=other.alert_id) == everything[:2]
    assert await listed(alert, alert_id=low.alert_id) == everything[2:]
    of_first = await listed(alert, webhook_endpoint_id=first.webhook_endpoint_id)
    of_second = await listed(alert, webhook_endpoint_id=second.webhook_endpoint_id)
    assert sorted([*of_first, *of_second]) == sorted(everything)
    both = {"alert_id": low.alert_id, "webhook_endpoint_id": first.webhook_endpoint_id}
    assert await listed(alert, **both) == [id_ for id_ in of_first if id_ in everything[2:]]
    assert await listed(alert, alert_id="alr_x") == []


async def test_pages_of_deliveries_are_without_gaps_and_bound_to_their_filters(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(alert, receiver)
    low = await an_alert(alert)
    for sequence in range(1, 6):
        await peer.ObserveCrossing(a_crossing(low, sequence, in_alarm=sequence % 2 == 1))

    first = await alert.ListDeliveries(pb.ListDeliveriesRequest(page_size=3))
    second = await alert.ListDeliveries(
        pb.ListDeliveriesRequest(page_size=3, page_token=first.next_page_token)
    )

    pages = [*first.deliveries, *second.deliveries]
    assert [one.delivery_id for one in pages] == await listed(alert)
    assert (len(first.deliveries), len(second.deliveries), second.next_page_token) == (3, 2, "")
    with bad_fields("page_token"):
        await alert.ListDeliveries(
            pb.ListDeliveriesRequest(alert_id=low.alert_id, page_token=first.next_page_token)
        )


async def test_a_replay_posts_the_same_id_and_the_same_bytes(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(alert, receiver)
    low = await an_alert(alert)
    await peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
    first = await receiver.next_event()
    delivered = await until_delivery(alert, low.alert_id, is_delivered)
    await alert.ArchiveAlert(pb.ArchiveAlertRequest(request_id="archive", alert_id=low.alert_id))

    replayed = await replay(alert, delivered.delivery_id)

    assert (replayed.status, replayed.attempts) == (pb.DELIVERY_STATUS_PENDING, 1)
    assert (replayed.HasField("next_attempt_time"), replayed.HasField("deliver_time")) == (True, False)
    second = await receiver.next_event()
    assert second.verified
    assert (second.webhook_id, second.body) == (first.webhook_id, first.body)
    again = await until_delivery(alert, low.alert_id, is_delivered)
    assert again.attempts == 2


async def test_the_same_replay_is_one_replay(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(alert, receiver)
    low = await an_alert(alert)
    await peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
    delivered = await until_delivery(alert, low.alert_id, is_delivered)
    first = await replay(alert, delivered.delivery_id, "r1")
    await until_delivery(alert, low.alert_id, is_delivered)

    assert await replay(alert, delivered.delivery_id, "r1") == first

    assert (await deliveries_of(alert, low.alert_id))[0].attempts == 2
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="r1"):
        await replay(alert, "dlv_other", "r1")


async def test_what_is_still_pending_is_not_replayed(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(alert, receiver)
    receiver.hold()
    low = await an_alert(alert)
    await peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
    event = await receiver.next_event()

    with fault(StatusCode.FAILED_PRECONDITION, "DELIVERY_STILL_PENDING", delivery_id=event.webhook_id):
        await replay(alert, event.webhook_id)

    receiver.release()


async def test_nothing_is_replayed_to_a_disabled_endpoint(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    endpoint = await an_endpoint(alert, receiver)
    low = await an_alert(alert)
    await peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
    delivered = await until_delivery(alert, low.alert_id, is_delivered)
    endpoint_id = endpoint.webhook_endpoint_id
    await alert.DisableWebhookEndpoint(
        pb.DisableWebhookEndpointRequest(request_id="d", webhook_endpoint_id=endpoint_id)
    )

    with fault(StatusCode.FAILED_PRECONDITION, "WEBHOOK_ENDPOINT_DISABLED", webhook_endpoint_id=endpoint_id):
        await replay(alert, delivered.delivery_id)


async def test_a_failed_delivery_is_replayed_with_two_days_of_new_tries(
    databases: Databases, receiver: WebhookReceiver
) -> None:
    wall = ManualClock(datetime.now(UTC))
    async with running_alert(databases, wall=wall) as running:
        alert = running.stub
        await an_endpoint(alert, receiver)
        receiver.answer(500, 500, 500)
        low = await an_alert(alert)
        await running.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
        await until_delivery(alert, low.alert_id, lambda one: one.last_status_code == 500)
        wall.advance(timedelta(days=2))
        running.app.wake()
        failed = await until_delivery(
            alert, low.alert_id, lambda one: one.status == pb.DELIVERY_STATUS_FAILED
        )

        await replay(alert, failed.delivery_id)
        tried = await until_delivery(
            alert, low.alert_id, lambda one: one.attempts == 3 and one.last_status_code == 500
        )

    assert tried.status == pb.DELIVERY_STATUS_PENDING
    assert tried.next_attempt_time.ToDatetime(UTC) <= wall.now() + timedelta(seconds=30)


async def test_an_unknown_delivery_is_not_found(alert: AlertStub) -> None:
    with fault(StatusCode.NOT_FOUND, "DELIVERY_NOT_FOUND", delivery_id="dlv_x"):
        await replay(alert, "dlv_x")


@pytest.mark.parametrize(
    ("rpc", "request_", "fields"),
    [
        ("ReplayDelivery", pb.ReplayDeliveryRequest(), ["request_id", "delivery_id"]),
        (
            "ListDeliveries",
            pb.ListDeliveriesRequest(page_size=-1, page_token="x"),
            ["page_size", "page_token"],
        ),
        (
            "ListDeliveries",
            pb.ListDeliveriesRequest(webhook_endpoint_id="x" * 201, alert_id=" "),
            ["webhook_endpoint_id", "alert_id"],
        ),
    ],
)
async def test_all_bad_fields_are_named(
    alert: AlertStub, rpc: str, request_: Message, fields: list[str]
) -> None:
    with bad_fields(*fields):
        await getattr(alert, rpc)(request_)
