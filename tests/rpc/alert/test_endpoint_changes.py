# SPDX-License-Identifier: Apache-2.0
"""UpdateWebhookEndpoint, TestWebhookEndpoint, EnableWebhookEndpoint, ReplayDeliveries, custom headers, and endpoints
that are disabled because they fail: on a real Alert that posts to real receivers.
"""

import asyncio
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.clock import ManualClock
from meshkit.keyring import keys_from_text, new_key
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as pb
from purser.alert.v1 import alert_peer_pb2 as peer_pb
from purser.alert.v1 import feed_pb2
from services.alert.app import Outside
from services.alert.domain.delivery import LEASE
from tests.support.alert import (
    ACME,
    JUNE,
    SECRET_KEYS,
    AlertStub,
    RunningAlert,
    a_crossing,
    an_alert,
    running_alert,
    running_receiver,
)
from tests.support.faults import bad_fields, fault
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

SECONDS_MAX = 60
DISABLED = "webhook_endpoint.disabled"
HOUR = timedelta(hours=1)


async def publish(running: RunningAlert, number: int = 1, event_type: str = "top_up.paid") -> None:
    await running.peer.PublishEvent(
        peer_pb.PublishEventRequest(
            request_id=f"ntc_{number}",
            event_type=event_type,
            customer_id=ACME,
            event_time=timestamp(JUNE),
            data_json=json.dumps({"number": number}),
        )
    )


async def created(
    alert: AlertStub, receiver: WebhookReceiver, *event_types: str, request_id: str = "create", **more: object
) -> pb.WebhookEndpoint:
    request = pb.CreateWebhookEndpointRequest(
        request_id=request_id,
        url=receiver.url,
        event_types=event_types or ("top_up.paid",),
        **more,  # type: ignore[arg-type]
    )
    answer = await alert.CreateWebhookEndpoint(request)
    receiver.secret = answer.secret
    return answer.webhook_endpoint


async def updated(
    alert: AlertStub, endpoint: pb.WebhookEndpoint, *, request_id: str = "update", **changes: object
) -> pb.WebhookEndpoint:
    request = pb.UpdateWebhookEndpointRequest(
        request_id=request_id,
        webhook_endpoint_id=endpoint.webhook_endpoint_id,
        **changes,  # type: ignore[arg-type]
    )
    return (await alert.UpdateWebhookEndpoint(request)).webhook_endpoint


async def enabled(
    alert: AlertStub, endpoint: pb.WebhookEndpoint, *, request_id: str = "enable"
) -> pb.WebhookEndpoint:
    request = pb.EnableWebhookEndpointRequest(
        request_id=request_id, webhook_endpoint_id=endpoint.webhook_endpoint_id
    )
    return (await alert.EnableWebhookEndpoint(request)).webhook_endpoint


async def listed(alert: AlertStub, **wanted: object) -> list[pb.Delivery]:
    request = pb.ListDeliveriesRequest(**wanted)  # type: ignore[arg-type]
    return list((await alert.ListDeliveries(request)).deliveries)


async def until_settled(alert: AlertStub) -> None:
    """Wait until nothing is pending."""
    async with asyncio.timeout(SECONDS_MAX):
        while await listed(alert, status=pb.DELIVERY_STATUS_PENDING):
            pass


async def only_endpoint(alert: AlertStub) -> pb.WebhookEndpoint:
    rows = (await alert.ListWebhookEndpoints(pb.ListWebhookEndpointsRequest())).webhook_endpoints
    return rows[0]


async def test_an_endpoint_is_changed_in_part_and_the_rest_stays(
    running: RunningAlert, receiver: WebhookReceiver
) -> None:
    alert = running.stub
    first = await created(alert, receiver)
    async with running_receiver() as moved:
        moved.secret = receiver.secret
        assert await updated(alert, first) == first
        renamed = await updated(alert, first, request_id="url", url=moved.url)
        wants = pb.EventTypes(event_types=["invoice.paid", "top_up.paid"])
        wider = await updated(alert, first, request_id="types", event_types=wants)
        assert (renamed.url, list(renamed.event_types)) == (moved.url, ["top_up.paid"])
        assert (wider.url, list(wider.event_types)) == (moved.url, ["top_up.paid", "invoice.paid"])
        assert await only_endpoint(alert) == wider
        assert await updated(alert, first, request_id="url", url=moved.url) == renamed  # the stored response

        await publish(running, 1, "invoice.paid")
        assert (await moved.next_event()).verified
        assert receiver.received == []
        alerts_only = await updated(alert, first, request_id="alerts", event_types=pb.EventTypes())
    assert list(alerts_only.event_types) == ["alert.in_alarm", "alert.resolved"]


