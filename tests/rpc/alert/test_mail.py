# SPDX-License-Identifier: Apache-2.0
"""Endpoints of the kind EMAIL, on a real Alert that mails to a real SMTP server."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from grpc import StatusCode

from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.clock import ManualClock
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as pb
from purser.alert.v1 import alert_peer_pb2 as peer_pb
from services.alert.app import Outside
from tests.support.alert import (
    ACME,
    JUNE,
    AlertStub,
    RunningAlert,
    a_crossing,
    an_alert,
    an_endpoint,
    running_alert,
)
from tests.support.faults import bad_fields, fault
from tests.support.ledger_sql import Sql
from tests.support.mail_receiver import SENDER, MailReceiver, running_mail_receiver
from tests.support.payloads import example_of
from tests.support.postgres import Databases

SECONDS_MAX = 60
ANN, BOB, EVE = "ann@vendor.example", "bob@vendor.example", "eve@vendor.example"
SECOND = timedelta(seconds=1)
DELIVERED, FAILED, PENDING = (
    pb.DELIVERY_STATUS_DELIVERED,
    pb.DELIVERY_STATUS_FAILED,
    pb.DELIVERY_STATUS_PENDING,
)


@pytest.fixture
async def mails() -> AsyncIterator[MailReceiver]:
    async with running_mail_receiver() as receiver:
        yield receiver


@pytest.fixture
def wall() -> ManualClock:
    return ManualClock(JUNE)


@pytest.fixture
async def mailing(
    databases: Databases, mails: MailReceiver, wall: ManualClock
) -> AsyncIterator[RunningAlert]:
    """An Alert with a mail server, whose wall clock stands still, and whose every backoff is as long as it may be."""
    outside = Outside(jitter=lambda: 1.0)
    async with running_alert(databases, wall=wall, outside=outside, smtp=mails.settings) as running:
        yield running


async def created(
    alert: AlertStub, *recipients: str, request_id: str = "create", **more: object
) -> pb.WebhookEndpoint:
    request = pb.CreateWebhookEndpointRequest(
        request_id=request_id,
        kind=pb.ENDPOINT_KIND_EMAIL,
        recipients=recipients,
        **{"event_types": ["top_up.paid", "alert.in_alarm"], **more},  # type: ignore[arg-type]
    )
    return (await alert.CreateWebhookEndpoint(request)).webhook_endpoint


async def publish(running: RunningAlert, number: int = 1, *, data: object = None) -> None:
    await running.peer.PublishEvent(
        peer_pb.PublishEventRequest(
            request_id=f"ntc_{number}",
            event_type="top_up.paid",
            customer_id=ACME,
            event_time=timestamp(JUNE),
            data_json=json.dumps(data or {"number": number}),
        )
    )


async def until(alert: AlertStub, is_so: Callable[[pb.Delivery], bool]) -> pb.Delivery:
    """List deliveries until the newest one satisfies `is_so`, and return it."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            rows = (await alert.ListDeliveries(pb.ListDeliveriesRequest())).deliveries
            if rows and is_so(rows[0]):
                return rows[0]


def is_(status: "pb.DeliveryStatus.ValueType") -> Callable[[pb.Delivery], bool]:
    return lambda delivery: delivery.status == status


def was_tried(attempts: int) -> Callable[[pb.Delivery], bool]:
    """Whether the result of an attempt is recorded."""
    return lambda delivery: delivery.attempts == attempts and delivery.last_error != ""


async def test_an_alert_is_mailed_to_all_recipients_at_once(
    mailing: RunningAlert, mails: MailReceiver
) -> None:
    alert = mailing.stub
    endpoint = await created(alert, ANN, BOB)
    assert (endpoint.kind, endpoint.url, list(endpoint.recipients)) == (
        pb.ENDPOINT_KIND_EMAIL,
        "",
        [ANN, BOB],
    )
    low = await an_alert(alert)

    await mailing.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))

    mail = await mails.next_mail()
    delivery = await until(alert, is_(DELIVERED))
    event = json.loads(delivery.payload)
    assert (mail.sender, mail.recipients) == ("alerts@vendor.example", [ANN, BOB])
    assert mail.message["From"] == SENDER
    assert mail.message["To"] == f"{ANN}, {BOB}"
    assert mail.message["Subject"] == "In alarm: Nearly out of credits"
    assert mail.message["Message-ID"] == f"<{event['event_id']}@vendor.example>"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["X-Purser-Event-Type"] == "alert.in_alarm"
    assert f"Customer {ACME} has 7.50 credits left." in mail.text()
    assert f"Customer {ACME} has 7.50 credits left." in mail.text("html")
    assert (delivery.attempts, delivery.last_status_code, delivery.last_error) == (1, 250, "")
    assert mails.names == ["vendor.example"]


