# SPDX-License-Identifier: Apache-2.0
"""Alerts and destinations of a customer, on a real Alert that mails to a real SMTP server."""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from grpc import StatusCode

from deploy.local.webhook_receiver import WebhookReceiver
from meshkit.clock import ManualClock
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as pb
from purser.alert.v1 import alert_peer_pb2 as peer_pb
from purser.alert.v1 import feed_pb2 as feed
from purser.alert.v1 import self_service_pb2 as own
from purser.alert.v1.self_service_pb2_grpc import SelfServiceStub
from services.alert.domain.alert import OWN_ALERTS_MAX
from services.alert.domain.destination import CODE_TRIES_MAX, CODE_VALID, CREATIONS_MAX, DESTINATIONS_MAX
from tests.support.alert import ACME, JUNE, RunningAlert, a_crossing, an_alert, an_endpoint, running_alert
from tests.support.faults import bad_fields, fault
from tests.support.mail_receiver import MailReceiver, running_mail_receiver
from tests.support.payloads import problems_with
from tests.support.postgres import Databases

if TYPE_CHECKING:
    from purser.alert.v1.self_service_pb2_grpc import SelfServiceAsyncStub

OwnStub: TypeAlias = "SelfServiceAsyncStub"
OTHER = "cus_other"
ANN, BOB = "ann@acme.example", "bob@acme.example"
SECONDS_MAX = 60


def request_id(*words: object) -> str:
    """Return the id of the request that these words describe."""
    return re.sub("[^a-z0-9]", "-", "-".join(map(str, words)).lower())[:64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """An Alert with a mail server, its customer's stub, and its wall clock, which stands still."""

    running: RunningAlert
    own: OwnStub
    mails: MailReceiver
    wall: ManualClock
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def create(self, address: str = ANN, *, customer_id: str = ACME, **more: Any) -> own.OwnDestination:
        request = own.CreateOwnDestinationRequest(
            request_id=request_id(more.pop("request_id", "create"), customer_id, address),
            customer_id=customer_id,
            address=address,
            **more,
        )
        return (await self.own.CreateOwnDestination(request)).destination

    async def code(self) -> str:
        """Return the code of the next mail."""
        mail = await self.mails.next_mail()
        found = re.search(r"Enter the code ([0-9]{8}) ", mail.text())
        assert found is not None, mail.text()
        return found[1]

    async def confirm(self, destination: own.OwnDestination, code: str) -> own.OwnDestination:
        request = own.ConfirmOwnDestinationRequest(
            request_id=request_id(f"try-{next(self.numbers)}"),
            destination_id=destination.destination_id,
            code=code,
        )
        return (await self.own.ConfirmOwnDestination(request)).destination

    async def confirmed(self, address: str = ANN, **more: Any) -> own.OwnDestination:
        destination = await self.create(address, **more)
        return await self.confirm(destination, await self.code())

    async def alert(self, name: str = "Nearly empty", **more: Any) -> pb.Alert:
        return (await self.own.CreateOwnAlert(alert_request(name, **more))).alert

    async def remove(self, destination: own.OwnDestination, words: str = "remove") -> None:
        await self.own.RemoveOwnDestination(
            own.RemoveOwnDestinationRequest(
                request_id=request_id(words), destination_id=destination.destination_id
            )
        )

    async def listed(self, customer_id: str = ACME) -> list[own.OwnDestination]:
        request = own.ListOwnDestinationsRequest(customer_id=customer_id)
        return list((await self.own.ListOwnDestinations(request)).destinations)

    async def mailed(self, customer_id: str = ACME) -> list[own.OwnDelivery]:
        request = own.ListOwnDeliveriesRequest(customer_id=customer_id)
        return list((await self.own.ListOwnDeliveries(request)).deliveries)

    async def until_mailed(self, count: int) -> list[own.OwnDelivery]:
        """List Acme's deliveries until so many were accepted."""
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                rows = await self.mailed()
                if [one.status for one in rows].count(pb.DELIVERY_STATUS_DELIVERED) >= count:
                    return rows


def alert_request(name: str = "Nearly empty", **more: Any) -> own.CreateOwnAlertRequest:
    terms: dict[str, Any] = {
        "request_id": request_id("alert", name),
        "customer_id": ACME,
        "name": name,
        "alert_type": pb.ALERT_TYPE_LOW_BALANCE,
        "credit_type_id": "crt_ai",
        "threshold_micros": 10_000_000,
    }
    return own.CreateOwnAlertRequest(**(terms | more))


@pytest.fixture
async def mailing(databases: Databases) -> AsyncIterator[Mailing]:
    wall = ManualClock(JUNE)
    async with (
        running_mail_receiver() as mails,
        running_alert(databases, wall=wall, smtp=mails.settings) as running,
        open_channel(running.address) as channel,
    ):
        yield Mailing(running=running, own=SelfServiceStub(channel), mails=mails, wall=wall)


async def publish(mailing: Mailing, event_type: str, customer_id: str, number: int) -> None:
    await mailing.running.peer.PublishEvent(
        peer_pb.PublishEventRequest(
            request_id=f"ntc_{number}",
            event_type=event_type,
            customer_id=customer_id,
            event_time=timestamp(JUNE),
            data_json=json.dumps({"number": number}),
        )
    )


async def test_an_own_alert_is_mailed_to_the_confirmed_address_and_not_to_the_vendor(
    mailing: Mailing, receiver: WebhookReceiver
) -> None:
    await an_endpoint(mailing.running.stub, receiver)
    destination = await mailing.confirmed()
    assert destination.confirm_time == timestamp(JUNE)
    low = await mailing.alert()
    assert low.owner == pb.ALERT_OWNER_CUSTOMER

    await mailing.running.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))

    mail = await mailing.mails.next_mail()
    assert (mail.recipients, mail.message["Subject"]) == ([ANN], "In alarm: Nearly empty")
    newest, code = await mailing.until_mailed(2)
    assert (newest.address, newest.event_type, newest.alert_id) == (ANN, "alert.in_alarm", low.alert_id)
    assert code.event_type == "destination.confirm"
    everything = await mailing.running.stub.ListDeliveries(pb.ListDeliveriesRequest())
    assert {one.webhook_endpoint_id for one in everything.deliveries} == {destination.destination_id}
    told = await mailing.running.feed.ListEvents(feed.ListEventsRequest())
    assert [json.loads(one.payload)["data"]["alert_id"] for one in told.events] == [low.alert_id]