async def test_what_is_no_endpoint_is_not_changed(running: RunningAlert, receiver: WebhookReceiver) -> None:
    alert = running.stub
    endpoint = await created(alert, receiver)
    with bad_fields("url"):
        await updated(alert, endpoint, url="ftp://hooks.example/")
    with bad_fields("url"):
        await updated(alert, endpoint, url="")
    with bad_fields("event_types.event_types[1]"):
        wants = pb.EventTypes(event_types=["top_up.paid", "webhook.test"])
        await updated(alert, endpoint, event_types=wants)
    unknown = pb.WebhookEndpoint(webhook_endpoint_id="end_none")
    with fault(StatusCode.NOT_FOUND, "WEBHOOK_ENDPOINT_NOT_FOUND"):
        await updated(alert, unknown)
    with fault(StatusCode.NOT_FOUND, "WEBHOOK_ENDPOINT_NOT_FOUND"):
        await enabled(alert, unknown)
    assert await only_endpoint(alert) == endpoint


async def test_a_target_that_is_not_allowed_is_refused_as_when_it_is_created(databases: Databases) -> None:
    async with running_alert(databases, allow_private_targets=False) as running:
        request = pb.CreateWebhookEndpointRequest(request_id="create", url="https://93.184.215.14/")
        endpoint = (await running.stub.CreateWebhookEndpoint(request)).webhook_endpoint
        with fault(StatusCode.FAILED_PRECONDITION, "WEBHOOK_TARGET_REFUSED"):
            await updated(running.stub, endpoint, url="http://127.0.0.1/")
        assert await only_endpoint(running.stub) == endpoint


async def test_custom_headers_are_sent_and_never_shown(
    running: RunningAlert, receiver: WebhookReceiver, databases: Databases
) -> None:
    alert = running.stub
    headers = [
        pb.CustomHeader(name="Authorization", value="Bearer hunter2"),
        pb.CustomHeader(name="x-team", value="a b"),
    ]
    endpoint = await created(alert, receiver, headers=headers)
    assert list(endpoint.header_names) == ["authorization", "x-team"]

    await publish(running)
    posted = await receiver.next_event()
    assert (posted.headers["authorization"], posted.headers["x-team"]) == ("Bearer hunter2", "a b")
    assert posted.headers["content-type"] == "application/json"
    assert posted.verified

    async with Sql.connected(databases.admin_url) as sql:
        for table in ("webhook_endpoints", "requests", "audit_events"):
            rows = await sql.rows(f"SELECT t::text AS line FROM alert.{table} t")
            assert rows
            assert not [row for row in rows if "hunter2" in row["line"]], table

    fewer = await updated(
        alert, endpoint, headers=pb.CustomHeaders(headers=[pb.CustomHeader(name="x-other", value="1")])
    )
    assert list(fewer.header_names) == ["x-other"]
    await publish(running, 2)
    posted = await receiver.next_event()
    assert "authorization" not in posted.headers
    assert posted.headers["x-other"] == "1"
    none = await updated(alert, endpoint, request_id="none", headers=pb.CustomHeaders())
    assert list(none.header_names) == []


@pytest.mark.parametrize(
    ("name", "value", "bad"),
    [
        ("", "v", "name"),
        ("x y", "v", "name"),
        ("x:", "v", "name"),
        ("x" * 65, "v", "name"),
        ("Webhook-Id", "v", "name"),
        ("host", "v", "name"),
        ("Content-Length", "v", "name"),
        ("x-a", "", "value"),
        ("x-a", " v", "value"),
        ("x-a", "v\r\nx-b: c", "value"),
        ("x-a", "ü", "value"),
        ("x-a", "v" * 1001, "value"),
    ],
)
async def test_a_header_that_cannot_be_sent_is_refused(
    running: RunningAlert, receiver: WebhookReceiver, name: str, value: str, bad: str
) -> None:
    good = pb.CustomHeader(name="x-good", value="v" * 1000)
    with bad_fields(f"headers[1].{bad}"):
        await created(running.stub, receiver, headers=[good, pb.CustomHeader(name=name, value=value)])
    with bad_fields("headers[1].name"):
        await created(running.stub, receiver, headers=[good, good])
    with bad_fields("headers"):
        many = [pb.CustomHeader(name=f"x-{number}", value="v") for number in range(11)]
        await created(running.stub, receiver, headers=many)
    await created(running.stub, receiver, headers=[good, *many[:9]])