async def test_a_recipient_who_is_greylisted_is_mailed_to_again_and_nobody_else(
    mailing: RunningAlert, mails: MailReceiver, wall: ManualClock
) -> None:
    alert = mailing.stub
    await created(alert, ANN, BOB, EVE)
    mails.about[BOB] = "450 4.2.0 greylisted, come back later"
    await publish(mailing)

    assert (await mails.next_mail()).recipients == [ANN, EVE]
    waiting = await until(alert, was_tried(1))
    assert waiting.status == PENDING
    assert waiting.last_status_code == 450
    assert waiting.last_error == f"{BOB}: 450 4.2.0 greylisted, come back later"
    assert waiting.next_attempt_time == timestamp(wall.now() + SECOND)

    mails.about.clear()
    wall.advance_to(wall.now() + SECOND)
    mailing.app.wake()

    again = await mails.next_mail()
    done = await until(alert, is_(DELIVERED))
    assert again.recipients == [BOB]
    assert again.message["To"] == f"{ANN}, {BOB}, {EVE}"
    assert (done.attempts, done.last_status_code, done.last_error) == (2, 250, "")
    assert mails.asked == [ANN, BOB, EVE, BOB]


async def test_a_recipient_who_is_refused_fails_the_delivery_for_good_once_the_others_have_it(
    mailing: RunningAlert, mails: MailReceiver, wall: ManualClock
) -> None:
    alert = mailing.stub
    await created(alert, ANN, BOB, EVE)
    mails.about[ANN] = "550 5.1.1 no such user"
    mails.about[BOB] = "451 4.3.0 try again"
    await publish(mailing)
    assert (await mails.next_mail()).recipients == [EVE]
    waiting = await until(alert, was_tried(1))
    assert waiting.status == PENDING
    assert waiting.last_error == f"{ANN}: 550 5.1.1 no such user; {BOB}: 451 4.3.0 try again"

    del mails.about[BOB]
    wall.advance_to(wall.now() + SECOND)
    mailing.app.wake()

    assert (await mails.next_mail()).recipients == [BOB]
    failed = await until(alert, is_(FAILED))
    assert failed.last_error == f"{ANN}: 550 5.1.1 no such user"
    assert not failed.HasField("next_attempt_time")
    assert mails.asked == [ANN, BOB, EVE, BOB]


async def test_a_replay_of_a_failed_mail_reaches_those_who_do_not_have_it_and_of_a_delivered_one_all(
    mailing: RunningAlert, mails: MailReceiver
) -> None:
    alert = mailing.stub
    await created(alert, ANN, BOB)
    mails.about[ANN] = "550 5.1.1 no such user"
    await publish(mailing)
    first = await mails.next_mail()
    failed = await until(alert, is_(FAILED))
    mails.about.clear()

    request = pb.ReplayDeliveryRequest(request_id="replay", delivery_id=failed.delivery_id)
    await alert.ReplayDelivery(request)
    second = await mails.next_mail()
    await until(alert, is_(DELIVERED))
    request = pb.ReplayDeliveryRequest(request_id="again", delivery_id=failed.delivery_id)
    await alert.ReplayDelivery(request)
    third = await mails.next_mail()

    assert [mail.recipients for mail in (first, second, third)] == [[BOB], [ANN], [ANN, BOB]]
    assert first.message["Message-ID"] == second.message["Message-ID"] == third.message["Message-ID"]


