# SPDX-License-Identifier: Apache-2.0
"""What Alert itself posts is as documented, body by body; and so is what the feed shows."""

import pytest

from deploy.local.webhook_receiver import WebhookReceiver
from purser.alert.v1 import alert_pb2 as pb
from purser.alert.v1 import feed_pb2
from services.alert.domain.event import TOLD_EVENTS
from tests.support.alert import RunningAlert, a_crossing, a_spend_alert, an_alert, running_receiver
from tests.support.payloads import problems_with


async def an_endpoint(running: RunningAlert, receiver: WebhookReceiver, request_id: str) -> str:
    request = pb.CreateWebhookEndpointRequest(
        request_id=request_id, url=receiver.url, event_types=[one.value for one in TOLD_EVENTS]
    )
    created = await running.stub.CreateWebhookEndpoint(request)
    return created.webhook_endpoint.webhook_endpoint_id


async def test_alarms_of_both_types_are_posted_as_documented(
    running: RunningAlert, receiver: WebhookReceiver
) -> None:
    await an_endpoint(running, receiver, "endpoint")
    low = await an_alert(running.stub)
    spend = await a_spend_alert(running.stub, request_id="spend", customer_id="")

    for alert, value in ((low, ""), (spend, "ann")):
        for sequence, in_alarm in ((1, True), (2, False)):
            await running.peer.ObserveCrossing(
                a_crossing(alert, sequence, in_alarm=in_alarm, group_value=value)
            )
    posted = [await receiver.next_event() for _ in range(4)]

    assert sorted(one.event_type for one in posted) == ["alert.in_alarm"] * 2 + ["alert.resolved"] * 2
    assert [problem for one in posted for problem in problems_with(one.body)] == []
    listed = await running.feed.ListEvents(feed_pb2.ListEventsRequest())
    assert [problem for one in listed.events for problem in problems_with(one.payload)] == []
    assert sorted(one.payload.encode() for one in listed.events) == sorted(one.body for one in posted)


@pytest.mark.parametrize("reason", ["GONE", "OPERATOR"])
async def test_what_happens_to_an_endpoint_is_posted_as_documented(
    running: RunningAlert, receiver: WebhookReceiver, reason: str
) -> None:
    async with running_receiver() as other:
        await an_endpoint(running, receiver, "endpoint")
        ending = await an_endpoint(running, other, "other")
        request = pb.TestWebhookEndpointRequest(request_id="test", webhook_endpoint_id=ending)
        if reason == "GONE":
            other.answer(410)
        await running.stub.TestWebhookEndpoint(request)
        tested = await other.next_event()
        if reason == "OPERATOR":
            disable = pb.DisableWebhookEndpointRequest(request_id="disable", webhook_endpoint_id=ending)
            await running.stub.DisableWebhookEndpoint(disable)
        disabled = await receiver.next_event()

    assert (tested.event_type, problems_with(tested.body)) == ("webhook.test", [])
    assert (disabled.data["reason"], problems_with(disabled.body)) == (reason, [])