async def test_headers_are_encrypted_with_a_new_key_and_wait_for_one_that_is_missing(
    databases: Databases, receiver: WebhookReceiver
) -> None:
    newer = new_key()
    [key] = keys_from_text(newer)
    async with running_alert(databases) as running:
        header = pb.CustomHeader(name="x-team", value="hunter2")
        await created(running.stub, receiver, headers=[header])
    async with (
        running_alert(databases, secret_keys=f"{newer},{SECRET_KEYS}"),
        Sql.connected(databases.admin_url) as sql,
    ):
        for column in ("headers_key_id FROM alert.webhook_endpoints", "key_id FROM alert.webhook_secrets"):
            await sql.until(f"SELECT (SELECT {column}) = '{key.key_id}'")
    async with running_alert(databases, secret_keys=newer) as running:
        await publish(running)
        assert (await receiver.next_event()).headers["x-team"] == "hunter2"
    async with running_alert(databases, secret_keys=new_key()) as running:
        await publish(running, 2)
        async with asyncio.timeout(SECONDS_MAX):
            while not [one for one in await listed(running.stub) if "waits" in one.last_error]:
                pass
        assert len(receiver.received) == 1


async def test_a_test_event_is_posted_to_the_one_endpoint_and_listed(
    running: RunningAlert, receiver: WebhookReceiver
) -> None:
    alert = running.stub
    async with running_receiver() as other:
        await created(alert, other, request_id="other")
        endpoint = await created(alert, receiver)
        request = pb.TestWebhookEndpointRequest(
            request_id="test", webhook_endpoint_id=endpoint.webhook_endpoint_id
        )
        tested = (await alert.TestWebhookEndpoint(request)).delivery
        posted = await receiver.next_event()
        await until_settled(alert)

        assert (posted.event_type, posted.verified, posted.webhook_id) == (
            "webhook.test",
            True,
            tested.delivery_id,
        )
        assert posted.body.decode() == tested.payload
        assert json.loads(tested.payload)["data"] == {"webhook_endpoint_id": endpoint.webhook_endpoint_id}
        [delivery] = await listed(alert)
        assert (delivery.event_type, delivery.status) == ("webhook.test", pb.DELIVERY_STATUS_DELIVERED)
        assert (await alert.TestWebhookEndpoint(request)).delivery == tested
        assert (await running.feed.ListEvents(feed_pb2.ListEventsRequest())).events == []
        assert (len(receiver.received), len(other.received)) == (1, 0)
    await alert.DisableWebhookEndpoint(
        pb.DisableWebhookEndpointRequest(
            request_id="disable", webhook_endpoint_id=endpoint.webhook_endpoint_id
        )
    )
    request.request_id = "again"
    with fault(StatusCode.FAILED_PRECONDITION, "WEBHOOK_ENDPOINT_DISABLED"):
        await alert.TestWebhookEndpoint(request)


async def test_an_endpoint_that_is_gone_is_disabled_told_to_others_and_gets_what_it_missed(
    running: RunningAlert, receiver: WebhookReceiver
) -> None:
    alert = running.stub
    async with running_receiver() as other:
        await created(alert, other, DISABLED, request_id="other")
        endpoint = await created(alert, receiver)
        receiver.answer(410)
        await publish(running, 1)
        told = await other.next_event()
        assert (told.event_type, told.data["reason"], told.data["webhook_endpoint_id"]) == (
            DISABLED,
            "GONE",
            endpoint.webhook_endpoint_id,
        )
        assert receiver.url not in told.body.decode()
        await publish(running, 2)
        await publish(running, 3)
        await until_settled(alert)
        assert len(receiver.received) == 1

        back = await enabled(alert, endpoint)
        assert not back.HasField("disable_time")
        assert await enabled(alert, endpoint, request_id="twice") == back
        first = receiver.received[0]
        posted = [await receiver.next_event() for _ in range(4)][1:]

    assert sorted(one.data["number"] for one in posted) == [1, 2, 3]
    assert first.webhook_id in [one.webhook_id for one in posted]
    found = await running.feed.ListEvents(feed_pb2.ListEventsRequest(event_types=[DISABLED]))
    assert [one.customer_id for one in found.events] == [""]