async def test_an_alert_of_the_vendor_goes_to_the_vendor_only(
    mailing: Mailing, receiver: WebhookReceiver
) -> None:
    await an_endpoint(mailing.running.stub, receiver)
    await mailing.confirmed()
    await mailing.until_mailed(1)
    of_vendor = await an_alert(mailing.running.stub)
    assert of_vendor.owner == pb.ALERT_OWNER_VENDOR

    await mailing.running.peer.ObserveCrossing(a_crossing(of_vendor, 1, in_alarm=True))

    assert json.loads((await receiver.next_event()).body)["type"] == "alert.in_alarm"
    assert len(await mailing.mailed()) == 1


async def test_an_address_that_is_not_confirmed_gets_nothing_but_its_code(mailing: Mailing) -> None:
    destination = await mailing.create()
    low = await mailing.alert()
    await mailing.running.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))

    (only,) = await mailing.until_mailed(1)

    assert only.event_type == "destination.confirm"
    (told,) = (await mailing.running.stub.ListDeliveries(pb.ListDeliveriesRequest())).deliveries
    assert problems_with(told.payload.encode()) == []
    assert not destination.HasField("confirm_time")
    await mailing.confirm(destination, await mailing.code())
    await mailing.running.peer.ObserveCrossing(a_crossing(low, 2, in_alarm=False))
    assert (await mailing.mails.next_mail()).message["Subject"] == "Resolved: Nearly empty"