@pytest.mark.parametrize(
    ("reply", "status"), [("451 4.7.1 try again", PENDING), ("554 5.7.1 looks like spam", FAILED)]
)
async def test_what_the_server_says_of_the_message_holds_for_all_recipients(
    mailing: RunningAlert, mails: MailReceiver, reply: str, status: "pb.DeliveryStatus.ValueType"
) -> None:
    await created(mailing.stub, ANN, BOB)
    mails.data_reply = reply
    await publish(mailing)

    delivery = await until(mailing.stub, was_tried(1))

    assert delivery.status == status
    assert delivery.last_error == f"{ANN}: {reply}; {BOB}: {reply}"
    assert mails.kept.empty()


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
async def test_a_connection_that_ends_midway_is_tried_again_under_the_same_id(
    mailing: RunningAlert, mails: MailReceiver, wall: ManualClock, command: str
) -> None:
    alert = mailing.stub
    await created(alert, ANN, BOB)
    mails.hangs_up_at = command
    await publish(mailing)
    waiting = await until(alert, was_tried(1))
    assert (waiting.status, waiting.last_status_code) == (PENDING, 0)
    assert waiting.last_error == "the connection was closed"

    mails.hangs_up_at = ""
    wall.advance_to(wall.now() + SECOND)
    mailing.app.wake()

    await until(alert, is_(DELIVERED))
    # The server has kept the message before it hung up: nobody can know, so it comes twice, and its id says so.
    kept = [await mails.next_mail() for _ in range(2 if command == "DATA" else 1)]
    assert [mail.recipients for mail in kept] == [[ANN, BOB]] * len(kept)
    assert len({mail.message["Message-ID"] for mail in kept}) == 1


async def test_a_server_that_is_down_is_no_ones_fault_and_mails_follow_when_it_is_back(
    mailing: RunningAlert, mails: MailReceiver, wall: ManualClock
) -> None:
    alert = mailing.stub
    await created(alert, ANN)
    await mails.stop()
    await publish(mailing)
    assert (await until(alert, was_tried(1))).last_error == "no connection"

    await mails.start()
    wall.advance_to(wall.now() + SECOND)
    mailing.app.wake()

    assert (await mails.next_mail()).recipients == [ANN]
    await until(alert, is_(DELIVERED))


async def test_a_recipient_is_refused_until_two_days_are_over(
    mailing: RunningAlert, mails: MailReceiver, wall: ManualClock
) -> None:
    alert = mailing.stub
    await created(alert, ANN)
    mails.about[ANN] = "450 4.2.0 greylisted"
    await publish(mailing)
    await until(alert, was_tried(1))

    wall.advance_to(JUNE + timedelta(days=2))
    mailing.app.wake()

    failed = await until(alert, is_(FAILED))
    assert (failed.attempts, failed.last_status_code) == (2, 450)


async def test_an_endpoint_that_no_mail_reaches_for_three_days_is_disabled_and_then_gets_what_it_missed(
    mailing: RunningAlert, mails: MailReceiver, wall: ManualClock
) -> None:
    alert = mailing.stub
    endpoint = await created(alert, ANN)
    mails.about[ANN] = "550 5.1.1 no such user"
    for number, hours in enumerate((0, 47, 72), start=1):
        wall.advance_to(JUNE + timedelta(hours=hours))
        await publish(mailing, number)
        await until(
            alert, lambda one, number=number: f'"number":{number}' in one.payload and one.status == FAILED
        )  # type: ignore[misc]

    async with asyncio.timeout(SECONDS_MAX):
        while not (await endpoints(alert))[0].HasField("disable_time"):
            pass
    assert (await endpoints(alert))[0].disable_reason == pb.DISABLE_REASON_FAILING
    await publish(mailing, 4)
    mails.about.clear()

    await alert.EnableWebhookEndpoint(
        pb.EnableWebhookEndpointRequest(request_id="enable", webhook_endpoint_id=endpoint.webhook_endpoint_id)
    )
    mailed = [await mails.next_mail() for _ in range(4)]
    assert sorted(number_in(mail.text()) for mail in mailed) == [1, 2, 3, 4]


async def test_an_endpoint_with_one_good_recipient_is_not_disabled(
    mailing: RunningAlert, mails: MailReceiver, wall: ManualClock
) -> None:
    alert = mailing.stub
    await created(alert, ANN, BOB)
    mails.about[ANN] = "550 5.1.1 no such user"
    for number, hours in enumerate((0, 47, 72, 96), start=1):
        wall.advance_to(JUNE + timedelta(hours=hours))
        await publish(mailing, number)
        await until(
            alert, lambda one, number=number: f'"number":{number}' in one.payload and one.status == FAILED
        )  # type: ignore[misc]

    assert not (await endpoints(alert))[0].HasField("disable_time")
    assert mails.kept.qsize() == 4


