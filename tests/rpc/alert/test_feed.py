# SPDX-License-Identifier: Apache-2.0
"""ListEvents and WatchEvents on a real Alert."""

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
from grpc import StatusCode

from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.clock import SystemClock
from meshkit.db import open_engine
from meshkit.ids import Ids
from meshkit.page import next_token
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as pb
from purser.alert.v1 import alert_peer_pb2 as peer_pb
from purser.alert.v1 import feed_pb2
from purser.alert.v1.feed_pb2_grpc import EventFeedServiceStub
from services.alert.domain.alert import CustomerId
from services.alert.domain.commands import PublishEvent
from services.alert.domain.event import EventId, EventType, Occurrence
from services.alert.operations.events import Events
from services.alert.store import PostgresStore
from tests.support.alert import (
    ACME,
    JUNE,
    AlertStub,
    FeedStub,
    RunningAlert,
    a_crossing,
    a_keyring,
    an_alert,
    an_endpoint,
    running_alert,
)
from tests.support.alert_store import Courier
from tests.support.faults import bad_fields, fault
from tests.support.postgres import Databases

SECONDS_MAX = 60


@pytest.fixture
def feed(running: RunningAlert) -> FeedStub:
    return running.feed


async def publish(
    running: RunningAlert, number: int, *, event_type: str = "top_up.paid", customer_id: str = ACME
) -> None:
    await running.peer.PublishEvent(
        peer_pb.PublishEventRequest(
            request_id=f"ntc_{number}",
            event_type=event_type,
            customer_id=customer_id,
            event_time=timestamp(JUNE),
            data_json=json.dumps({"number": number}),
        )
    )


async def find(feed: FeedStub, **filters: object) -> feed_pb2.ListEventsResponse:
    return await feed.ListEvents(feed_pb2.ListEventsRequest(**filters))  # type: ignore[arg-type]


def ids(response: feed_pb2.ListEventsResponse) -> list[str]:
    return [one.event_id for one in response.events]