async def test_a_destination_gets_the_events_of_its_customer_and_of_the_types_that_it_names(
    mailing: Mailing,
) -> None:
    await mailing.confirmed(event_types=["invoice.paid", "top_up.paid"])
    await mailing.confirmed(BOB, customer_id=OTHER, event_types=["invoice.paid"])

    await publish(mailing, "invoice.paid", OTHER, 1)
    await publish(mailing, "invoice.voided", ACME, 2)
    await publish(mailing, "top_up.paid", ACME, 3)

    first, second = await mailing.mails.next_mail(), await mailing.mails.next_mail()
    got = {(one.recipients[0], one.message["X-Purser-Event-Type"]) for one in (first, second)}
    assert got == {(BOB, "invoice.paid"), (ANN, "top_up.paid")}
    assert [one.event_type for one in await mailing.until_mailed(2)] == ["top_up.paid", "destination.confirm"]


async def test_a_wrong_code_can_be_entered_five_times(mailing: Mailing) -> None:
    destination = await mailing.create()
    code = await mailing.code()
    wrong = f"{(int(code) + 1) % 10**8:08}"
    for left in range(CODE_TRIES_MAX - 1, 0, -1):
        with fault(StatusCode.FAILED_PRECONDITION, "CODE_WRONG", tries_left=str(left)):
            await mailing.confirm(destination, wrong)
    assert (await mailing.confirm(destination, code)).HasField("confirm_time")
    # A confirmed one stays confirmed, whatever is entered.
    assert (await mailing.confirm(destination, wrong)).HasField("confirm_time")

    other = await mailing.create(BOB)
    code = await mailing.code()
    wrong = f"{(int(code) + 1) % 10**8:08}"
    for _ in range(CODE_TRIES_MAX):
        with fault(StatusCode.FAILED_PRECONDITION, "CODE_WRONG"):
            await mailing.confirm(other, wrong)
    with fault(StatusCode.FAILED_PRECONDITION, "CODE_EXPIRED"):
        await mailing.confirm(other, code)


@pytest.mark.parametrize(("late", "is_accepted"), [(-timedelta(microseconds=1), True), (timedelta(0), False)])
async def test_a_code_is_valid_for_an_hour(mailing: Mailing, late: timedelta, *, is_accepted: bool) -> None:
    destination = await mailing.create()
    code = await mailing.code()
    mailing.wall.advance_to(JUNE + CODE_VALID + late)

    if is_accepted:
        assert (await mailing.confirm(destination, code)).HasField("confirm_time")
    else:
        with fault(StatusCode.FAILED_PRECONDITION, "CODE_EXPIRED"):
            await mailing.confirm(destination, code)


async def test_a_removed_destination_gets_nothing_more(mailing: Mailing) -> None:
    destination = await mailing.confirmed()
    low = await mailing.alert()
    await mailing.remove(destination)
    await mailing.remove(destination, "again")

    await mailing.running.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))

    assert await mailing.listed() == await mailing.mailed() == []
    told = await mailing.running.stub.ListDeliveries(pb.ListDeliveriesRequest())
    assert [one.event_type for one in told.deliveries] == ["destination.confirm"]
    with fault(StatusCode.NOT_FOUND, "DESTINATION_NOT_FOUND"):
        await mailing.confirm(destination, "00000000")
    # The address can be added again, and gets a new code.
    assert (await mailing.confirmed(request_id="second")).address == ANN


async def test_a_customer_has_a_limited_number_of_destinations(mailing: Mailing) -> None:
    made = [await mailing.create(f"user-{number}@acme.example") for number in range(DESTINATIONS_MAX)]
    with fault(StatusCode.FAILED_PRECONDITION, "DESTINATION_LIMIT_REACHED", limit="5 at a time"):
        await mailing.create("one-more@acme.example")
    with fault(StatusCode.FAILED_PRECONDITION, "DESTINATION_EXISTS", address="user-0@acme.example"):
        await mailing.create("user-0@acme.example", request_id="the same address")
    assert [one.address for one in await mailing.listed()] == [one.address for one in made]
    await mailing.create(customer_id=OTHER)

    for number in range(DESTINATIONS_MAX, CREATIONS_MAX):
        await mailing.remove(made[number - DESTINATIONS_MAX], f"remove-{number}")
        made.append(await mailing.create(f"user-{number}@acme.example"))
    await mailing.remove(made[-1], "remove the last")
    with fault(StatusCode.FAILED_PRECONDITION, "DESTINATION_LIMIT_REACHED", limit="10 in 24 hours"):
        await mailing.create("one-more@acme.example")
    mailing.wall.advance_to(JUNE + timedelta(hours=24))
    await mailing.create("one-more@acme.example")