async def test_who_was_accepted_while_the_endpoint_was_disabled_is_not_mailed_to_again(
    mailing: RunningAlert, mails: MailReceiver, databases: Databases
) -> None:
    alert = mailing.stub
    endpoint = await created(alert, ANN, BOB)
    one = {"webhook_endpoint_id": endpoint.webhook_endpoint_id}
    mails.about[BOB] = "450 4.2.0 greylisted"
    mails.is_silent_at = "DATA"
    await publish(mailing)
    assert (await mails.next_mail()).recipients == [ANN]
    await alert.DisableWebhookEndpoint(pb.DisableWebhookEndpointRequest(request_id="disable", **one))
    mails.is_silent_at = ""
    mails.speak()
    async with Sql.connected(databases.admin_url) as sql, asyncio.timeout(SECONDS_MAX):
        while not await sql.value("SELECT mail_accepted FROM alert.deliveries"):
            pass
    mails.about.clear()

    await alert.EnableWebhookEndpoint(pb.EnableWebhookEndpointRequest(request_id="enable", **one))

    assert (await mails.next_mail()).recipients == [BOB]
    await until(alert, is_(DELIVERED))


async def test_a_test_event_is_mailed(mailing: RunningAlert, mails: MailReceiver) -> None:
    endpoint = await created(mailing.stub, ANN)
    await mailing.stub.TestWebhookEndpoint(
        pb.TestWebhookEndpointRequest(request_id="t", webhook_endpoint_id=endpoint.webhook_endpoint_id)
    )

    assert (await mails.next_mail()).message["Subject"] == "Test of a webhook endpoint"


async def test_a_value_with_line_breaks_adds_no_header_and_is_escaped_in_html(
    mailing: RunningAlert, mails: MailReceiver
) -> None:
    await created(mailing.stub, ANN)
    data = example_of("top_up.paid")["data"]
    data["price"]["currency_code"] = (
        "USD\r\nBcc: eve@evil.example\r\n\r\n<script>alert(1)</script>\r\n.\r\nQUIT"
    )
    await publish(mailing, data=data)

    mail = await mails.next_mail()

    assert mail.recipients == [ANN]
    assert mail.message["Bcc"] is None
    assert mail.message["Subject"].strip().startswith("Top-up paid: 80.00 USD Bcc: eve@evil.example <script>")
    assert "<script>" not in mail.text("html")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in mail.text("html")
    assert mail.text().endswith("Replies are not read.\n")
    await until(mailing.stub, is_(DELIVERED))


async def test_recipients_are_changed_also_of_what_is_pending(
    mailing: RunningAlert, mails: MailReceiver, wall: ManualClock
) -> None:
    alert = mailing.stub
    endpoint = await created(alert, ANN, BOB)
    mails.about[BOB] = "450 4.2.0 greylisted"
    await publish(mailing)
    assert (await mails.next_mail()).recipients == [ANN]
    await until(alert, was_tried(1))

    request = pb.UpdateWebhookEndpointRequest(
        request_id="update",
        webhook_endpoint_id=endpoint.webhook_endpoint_id,
        recipients=pb.Recipients(recipients=[ANN, EVE]),
    )
    updated = (await alert.UpdateWebhookEndpoint(request)).webhook_endpoint
    wall.advance_to(wall.now() + SECOND)
    mailing.app.wake()

    assert list(updated.recipients) == [ANN, EVE]
    assert (await mails.next_mail()).recipients == [EVE]
    await until(alert, is_(DELIVERED))


async def test_without_a_mail_server_the_kind_is_refused_and_what_was_created_before_waits(
    databases: Databases, mails: MailReceiver
) -> None:
    async with running_alert(databases, smtp=mails.settings) as configured:
        await created(configured.stub, ANN)
    wall = ManualClock(JUNE + timedelta(days=3_650))
    async with running_alert(databases, wall=wall) as without:
        with fault(StatusCode.FAILED_PRECONDITION, "EMAIL_NOT_CONFIGURED"):
            await created(without.stub, ANN, request_id="refused")
        await publish(without)
        waiting = await until(without.stub, lambda one: one.last_error != "")
        assert (waiting.status, waiting.attempts) == (PENDING, 0)
        assert waiting.last_error == "waits: Alert has no mail server"
    wall.advance_to(wall.now() + timedelta(minutes=1))
    async with running_alert(databases, smtp=mails.settings, wall=wall) as configured:
        assert (await mails.next_mail()).recipients == [ANN]
        await until(configured.stub, is_(DELIVERED))