async def test_every_event_is_listed_once_in_order_whether_an_endpoint_wants_it_or_not(
    running: RunningAlert, feed: FeedStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(running.stub, receiver)  # it wants alerts only
    low = await an_alert(running.stub)
    await publish(running, 1)
    await running.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
    await publish(running, 1)  # a repeated notice
    await publish(running, 2, event_type="invoice.paid", customer_id="cus_other")

    found = await find(feed)
    posted = await receiver.next_event()

    assert [(one.event_type, one.customer_id, one.customer_sequence) for one in found.events] == [
        ("top_up.paid", ACME, 1),
        ("alert.in_alarm", ACME, 2),
        ("invoice.paid", "cus_other", 1),
    ]
    assert not found.has_more
    assert found.events[1].payload == posted.body.decode()
    body = json.loads(found.events[1].payload)
    assert (body["event_id"], body["customer_sequence"], body["payload_version"]) == (
        found.events[1].event_id,
        2,
        1,
    )


async def test_pages_go_on_at_the_cursor_with_any_filter(running: RunningAlert, feed: FeedStub) -> None:
    for number in range(1, 6):
        await publish(running, number, event_type="invoice.paid" if number == 4 else "top_up.paid")

    first = await find(feed, page_size=2)
    assert (ids(first), first.has_more) == (["ntc_1", "ntc_2"], True)
    invoices = await find(feed, cursor=first.cursor, event_types=["invoice.paid"])
    assert (ids(invoices), invoices.has_more) == (["ntc_4"], False)
    rest = await find(feed, cursor=first.cursor, customer_id=ACME)
    assert ids(rest) == ["ntc_3", "ntc_4", "ntc_5"]
    assert ids(await find(feed, cursor=rest.cursor)) == []
    assert ids(await find(feed, customer_id="cus_other")) == []
    recent = datetime.now(UTC) - timedelta(minutes=1)
    assert len(ids(await find(feed, start_time=timestamp(recent)))) == 5
    assert ids(await find(feed, start_time=timestamp(recent + timedelta(minutes=2)))) == []


async def test_large_events_end_a_page_early_and_none_is_left_out(
    running: RunningAlert, feed: FeedStub
) -> None:
    for number in range(70):
        await running.peer.PublishEvent(
            peer_pb.PublishEventRequest(
                request_id=f"ntc_{number:03}",
                event_type="top_up.paid",
                customer_id=ACME,
                event_time=timestamp(JUNE),
                data_json=json.dumps({"long": "x" * 65_000}),
            )
        )

    first = await find(feed, page_size=500)
    rest = await find(feed, page_size=500, cursor=first.cursor)

    assert 0 < len(first.events) < 70
    assert (first.has_more, rest.has_more) == (True, False)
    assert ids(first) + ids(rest) == [f"ntc_{number:03}" for number in range(70)]


async def test_a_place_that_is_none_is_refused(running: RunningAlert, feed: FeedStub) -> None:
    known = await find(feed)
    for cursor in ("nonsense", known.cursor[:-2], next_token(("-1",), {"list": "events"})):
        with bad_fields("cursor"):
            await find(feed, cursor=cursor)
    with bad_fields("start_time"):
        await find(feed, cursor=known.cursor, start_time=timestamp(JUNE))
    with bad_fields("event_types[0]", "page_size"):
        await find(feed, event_types=["top_up"], page_size=-1)
    with bad_fields("event_types[0]"):
        await anext(aiter(feed.WatchEvents(feed_pb2.WatchEventsRequest(event_types=["top_up"]))))
    with fault(StatusCode.FAILED_PRECONDITION, "EVENT_CURSOR_UNKNOWN"):
        await find(feed, cursor=next_token(("1",), {"list": "events"}))
    for request in (
        feed.ListEvents(feed_pb2.ListEventsRequest(start_time=timestamp(JUNE))),
        anext(aiter(feed.WatchEvents(feed_pb2.WatchEventsRequest(start_time=timestamp(JUNE))))),
    ):
        with fault(StatusCode.FAILED_PRECONDITION, "EVENT_CURSOR_EXPIRED"):
            await request


async def test_a_watch_gets_events_as_they_come_and_resumes_at_its_cursor(
    running: RunningAlert, feed: FeedStub
) -> None:
    await publish(running, 1)
    watch = feed.WatchEvents(feed_pb2.WatchEventsRequest(customer_id=ACME))
    responses = aiter(watch)

    async with asyncio.timeout(SECONDS_MAX):
        begun = await anext(responses)
        assert not begun.HasField("event")
        await publish(running, 2)
        second = await anext(responses)
        await publish(running, 3, customer_id="cus_other")
        await publish(running, 4)
        fourth = await anext(responses)
        watch.cancel()
        assert [second.event.event_id, fourth.event.event_id] == ["ntc_2", "ntc_4"]

        again = aiter(feed.WatchEvents(feed_pb2.WatchEventsRequest(cursor=second.cursor)))
        assert [(await anext(again)).event.event_id for _ in range(3)] == ["", "ntc_3", "ntc_4"]
    assert ids(await find(feed, cursor=begun.cursor)) == ["ntc_2", "ntc_3", "ntc_4"]


async def test_a_reader_that_reads_nothing_holds_nothing_up(running: RunningAlert, feed: FeedStub) -> None:
    slow = feed.WatchEvents(feed_pb2.WatchEventsRequest())
    quick = aiter(feed.WatchEvents(feed_pb2.WatchEventsRequest()))
    async with asyncio.timeout(SECONDS_MAX):
        await anext(aiter(slow))
        await anext(quick)
        for number in range(200):
            await publish(running, number)
        seen = [(await anext(quick)).event.event_id for _ in range(200)]
        assert seen == [f"ntc_{number}" for number in range(200)]
        assert [(await anext(aiter(slow))).event.event_id for _ in range(200)] == seen


async def test_watches_end_without_an_error_when_the_service_stops(databases: Databases) -> None:
    async with asyncio.timeout(SECONDS_MAX), AsyncExitStack() as stopping, AsyncExitStack() as client:
        running = await stopping.enter_async_context(running_alert(databases))
        channel = await client.enter_async_context(open_channel(running.address))
        watch = EventFeedServiceStub(channel).WatchEvents(feed_pb2.WatchEventsRequest())
        await anext(aiter(watch))
        rest = asyncio.create_task(_until_end(watch))
        await stopping.aclose()
        assert (await rest, await watch.code()) == (0, StatusCode.OK)


async def _until_end(watch: object) -> int:
    return len([one async for one in watch])  # type: ignore[attr-defined]


async def test_a_cursor_outlives_the_service(databases: Databases) -> None:
    async with running_alert(databases) as running:
        await publish(running, 1)
        cursor = (await find(running.feed)).cursor
        await publish(running, 2)
    async with running_alert(databases) as running:
        await publish(running, 3)
        assert ids(await find(running.feed, cursor=cursor)) == ["ntc_2", "ntc_3"]


async def test_two_replicas_show_the_same_feed(databases: Databases) -> None:
    async with (
        asyncio.timeout(SECONDS_MAX),
        running_alert(databases) as one,
        running_alert(databases) as other,
    ):
        watches = [aiter(each.feed.WatchEvents(feed_pb2.WatchEventsRequest())) for each in (one, other)]
        for watch in watches:
            await anext(watch)
        await asyncio.gather(
            *(publish(each, number) for number, each in enumerate((one, other) * 20, start=1))
        )
        seen = [[(await anext(watch)).event.event_id for _ in range(40)] for watch in watches]
        assert seen[0] == seen[1] == ids(await find(one.feed))
        assert len(set(seen[0])) == 40


async def test_a_delivery_shows_the_body_of_its_event(
    running: RunningAlert, feed: FeedStub, receiver: WebhookReceiver
) -> None:
    alert: AlertStub = running.stub
    await alert.CreateWebhookEndpoint(
        pb.CreateWebhookEndpointRequest(request_id="e", url=receiver.url, event_types=["top_up.paid"])
    )
    await publish(running, 1)

    [event] = (await find(feed)).events
    [delivery] = (await alert.ListDeliveries(pb.ListDeliveriesRequest())).deliveries
    assert delivery.payload == event.payload


async def test_what_a_replica_stored_before_it_was_killed_is_posted_and_listed_by_the_next(
    databases: Databases, receiver: WebhookReceiver
) -> None:
    async with running_alert(databases) as running:
        await running.stub.CreateWebhookEndpoint(
            pb.CreateWebhookEndpointRequest(request_id="e", url=receiver.url, event_types=["top_up.paid"])
        )
    engine = open_engine(databases.url("alert"), application_name="killed")
    wall = SystemClock()
    store = PostgresStore(engine, wall=wall, ids=Ids(wall), keyring=a_keyring())
    # It commits, and is killed before it wakes its worker or anybody reads.
    events = Events(store=store, courier=Courier(), invoices=Courier(), wall=wall, ids=Ids(wall))
    occurrence = Occurrence(
        event_id=EventId("ntc_1"),
        event_type=EventType.TOP_UP_PAID,
        customer_id=CustomerId(ACME),
        event_time=JUNE,
        data={"number": 1},
    )
    await events.publish(PublishEvent(request_id="ntc_1", fingerprint=b"body", event=occurrence))
    await engine.dispose()

    async with running_alert(databases) as running:
        posted = await receiver.next_event()
        [event] = (await find(running.feed)).events
    assert (event.event_id, event.payload) == ("ntc_1", posted.body.decode())
    assert len(receiver.received) == 1