async def test_a_customer_has_a_limited_number_of_alerts(mailing: Mailing) -> None:
    await an_alert(mailing.running.stub)
    made = [await mailing.alert(f"alert {number}") for number in range(OWN_ALERTS_MAX)]
    with fault(StatusCode.FAILED_PRECONDITION, "ALERT_LIMIT_REACHED", limit="20"):
        await mailing.alert("one more")

    request = own.ArchiveOwnAlertRequest(request_id="archive", alert_id=made[0].alert_id)
    archived = (await mailing.own.ArchiveOwnAlert(request)).alert
    assert archived.HasField("archive_time")
    assert (await mailing.own.ArchiveOwnAlert(request)).alert == archived
    await mailing.alert("one more")


async def test_a_customer_archives_only_its_own_alerts(mailing: Mailing) -> None:
    of_vendor = await an_alert(mailing.running.stub)
    with fault(StatusCode.NOT_FOUND, "ALERT_NOT_FOUND"):
        await mailing.own.ArchiveOwnAlert(
            own.ArchiveOwnAlertRequest(request_id="archive", alert_id=of_vendor.alert_id)
        )
    mine = await mailing.alert()
    stub = mailing.running.stub

    async def listed(owner: "pb.AlertOwner.ValueType") -> list[str]:
        rows = (await stub.ListAlerts(pb.ListAlertsRequest(customer_id=ACME, owner=owner))).alerts
        return [one.alert_id for one in rows]

    assert await listed(pb.ALERT_OWNER_CUSTOMER) == [mine.alert_id]
    assert await listed(pb.ALERT_OWNER_VENDOR) == [of_vendor.alert_id]
    assert await listed(pb.ALERT_OWNER_UNSPECIFIED) == [of_vendor.alert_id, mine.alert_id]
    # An operator can archive both.
    archived = await stub.ArchiveAlert(pb.ArchiveAlertRequest(request_id="end", alert_id=mine.alert_id))
    assert archived.alert.HasField("archive_time")


async def test_names_are_unique_among_all_alerts_on_a_customer(mailing: Mailing) -> None:
    taken = await an_alert(mailing.running.stub)
    with fault(StatusCode.ALREADY_EXISTS, "ALERT_NAME_TAKEN", alert_id=taken.alert_id):
        await mailing.alert(taken.name)


async def test_own_alerts_watch_people_expiry_and_invoices(mailing: Mailing) -> None:
    spends = await mailing.alert(
        "Ann spends much",
        alert_type=pb.ALERT_TYPE_SPEND,
        group_key="user_id",
        group_value="ann",
        window=pb.SPEND_WINDOW_DAY,
    )
    assert (spends.group_value, spends.window) == ("ann", pb.SPEND_WINDOW_DAY)
    expires = await mailing.alert(
        "Expires", alert_type=pb.ALERT_TYPE_GRANT_EXPIRING, expires_within_days=7, threshold_micros=0
    )
    assert (expires.expires_within_days, expires.threshold_micros) == (7, 1)
    large = await mailing.alert(
        "Large", alert_type=pb.ALERT_TYPE_INVOICE_TOTAL, credit_type_id="", currency_code="USD"
    )
    assert large.currency_code == "USD"


async def test_bad_requests_name_their_fields(mailing: Mailing) -> None:
    with bad_fields("customer_id"):
        await mailing.alert(customer_id="")
    with bad_fields("name", "credit_type_id"):
        await mailing.alert("", credit_type_id="", request_id="x")
    with bad_fields("address"):
        await mailing.create("Ann <ann@acme.example>")
    for event_type in ("webhook_endpoint.disabled", "webhook.test", "destination.confirm", "nothing"):
        with bad_fields("event_types[0]"):
            await mailing.create(event_types=[event_type])
    destination = await mailing.create()
    for code in ("", "1234567", "123456789", "1234567a", "²" * 8):
        with bad_fields("code"):
            await mailing.confirm(destination, code)