@pytest.mark.parametrize(
    ("request_of", "fields"),
    [
        ({"recipients": []}, ["recipients"]),
        ({"recipients": [f"u{n}@vendor.example" for n in range(21)]}, ["recipients"]),
        ({"recipients": [ANN, ANN.upper()]}, ["recipients[1]"]),
        ({"recipients": ["Ann <ann@vendor.example>"]}, ["recipients[0]"]),
        ({"recipients": ["ann@vendor.example\r\nBcc: eve@evil.example"]}, ["recipients[0]"]),
        ({"recipients": ["ann@vendor.example>"]}, ["recipients[0]"]),
        ({"recipients": ["änn@vendor.example"]}, ["recipients[0]"]),
        ({"recipients": ["ann"]}, ["recipients[0]"]),
        ({"recipients": [ANN], "url": "https://hooks.example/"}, ["url"]),
        ({"recipients": [ANN], "headers": [pb.CustomHeader(name="x-team", value="a")]}, ["headers"]),
        ({"recipients": [ANN], "kind": pb.ENDPOINT_KIND_SLACK}, ["url", "recipients"]),
    ],
)
async def test_malformed_recipients_are_named(
    mailing: RunningAlert, request_of: dict[str, object], fields: list[str]
) -> None:
    with bad_fields(*fields):
        await mailing.stub.CreateWebhookEndpoint(
            pb.CreateWebhookEndpointRequest(
                **{"request_id": "r", "kind": pb.ENDPOINT_KIND_EMAIL, **request_of}  # type: ignore[arg-type]
            )
        )


async def test_twenty_recipients_are_the_most(mailing: RunningAlert, mails: MailReceiver) -> None:
    recipients = [f"u{number}@vendor.example" for number in range(20)]
    await created(mailing.stub, *recipients)
    await publish(mailing)

    assert (await mails.next_mail()).recipients == recipients


async def test_what_a_kind_does_not_have_cannot_be_changed(
    mailing: RunningAlert, receiver: WebhookReceiver
) -> None:
    alert = mailing.stub
    mail = (await created(alert, ANN)).webhook_endpoint_id
    hook = (await an_endpoint(alert, receiver)).webhook_endpoint_id
    headers = pb.CustomHeaders(headers=[pb.CustomHeader(name="x-team", value="a")])
    for endpoint, field, change in (
        (mail, "url", {"url": receiver.url}),
        (mail, "headers", {"headers": headers}),
        (hook, "recipients", {"recipients": pb.Recipients(recipients=[ANN])}),
    ):
        request = pb.UpdateWebhookEndpointRequest(
            request_id="u",
            webhook_endpoint_id=endpoint,
            **change,  # type: ignore[arg-type]
        )
        with fault(StatusCode.FAILED_PRECONDITION, "WEBHOOK_ENDPOINT_KIND_MISMATCH", field=field):
            await alert.UpdateWebhookEndpoint(request)
    with fault(
        StatusCode.FAILED_PRECONDITION, "WEBHOOK_ENDPOINT_KIND_MISMATCH", kind="EMAIL", field="secret"
    ):
        await alert.RotateWebhookSecret(
            pb.RotateWebhookSecretRequest(request_id="r", webhook_endpoint_id=mail)
        )


async def test_a_repeated_creation_gets_the_first_answer_without_a_secret(mailing: RunningAlert) -> None:
    request = pb.CreateWebhookEndpointRequest(
        request_id="same", kind=pb.ENDPOINT_KIND_EMAIL, recipients=[ANN], event_types=["top_up.paid"]
    )

    first = await mailing.stub.CreateWebhookEndpoint(request)

    assert first.secret == ""
    assert await mailing.stub.CreateWebhookEndpoint(request) == first
    assert await endpoints(mailing.stub) == [first.webhook_endpoint]


async def endpoints(alert: AlertStub) -> list[pb.WebhookEndpoint]:
    return list((await alert.ListWebhookEndpoints(pb.ListWebhookEndpointsRequest())).webhook_endpoints)


def number_in(text: str) -> int:
    """Return the field "number" of a mail."""
    (line,) = [line for line in text.splitlines() if line.startswith("Number: ")]
    return int(line.removeprefix("Number: "))
