# SPDX-License-Identifier: Apache-2.0
"""PublishEvent, and which endpoints get which events."""

import asyncio
import json

import pytest

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
    an_alert,
    running_receiver,
)
from tests.support.faults import bad_fields

ALERTS = ["alert.in_alarm", "alert.resolved"]
DATA = {"top_up_id": "top_1", "customer_id": ACME, "amount_micros": 9_007_199_254_740_993}


def an_event(number: int = 1, event_type: str = "top_up.paid", **more: str) -> peer_pb.PublishEventRequest:
    fields = {"customer_id": ACME, "data_json": json.dumps(DATA)} | more
    return peer_pb.PublishEventRequest(
        request_id=f"ntc_{number}", event_type=event_type, event_time=timestamp(JUNE), **fields
    )


async def endpoint_for(
    alert: AlertStub, receiver: WebhookReceiver, *event_types: str, request_id: str = "endpoint"
) -> pb.WebhookEndpoint:
    request = pb.CreateWebhookEndpointRequest(
        request_id=request_id, url=receiver.url, event_types=event_types
    )
    created = await alert.CreateWebhookEndpoint(request)
    receiver.secret = created.secret
    return created.webhook_endpoint


async def listed(alert: AlertStub) -> list[pb.Delivery]:
    return list((await alert.ListDeliveries(pb.ListDeliveriesRequest())).deliveries)


async def until_settled(alert: AlertStub) -> list[pb.Delivery]:
    """List deliveries until none is pending. Raises TimeoutError after 10 s."""
    async with asyncio.timeout(10):
        while True:
            found = await listed(alert)
            if all(one.status != pb.DELIVERY_STATUS_PENDING for one in found):
                return found


async def test_an_event_is_posted_with_a_signature_byte_for_byte(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    endpoint = await endpoint_for(alert, receiver, "top_up.paid")

    await peer.PublishEvent(an_event())
    posted = await receiver.next_event()
    [delivery] = await until_settled(alert)

    assert posted.verified
    assert (
        posted.body.decode()
        == delivery.payload
        == (
            '{"type":"top_up.paid","timestamp":"2025-06-01T00:00:00Z",'
            '"event_id":"ntc_1","customer_sequence":1,"payload_version":1,'
            '"data":{"top_up_id":"top_1","customer_id":"cus_acme","amount_micros":9007199254740993}}'
        )
    )
    assert (delivery.event_type, delivery.webhook_id) == ("top_up.paid", posted.webhook_id)
    assert delivery.webhook_endpoint_id == endpoint.webhook_endpoint_id


async def test_an_endpoint_gets_the_types_that_it_asks_for_and_alerts_if_it_names_none(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    async with running_receiver() as payments:
        silent = await endpoint_for(alert, receiver)
        asking = await endpoint_for(
            alert, payments, "invoice.paid", "alert.resolved", "invoice.paid", request_id="asking"
        )
        assert (list(silent.event_types), list(asking.event_types)) == (
            ALERTS,
            ["alert.resolved", "invoice.paid"],
        )
        rows = (await alert.ListWebhookEndpoints(pb.ListWebhookEndpointsRequest())).webhook_endpoints
        assert list(rows) == [silent, asking]
        low = await an_alert(alert)

        await peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
        await peer.PublishEvent(an_event(1, "invoice.paid"))
        await peer.PublishEvent(an_event(2, "invoice.finalized"))
        await peer.ObserveCrossing(a_crossing(low, 2, in_alarm=False))
        await until_settled(alert)

        assert sorted(one.event_type for one in receiver.received) == ALERTS
        assert sorted(one.event_type for one in payments.received) == ["alert.resolved", "invoice.paid"]
        of_alert = await alert.ListDeliveries(pb.ListDeliveriesRequest(alert_id=low.alert_id))
        assert [one.event_type for one in of_alert.deliveries].count("invoice.paid") == 0


async def test_a_repeated_event_is_posted_once(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await endpoint_for(alert, receiver, "top_up.paid")

    for _ in range(3):
        await peer.PublishEvent(an_event())
    await peer.PublishEvent(an_event(2))
    await until_settled(alert)

    assert len(await listed(alert)) == len(receiver.received) == 2


async def test_an_event_is_not_posted_to_an_endpoint_that_is_disabled_or_newer(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    endpoint = await endpoint_for(alert, receiver, "top_up.paid")
    await alert.DisableWebhookEndpoint(
        pb.DisableWebhookEndpointRequest(
            request_id="disable", webhook_endpoint_id=endpoint.webhook_endpoint_id
        )
    )

    await peer.PublishEvent(an_event())
    await endpoint_for(alert, receiver, "top_up.paid", request_id="newer")

    assert await listed(alert) == []


async def test_a_replay_posts_the_same_event_again(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await endpoint_for(alert, receiver, "top_up.paid")
    await peer.PublishEvent(an_event())
    first = await receiver.next_event()
    [delivery] = await until_settled(alert)

    replayed = await alert.ReplayDelivery(
        pb.ReplayDeliveryRequest(request_id="replay", delivery_id=delivery.delivery_id)
    )
    again = await receiver.next_event()

    assert replayed.delivery.event_type == "top_up.paid"
    assert (again.webhook_id, again.body, again.verified) == (first.webhook_id, first.body, True)


async def test_an_endpoint_cannot_ask_for_what_is_never_posted(
    alert: AlertStub, receiver: WebhookReceiver
) -> None:
    for event_type in ("top_up.payed", "top_up", "top_up.*", ""):
        with bad_fields("event_types[1]"):
            await endpoint_for(alert, receiver, "top_up.paid", event_type)
    await endpoint_for(alert, receiver, "top_up.paid", "top_up.expired")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_type", "top_up.lost"),
        ("event_type", "alert.in_alarm"),
        ("customer_id", ""),
        ("data_json", ""),
        ("data_json", "[]"),
        ("data_json", "{"),
        ("data_json", '{"a": NaN}'),
        ("data_json", '{"a": "\\ud800"}'),
        ("data_json", "[" * 5_000),
        ("data_json", json.dumps({"a": "x" * 65_536})),
    ],
)
async def test_what_is_no_event_is_refused(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver, field: str, value: str
) -> None:
    await endpoint_for(alert, receiver, "top_up.paid")

    request = an_event()
    setattr(request, field, value)
    with bad_fields(field):
        await peer.PublishEvent(request)

    assert await listed(alert) == []