async def test_an_endpoint_that_only_fails_for_three_days_is_disabled_and_one_success_prevents_it(
    databases: Databases, receiver: WebhookReceiver
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    wall = ManualClock(now)
    async with (
        running_receiver() as healthy,
        running_alert(databases, wall=wall, outside=Outside(jitter=lambda: 1.0)) as running,
    ):
        alert = running.stub
        await created(alert, healthy, "top_up.paid", DISABLED, request_id="healthy")
        failing = await created(alert, receiver)

        async def at(hours: int, number: int | None = None) -> pb.WebhookEndpoint:
            """Attempt what is due at that hour, with one more event."""
            wall.advance_to(now + hours * HOUR)
            if number is not None:
                await publish(running, number)
            running.app.wake()
            leased = wall.now() + LEASE
            async with asyncio.timeout(SECONDS_MAX):
                while [
                    one
                    for one in await listed(alert, webhook_endpoint_id=failing.webhook_endpoint_id)
                    if one.status == pb.DELIVERY_STATUS_PENDING
                    and (due := one.next_attempt_time.ToDatetime(UTC))
                    and (due <= wall.now() or due == leased)
                ]:
                    pass
            return await listed_endpoint(alert, failing)

        receiver.answer(500)
        await at(0, 1)
        await at(36)  # which it accepts
        receiver.answer(*[500] * 100)
        await at(40, 2)
        await at(72)
        assert not (await at(40 + 71, 3)).HasField("disable_time")
        await at(40 + 72, 4)

        told = await healthy.next_event()
        while told.event_type != DISABLED:
            told = await healthy.next_event()
        ended = await listed_endpoint(alert, failing)
        assert ended.disable_reason == pb.DISABLE_REASON_FAILING
        assert told.data["reason"] == "FAILING"
        assert told.data["failing_since_time"] == (now + 40 * HOUR).isoformat().replace("+00:00", "Z")

        async with running_receiver() as repaired:
            await updated(alert, failing, url=repaired.url)
            await enabled(alert, failing)
            missed = [(await repaired.next_event()).data["number"] for _ in range(3)]
        assert sorted(missed) == [2, 3, 4]


async def listed_endpoint(alert: AlertStub, endpoint: pb.WebhookEndpoint) -> pb.WebhookEndpoint:
    rows = (await alert.ListWebhookEndpoints(pb.ListWebhookEndpointsRequest())).webhook_endpoints
    return next(one for one in rows if one.webhook_endpoint_id == endpoint.webhook_endpoint_id)


async def test_deliveries_are_listed_by_type_and_status(
    running: RunningAlert, receiver: WebhookReceiver
) -> None:
    alert = running.stub
    await created(alert, receiver, "top_up.paid", "invoice.paid")
    receiver.answer(500)
    await publish(running, 1)
    await receiver.next_event()
    for number in (2, 3):
        await publish(running, number, "invoice.paid")
        await receiver.next_event()
    async with asyncio.timeout(SECONDS_MAX):
        while len(await listed(alert, status=pb.DELIVERY_STATUS_DELIVERED)) < 2:
            pass

    invoices = await listed(alert, event_types=["invoice.paid"])
    assert [one.event_type for one in invoices] == ["invoice.paid"] * 2
    assert len(await listed(alert, event_types=["invoice.paid", "top_up.paid"])) == 3
    assert await listed(alert, event_types=["top_up.paid"], status=pb.DELIVERY_STATUS_FAILED) == []
    first = await alert.ListDeliveries(pb.ListDeliveriesRequest(page_size=1))
    for other in (
        pb.ListDeliveriesRequest(page_token=first.next_page_token, event_types=["top_up.paid"]),
        pb.ListDeliveriesRequest(page_token=first.next_page_token, status=pb.DELIVERY_STATUS_PENDING),
    ):
        with bad_fields("page_token"):
            await alert.ListDeliveries(other)
    with bad_fields("event_types[0]"):
        await listed(alert, event_types=["top_up"])
    with bad_fields("status"):
        await listed(alert, status=9)


async def test_many_deliveries_are_replayed_with_their_ids_and_bodies(
    running: RunningAlert, receiver: WebhookReceiver
) -> None:
    alert = running.stub
    began = timestamp(datetime.now(UTC))
    await created(alert, receiver)
    for number in range(20):
        await publish(running, number)
    first = {one.webhook_id: one.body for one in [await receiver.next_event() for _ in range(20)]}
    await until_settled(alert)

    request = pb.ReplayDeliveriesRequest(request_id="replay", start_time=began)
    started = await alert.ReplayDeliveries(request)
    again = {one.webhook_id: one.body for one in [await receiver.next_event() for _ in range(20)]}
    await until_settled(alert)

    assert len(started.webhook_endpoint_ids) == 1
    assert again == first
    assert await alert.ReplayDeliveries(request) == started
    request = pb.ReplayDeliveriesRequest(request_id="failed", start_time=began, failed_only=True)
    await alert.ReplayDeliveries(request)
    await until_settled(alert)
    assert len(receiver.received) == 40
    with bad_fields("start_time"):
        await alert.ReplayDeliveries(pb.ReplayDeliveriesRequest(request_id="none"))
    with bad_fields("end_time"):
        bad: Message = pb.ReplayDeliveriesRequest(request_id="end", start_time=began, end_time=began)
        await alert.ReplayDeliveries(bad)  # type: ignore[arg-type]
    with fault(StatusCode.NOT_FOUND, "WEBHOOK_ENDPOINT_NOT_FOUND"):
        await alert.ReplayDeliveries(
            pb.ReplayDeliveriesRequest(request_id="x", start_time=began, webhook_endpoint_id="end_none")
        )


async def test_an_endpoint_of_the_kind_slack_gets_a_text_and_retries_it(
    running: RunningAlert, receiver: WebhookReceiver
) -> None:
    alert = running.stub
    endpoint = await created(alert, receiver, kind=pb.ENDPOINT_KIND_SLACK)
    receiver.answer(500)
    await publish(running)
    first, second = await receiver.next_event(), await receiver.next_event()

    assert endpoint.kind == pb.ENDPOINT_KIND_SLACK
    assert json.loads(first.body) == {"text": "*top_up.paid* 2025-06-01T00:00:00Z\nnumber: 1"}
    assert (second.body, second.webhook_id, second.verified) == (first.body, first.webhook_id, True)
    async with asyncio.timeout(SECONDS_MAX):
        while not (delivered := await listed(alert, status=pb.DELIVERY_STATUS_DELIVERED)):
            pass
    assert json.loads(delivered[0].payload)["data"] == {"number": 1}
    assert (await created(alert, receiver, request_id="plain")).kind == pb.ENDPOINT_KIND_WEBHOOK
    with bad_fields("kind"):
        await created(alert, receiver, request_id="other", kind=9)


async def test_an_endpoint_of_the_kind_metronome_gets_alarms_only_signed_by_its_scheme(
    running: RunningAlert, receiver: WebhookReceiver
) -> None:
    made = await running.stub.CreateWebhookEndpoint(
        pb.CreateWebhookEndpointRequest(
            request_id="metronome", url=receiver.url, kind=pb.ENDPOINT_KIND_METRONOME
        )
    )
    watched = await an_alert(running.stub)
    await running.peer.ObserveCrossing(a_crossing(watched, 1, in_alarm=True))
    received = await receiver.next_event()

    assert made.webhook_endpoint.event_types == ["alert.in_alarm"]
    body = json.loads(received.body)
    assert body["type"] == "alerts.low_remaining_contract_credit_and_commit_balance_reached"
    assert body["properties"]["remaining_balance"] == 7.5
    signed = received.headers["x-metronome-date"].encode() + b"\n" + received.body
    expected = hmac.new(made.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert received.headers["metronome-webhook-signature"] == expected
    assert "webhook-signature" not in received.headers