async def test_without_a_mail_server_there_are_no_destinations(running: RunningAlert) -> None:
    async with open_channel(running.address) as channel:
        with fault(StatusCode.FAILED_PRECONDITION, "EMAIL_NOT_CONFIGURED"):
            await SelfServiceStub(channel).CreateOwnDestination(
                own.CreateOwnDestinationRequest(request_id="create", customer_id=ACME, address=ANN)
            )


async def test_the_vendor_can_disable_a_destination_and_nothing_else(mailing: Mailing) -> None:
    destination = await mailing.confirmed()
    stub, end = mailing.running.stub, destination.destination_id
    assert not (await stub.ListWebhookEndpoints(pb.ListWebhookEndpointsRequest())).webhook_endpoints
    wants = pb.EventTypes(event_types=["top_up.paid"])
    for call, request in (
        (
            stub.UpdateWebhookEndpoint,
            pb.UpdateWebhookEndpointRequest(request_id="u", webhook_endpoint_id=end, event_types=wants),
        ),
        (stub.TestWebhookEndpoint, pb.TestWebhookEndpointRequest(request_id="t", webhook_endpoint_id=end)),
        (stub.RotateWebhookSecret, pb.RotateWebhookSecretRequest(request_id="r", webhook_endpoint_id=end)),
        (
            stub.EnableWebhookEndpoint,
            pb.EnableWebhookEndpointRequest(request_id="e", webhook_endpoint_id=end),
        ),
    ):
        with fault(StatusCode.NOT_FOUND, "WEBHOOK_ENDPOINT_NOT_FOUND"):
            await call(request)
    await stub.DisableWebhookEndpoint(
        pb.DisableWebhookEndpointRequest(request_id="d", webhook_endpoint_id=end)
    )

    (shown,) = await mailing.listed()
    assert shown.disable_time == timestamp(JUNE)
    low = await mailing.alert()
    await mailing.running.peer.ObserveCrossing(a_crossing(low, 1, in_alarm=True))
    assert len(await mailing.mailed()) == 1


async def test_an_endpoint_that_is_enabled_again_misses_no_own_alert_of_a_customer(
    mailing: Mailing, receiver: WebhookReceiver
) -> None:
    """They are none of its events: it catches up with the vendor's only."""
    stub = mailing.running.stub
    endpoint = await an_endpoint(stub, receiver)
    disable = pb.DisableWebhookEndpointRequest(
        request_id="d", webhook_endpoint_id=endpoint.webhook_endpoint_id
    )
    await stub.DisableWebhookEndpoint(disable)
    mine, of_vendor = await mailing.alert(), await an_alert(stub)
    await mailing.running.peer.ObserveCrossing(a_crossing(mine, 1, in_alarm=True))
    await mailing.running.peer.ObserveCrossing(a_crossing(of_vendor, 1, in_alarm=True))

    await stub.EnableWebhookEndpoint(
        pb.EnableWebhookEndpointRequest(request_id="e", webhook_endpoint_id=endpoint.webhook_endpoint_id)
    )

    caught_up = await receiver.next_event()
    assert json.loads(caught_up.body)["data"]["alert_id"] == of_vendor.alert_id
    await mailing.running.peer.ObserveCrossing(a_crossing(of_vendor, 2, in_alarm=False))
    assert json.loads((await receiver.next_event()).body)["data"]["state"] == "OK"


async def test_deliveries_are_listed_page_by_page_newest_first(mailing: Mailing) -> None:
    await mailing.confirmed()
    await mailing.confirmed(BOB)
    low = await mailing.alert()
    for sequence in (1, 2):
        await mailing.running.peer.ObserveCrossing(a_crossing(low, sequence, in_alarm=sequence % 2 == 1))
    expected = await mailing.until_mailed(6)
    assert [one.delivery_id for one in expected] == sorted(
        (one.delivery_id for one in expected), reverse=True
    )

    request = own.ListOwnDeliveriesRequest(customer_id=ACME, page_size=4)
    first = await mailing.own.ListOwnDeliveries(request)
    request.page_token = first.next_page_token
    second = await mailing.own.ListOwnDeliveries(request)
    assert [*first.deliveries, *second.deliveries] == expected
    assert not second.next_page_token
