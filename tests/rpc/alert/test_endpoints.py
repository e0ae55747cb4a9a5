# SPDX-License-Identifier: Apache-2.0
"""CreateWebhookEndpoint, ListWebhookEndpoints, RotateWebhookSecret, DisableWebhookEndpoint."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.clock import ManualClock
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as pb
from services.alert.app import Outside
from tests.support.alert import (
    AlertPeerStub,
    AlertStub,
    Names,
    RunningAlert,
    a_crossing,
    an_alert,
    an_endpoint,
    running_alert,
    running_receiver,
    until_delivery,
)
from tests.support.faults import bad_fields, fault
from tests.support.postgres import Databases


async def create(alert: AlertStub, url: str, request_id: str = "r1") -> pb.CreateWebhookEndpointResponse:
    return await alert.CreateWebhookEndpoint(pb.CreateWebhookEndpointRequest(request_id=request_id, url=url))


async def rotate(alert: AlertStub, endpoint_id: str, request_id: str) -> pb.RotateWebhookSecretResponse:
    return await alert.RotateWebhookSecret(
        pb.RotateWebhookSecretRequest(request_id=request_id, webhook_endpoint_id=endpoint_id)
    )


async def disable(alert: AlertStub, endpoint_id: str, request_id: str) -> pb.WebhookEndpoint:
    request = pb.DisableWebhookEndpointRequest(request_id=request_id, webhook_endpoint_id=endpoint_id)
    return (await alert.DisableWebhookEndpoint(request)).webhook_endpoint


async def listed(alert: AlertStub) -> list[pb.WebhookEndpoint]:
    return list((await alert.ListWebhookEndpoints(pb.ListWebhookEndpointsRequest())).webhook_endpoints)


@pytest.fixture
def names() -> Names:
    return Names({"hooks.seatsco.example": ["93.184.215.14"]})


@pytest.fixture
async def strict_alert(databases: Databases, names: Names) -> AsyncIterator[RunningAlert]:
    """An Alert that posts to public addresses only."""
    outside = Outside(resolver=names)
    async with running_alert(databases, allow_private_targets=False, outside=outside) as running:
        yield running


@pytest.fixture
def strict(strict_alert: RunningAlert) -> AlertStub:
    return strict_alert.stub


@pytest.fixture
def strict_peer(strict_alert: RunningAlert) -> AlertPeerStub:
    return strict_alert.peer


async def test_a_new_endpoint_gets_a_secret_of_its_own(alert: AlertStub) -> None:
    first = await create(alert, "https://hooks.seatsco.example/a", "r1")
    second = await create(alert, "https://hooks.seatsco.example/a", "r2")

    assert first.webhook_endpoint.webhook_endpoint_id.startswith("end_")
    assert first.webhook_endpoint.url == "https://hooks.seatsco.example/a"
    assert first.secret.startswith("whsec_")
    assert len(base64.b64decode(first.secret.removeprefix("whsec_"))) >= 24
    assert first.secret != second.secret
    assert await listed(alert) == [first.webhook_endpoint, second.webhook_endpoint]


async def test_the_same_request_gets_the_same_secret_again(alert: AlertStub) -> None:
    first = await create(alert, "https://hooks.seatsco.example/", "r1")

    assert await create(alert, "https://hooks.seatsco.example/", "r1") == first
    assert len(await listed(alert)) == 1
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="r1"):
        await create(alert, "https://hooks.seatsco.example/other", "r1")


async def test_first_answers_stay_the_same_after_rotations_and_disabling(alert: AlertStub) -> None:
    first = await create(alert, "https://hooks.seatsco.example/", "r1")
    endpoint_id = first.webhook_endpoint.webhook_endpoint_id
    second = await rotate(alert, endpoint_id, "r2")
    third = await rotate(alert, endpoint_id, "r3")
    disabled = await disable(alert, endpoint_id, "r4")

    assert len({first.secret, second.secret, third.secret}) == 3
    assert await create(alert, "https://hooks.seatsco.example/", "r1") == first
    assert await rotate(alert, endpoint_id, "r2") == second
    assert await rotate(alert, endpoint_id, "r3") == third
    assert await disable(alert, endpoint_id, "r4") == disabled
    other = (await create(alert, "https://hooks.seatsco.example/", "r5")).webhook_endpoint
    for call, request_id in ((rotate, "r2"), (disable, "r4")):
        with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id=request_id):
            await call(alert, other.webhook_endpoint_id, request_id)


async def test_endpoints_are_paged_in_the_order_they_were_made(alert: AlertStub) -> None:
    made = [(await create(alert, f"https://h{n}.example/", f"r{n}")).webhook_endpoint for n in range(3)]

    first = await alert.ListWebhookEndpoints(pb.ListWebhookEndpointsRequest(page_size=2))
    second = await alert.ListWebhookEndpoints(
        pb.ListWebhookEndpointsRequest(page_size=2, page_token=first.next_page_token)
    )

    assert [*first.webhook_endpoints, *second.webhook_endpoints] == made
    assert (len(first.webhook_endpoints), second.next_page_token) == (2, "")


async def test_disabling_twice_is_harmless(alert: AlertStub) -> None:
    endpoint = (await create(alert, "https://hooks.seatsco.example/")).webhook_endpoint

    first = await disable(alert, endpoint.webhook_endpoint_id, "d1")
    second = await disable(alert, endpoint.webhook_endpoint_id, "d2")

    assert first.HasField("disable_time")
    assert second == first
    assert await listed(alert) == [first]


async def test_what_waits_for_an_endpoint_fails_when_it_is_disabled(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    endpoint = await an_endpoint(alert, receiver)
    receiver.answer(500)
    low = await an_alert(alert)
    await peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
    await until_delivery(alert, low.alert_id, lambda delivery: delivery.last_status_code == 500)

    await disable(alert, endpoint.webhook_endpoint_id, "d1")

    (failed,) = (await alert.ListDeliveries(pb.ListDeliveriesRequest())).deliveries
    assert failed.status == pb.DELIVERY_STATUS_FAILED
    assert failed.last_error == "the endpoint is disabled"
    assert not failed.HasField("next_attempt_time")


async def test_during_a_rotation_both_secrets_verify_and_after_24_hours_the_new_one_only(
    databases: Databases, receiver: WebhookReceiver
) -> None:
    # The library looks at the machine's clock, so the posting that matters happens at its present.
    now = datetime.now(UTC)
    wall = ManualClock(now - timedelta(hours=24))
    async with running_alert(databases, wall=wall) as running:
        alert = running.stub
        endpoint = await an_endpoint(alert, receiver)
        old_secret = receiver.secret
        rotated = await rotate(alert, endpoint.webhook_endpoint_id, "rotate")
        low = await an_alert(alert)
        wall.advance(timedelta(hours=24) - timedelta(microseconds=1))

        for sequence, (secret, lapses) in enumerate(
            [(old_secret, False), (rotated.secret, False), (rotated.secret, True), (old_secret, True)],
            start=1,
        ):
            if lapses:
                wall.advance_to(now)
            receiver.secret = secret
            await running.peer.ObserveCrossing(a_crossing(low, sequence, in_alarm=sequence % 2 == 1))
            event = await receiver.next_event()
            assert event.verified is (secret == rotated.secret or not lapses)
            assert len(event.headers["webhook-signature"].split(" ")) == (1 if lapses else 2)

        assert rotated.previous_expire_time == timestamp(now)


async def test_an_unknown_endpoint_is_not_found(alert: AlertStub) -> None:
    for call in (rotate, disable):
        with fault(StatusCode.NOT_FOUND, "WEBHOOK_ENDPOINT_NOT_FOUND", webhook_endpoint_id="end_x"):
            await call(alert, "end_x", "r")


@pytest.mark.parametrize(
    ("rpc", "request_", "fields"),
    [
        ("CreateWebhookEndpoint", pb.CreateWebhookEndpointRequest(), ["request_id", "url"]),
        ("RotateWebhookSecret", pb.RotateWebhookSecretRequest(), ["request_id", "webhook_endpoint_id"]),
        ("DisableWebhookEndpoint", pb.DisableWebhookEndpointRequest(), ["request_id", "webhook_endpoint_id"]),
        (
            "ListWebhookEndpoints",
            pb.ListWebhookEndpointsRequest(page_size=-1, page_token="x"),
            ["page_size", "page_token"],
        ),
    ],
)
async def test_all_bad_fields_are_named(
    alert: AlertStub, rpc: str, request_: Message, fields: list[str]
) -> None:
    with bad_fields(*fields):
        await getattr(alert, rpc)(request_)


@pytest.mark.parametrize(
    "url",
    [
        "hooks.seatsco.example",
        "ftp://hooks.seatsco.example/",
        "https:///no-host",
        "https://user:password@hooks.seatsco.example/",
        "https://hooks.seatsco.example:0/",
        "https://hooks.seatsco.example/" + "x" * 2_000,
    ],
)
async def test_a_url_that_cannot_be_posted_to_is_a_bad_field(alert: AlertStub, url: str) -> None:
    with bad_fields("url"):
        await create(alert, url)


@pytest.mark.parametrize(
    ("url", "host", "addresses", "refused"),
    [
        ("http://127.0.0.1:9000/", "127.0.0.1", ["127.0.0.1"], "127.0.0.1"),
        ("http://localhost/", "localhost", ["::1", "127.0.0.1"], ""),
        (
            "http://169.254.169.254/latest/meta-data",
            "169.254.169.254",
            ["169.254.169.254"],
            "169.254.169.254",
        ),
        ("https://inside.example/", "inside.example", ["93.184.215.14", "10.0.0.7"], ""),
        ("https://mapped.example/", "mapped.example", ["::ffff:10.0.0.7"], ""),
        ("https://nat.example/", "nat.example", ["64:ff9b::a00:7"], ""),
        ("http://2130706433/", "2130706433", ["127.0.0.1"], ""),
        ("https://nowhere.example/", "nowhere.example", [], ""),
    ],
)
async def test_a_target_that_is_not_public_is_refused_and_named_only_as_the_url_names_it(
    strict: AlertStub, names: Names, url: str, host: str, addresses: list[str], refused: str
) -> None:
    names.answers[host] = addresses

    with fault(StatusCode.FAILED_PRECONDITION, "WEBHOOK_TARGET_REFUSED", host=host, address=refused):
        await create(strict, url)

    assert await listed(strict) == []


async def test_a_refused_request_leaves_its_id_free_and_a_taken_one_keeps_its_answer(
    strict: AlertStub, names: Names
) -> None:
    names.answers["moved.example"] = ["10.0.0.7"]
    with fault(StatusCode.FAILED_PRECONDITION, "WEBHOOK_TARGET_REFUSED"):
        await create(strict, "https://moved.example/", "r1")
    names.answers["moved.example"] = ["93.184.215.14"]
    first = await create(strict, "https://moved.example/", "r1")

    names.answers["moved.example"] = ["10.0.0.7"]

    assert await create(strict, "https://moved.example/", "r1") == first


async def test_a_name_that_moves_inside_is_refused_at_the_posting(
    strict: AlertStub, strict_peer: AlertPeerStub, names: Names
) -> None:
    await create(strict, "https://hooks.seatsco.example/")
    names.answers["hooks.seatsco.example"] = ["10.0.0.7"]
    low = await an_alert(strict)

    await strict_peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))

    delivery = await until_delivery(strict, low.alert_id, lambda delivery: delivery.last_error != "")
    assert "has an address that is not public" in delivery.last_error
    assert "10.0.0.7" not in delivery.last_error
    assert (delivery.status, delivery.last_status_code) == (pb.DELIVERY_STATUS_PENDING, 0)


async def test_an_endpoint_that_is_gone_is_disabled_and_all_that_waits_fails(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    async with running_receiver() as alive:
        gone = await an_endpoint(alert, receiver, request_id="e1")
        await an_endpoint(alert, alive, request_id="e2")
        receiver.answer(410)
        low = await an_alert(alert)

        await peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
        failed = await until_delivery(
            alert, low.alert_id, lambda delivery: delivery.status == pb.DELIVERY_STATUS_FAILED
        )

        assert (failed.webhook_endpoint_id, failed.last_status_code) == (gone.webhook_endpoint_id, 410)
        assert [one.HasField("disable_time") for one in await listed(alert)] == [True, False]
        assert (await alive.next_event()).event_type == "alert.in_alarm"
