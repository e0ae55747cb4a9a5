# SPDX-License-Identifier: Apache-2.0
"""What an endpoint missed while it was disabled, and replays: each delivery once, whatever happens meanwhile."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.clock import ManualClock
from meshkit.ids import Ids
from meshkit.page import Page
from services.alert.domain.alert import AlertId
from services.alert.domain.commands import (
    DisableWebhookEndpoint,
    EnableWebhookEndpoint,
    PublishEvent,
    ReplayDeliveries,
)
from services.alert.domain.delivery import Answer, Delivery, DeliveryStatus
from services.alert.domain.endpoint import DisableReason, WebhookEndpoint, WebhookEndpointId
from services.alert.domain.errors import WebhookEndpointDisabled, WebhookEndpointNotFound
from services.alert.domain.event import EventId, EventType, Occurrence
from services.alert.domain.queries import ListDeliveries
from services.alert.operations.disabling import disable, lock_endpoint
from services.alert.operations.endpoints import Endpoints
from services.alert.operations.events import Events
from services.alert.operations.replays import Replays
from services.alert.store import PostgresStore
from services.alert.webhooks.replayer import Replayer
from services.alert.webhooks.resolver import SystemResolver
from services.alert.webhooks.targets import CheckedTargets
from tests.support.alert import JUNE
from tests.support.alert_store import ACME_ID, Courier, an_endpoint_row, keep

END_1, END_2 = WebhookEndpointId("end_001"), WebhookEndpointId("end_002")
WANTED = (EventType.TOP_UP_PAID, EventType.ENDPOINT_DISABLED)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


class Service:
    """The operations of one replica, and its replayer."""

    def __init__(self, store: PostgresStore, wall: ManualClock) -> None:
        self.store, self.wall, self.ids = store, wall, Ids(wall)
        self.courier = Courier()
        self.events = Events(store=store, courier=self.courier, invoices=Courier(), wall=wall, ids=self.ids)
        self.endpoints = Endpoints(
            store=store,
            targets=CheckedTargets(SystemResolver(), allow_private=True),
            wall=wall,
            ids=self.ids,
            randomness=bytes,
            courier=self.courier,
            replayer=self.courier,
            can_mail=False,
        )
        self.replays = Replays(store=store, replayer=self.courier, wall=wall, ids=self.ids)
        self.replayer = Replayer(
            store=store, courier=self.courier, wall=wall, ids=self.ids, deliveries_max=3, events_max=2
        )

    async def publish(self, number: int, event_type: EventType = EventType.TOP_UP_PAID) -> None:
        occurrence = Occurrence(
            event_id=EventId(f"ntc_{number:03}"),
            event_type=event_type,
            customer_id=ACME_ID,
            event_time=JUNE,
            data={},
        )
        request_id = occurrence.event_id
        await self.events.publish(PublishEvent(request_id=request_id, fingerprint=b"body", event=occurrence))

    async def disable(self, endpoint: WebhookEndpointId = END_1, *, request_id: str = "disable") -> None:
        await self.endpoints.disable(
            DisableWebhookEndpoint(request_id=request_id, fingerprint=b"body", webhook_endpoint_id=endpoint)
        )

    async def enable(
        self, endpoint: WebhookEndpointId = END_1, *, request_id: str = "enable"
    ) -> WebhookEndpoint:
        return await self.endpoints.enable(
            EnableWebhookEndpoint(request_id=request_id, fingerprint=b"body", webhook_endpoint_id=endpoint)
        )

    async def catch_up(self) -> None:
        while await self.replayer.work():
            pass

    async def deliveries(self, endpoint: WebhookEndpointId = END_1) -> list[Delivery]:
        """Return the deliveries to an endpoint, oldest first."""
        query = ListDeliveries(webhook_endpoint_id=endpoint, alert_id=AlertId(""))
        async with self.store.transaction() as tx:
            return list(reversed(await tx.deliveries.list(query, Page(500, None))))

    async def finish(self, *, status_code: int = 204, endpoint: WebhookEndpointId = END_1) -> None:
        """Post everything that is due, once."""
        for delivery in await self.deliveries(endpoint):
            if delivery.status is DeliveryStatus.PENDING:
                async with self.store.transaction() as tx:
                    at = self.wall.now()
                    (attempt,) = await tx.deliveries.lease([delivery.delivery_id], at=at, until=at)
                    answer = Answer(status_code=status_code)
                    if status_code == 204:
                        await tx.deliveries.accepted([(attempt, answer)], at=at)
                    else:
                        await tx.deliveries.give_up(attempt, answer)


def numbers(deliveries: list[Delivery]) -> list[str]:
    """Return the ids of their events."""
    return [one.payload.split('"event_id":"')[1].split('"')[0] for one in deliveries]


@pytest.fixture
async def service(store: PostgresStore, wall: ManualClock) -> Service:
    await keep(store, *(replace(an_endpoint_row(number), event_types=WANTED) for number in (1, 2)))
    return Service(store, wall)


async def test_an_enabled_endpoint_gets_what_failed_and_what_it_missed_in_order(service: Service) -> None:
    await service.publish(1)
    await service.finish()
    await service.publish(2)  # pending when it is disabled
    await service.disable()
    await service.publish(3)
    await service.publish(4, EventType.INVOICE_PAID)  # not wanted
    await service.publish(5)
    assert [one.status.value for one in await service.deliveries()] == ["DELIVERED", "FAILED"]

    endpoint = await service.enable()
    await service.publish(6)
    await service.catch_up()

    assert (endpoint.disable_time, endpoint.disable_reason) == (None, None)
    found = await service.deliveries()
    assert [one.status.value for one in found] == ["DELIVERED", *["PENDING"] * 5]
    told = numbers(found)
    assert told[:2] == ["ntc_001", "ntc_002"]
    assert [one for one in told if one.startswith("ntc")] == [
        "ntc_001",
        "ntc_002",
        "ntc_006",
        "ntc_003",
        "ntc_005",
    ]
    assert numbers(await service.deliveries(END_2))[:2] == ["ntc_001", "ntc_002"]


async def test_the_others_and_the_feed_learn_that_an_endpoint_was_disabled(
    service: Service, store: PostgresStore
) -> None:
    await service.disable()
    await service.disable(request_id="again")

    [told] = await service.deliveries(END_2)
    assert told.event_type is EventType.ENDPOINT_DISABLED
    assert '"reason":"OPERATOR"' in told.payload
    assert await service.deliveries(END_1) == []
    await service.enable()
    await service.catch_up()
    assert [one.event_type for one in await service.deliveries(END_1)] == [EventType.ENDPOINT_DISABLED]


async def test_a_replayer_that_dies_and_two_that_work_at_once_post_everything_once(
    service: Service, store: PostgresStore, wall: ManualClock
) -> None:
    await service.disable()
    for number in range(1, 12):
        await service.publish(number)
    await service.enable()

    class Dies(Exception):
        """The process dies before the commit."""

    class DyingIds(Ids):
        def new(self, prefix: str) -> str:
            raise Dies

    dying = Replayer(store=store, courier=Courier(), wall=wall, ids=DyingIds(wall), events_max=3)
    with pytest.raises(Dies):
        await dying.work()
    others = [Service(store, wall) for _ in range(2)]
    await asyncio.gather(*(one.catch_up() for one in others))
    await service.catch_up()

    told = [one for one in numbers(await service.deliveries()) if one.startswith("ntc")]
    assert sorted(told) == [f"ntc_{number:03}" for number in range(1, 12)]


@pytest.mark.parametrize("seed", range(4))
async def test_no_event_is_missed_or_posted_twice_while_an_endpoint_is_disabled_and_enabled(
    service: Service, store: PostgresStore, wall: ManualClock, seed: int
) -> None:
    dice = random.Random(seed)

    async def publish() -> None:
        for number in range(1, 41):
            await service.publish(number)

    async def toggle(endpoint: WebhookEndpointId) -> None:
        for turn in range(6):
            for _ in range(dice.randrange(300)):
                await asyncio.sleep(0)
            await service.disable(endpoint, request_id=f"disable-{endpoint}-{turn}")
            for _ in range(dice.randrange(300)):
                await asyncio.sleep(0)
            if dice.random() < 0.7:
                await service.replayer.work()
            await service.enable(endpoint, request_id=f"enable-{endpoint}-{turn}")
            if dice.random() < 0.7:
                await service.replayer.work()

    await asyncio.gather(publish(), toggle(END_1), toggle(END_2))
    await service.catch_up()

    for endpoint in (END_1, END_2):
        found = await service.deliveries(endpoint)
        told = [one for one in numbers(found) if one.startswith("ntc")]
        assert sorted(told) == [f"ntc_{number:03}" for number in range(1, 41)], f"seed {seed}"
        assert {one.status for one in found} == {DeliveryStatus.PENDING}, f"seed {seed}"


async def test_an_endpoint_that_is_disabled_while_it_catches_up_loses_nothing(service: Service) -> None:
    await service.disable()
    for number in range(1, 8):
        await service.publish(number)
    await service.enable()
    for _ in range(2):
        await service.replayer.work()  # no delivery to replay, then two events
    await service.disable(request_id="again")
    await service.publish(8)
    await service.catch_up()
    assert len([one for one in numbers(await service.deliveries()) if one.startswith("ntc")]) < 8

    await service.enable(request_id="enable again")
    await service.catch_up()

    told = [one for one in numbers(await service.deliveries()) if one.startswith("ntc")]
    assert sorted(told) == [f"ntc_{number:03}" for number in range(1, 9)]
    assert {one.status for one in await service.deliveries()} == {DeliveryStatus.PENDING}


async def test_more_than_one_transaction_fails_is_failed_afterwards(service: Service) -> None:
    for number in range(1, 8):
        await service.publish(number)
    async with service.store.transaction() as tx:
        endpoint = await lock_endpoint(tx, END_1)
        await tx.endpoints.disable(replace(endpoint, disable_time=service.wall.now()), missed_after=0)
        assert await tx.deliveries.fail_pending(END_1, error="disabled", rows_max=3) == 3

    await service.replayer.fail_left()

    assert {one.status for one in await service.deliveries()} == {DeliveryStatus.FAILED}
    assert {one.status for one in await service.deliveries(END_2)} == {DeliveryStatus.PENDING}


async def test_an_endpoint_that_a_version_without_positions_disabled_gets_what_came_since(
    service: Service, wall: ManualClock
) -> None:
    await service.publish(1)
    await service.finish()
    wall.advance_to(JUNE + DAY)
    async with service.store.transaction() as tx:
        endpoint = await lock_endpoint(tx, END_1)
        await tx.endpoints.disable(replace(endpoint, disable_time=wall.now()), missed_after=None)
    await service.publish(2)

    await service.enable()
    await service.catch_up()

    assert numbers(await service.deliveries()) == ["ntc_001", "ntc_002"]


async def replay(service: Service, *, request_id: str = "replay", **asked: object) -> tuple[str, ...]:
    fields = {
        "webhook_endpoint_id": END_1,
        "event_types": (),
        "start_time": JUNE,
        "end_time": None,
        "failed_only": False,
    } | asked
    command = ReplayDeliveries(request_id=request_id, fingerprint=b"body", **fields)  # type: ignore[arg-type]
    return (await service.replays.start(command)).webhook_endpoint_ids


async def statuses(service: Service, endpoint: WebhookEndpointId = END_1) -> str:
    """Return the first letters of the states of its deliveries, oldest first."""
    return "".join(one.status.value[0] for one in await service.deliveries(endpoint))


async def test_a_range_is_replayed_from_its_start_until_before_its_end(
    service: Service, wall: ManualClock
) -> None:
    for number in range(1, 6):
        await service.publish(number)
        wall.advance_to(wall.now() + DAY)
    await service.finish()

    await replay(service, start_time=JUNE + DAY, end_time=JUNE + 3 * DAY)
    await service.catch_up()

    assert await statuses(service) == "DPPDD"
    assert await statuses(service, END_2) == "PPPPP"


async def test_what_failed_since_a_time_is_replayed_by_type_and_what_was_accepted_is_not(
    service: Service, wall: ManualClock
) -> None:
    for number in range(1, 4):
        await service.publish(number)
        await service.finish(status_code=500)
        wall.advance_to(wall.now() + DAY)
    await service.publish(4)
    await service.finish()
    await service.disable(END_2)
    await service.finish(status_code=500)

    await replay(service, start_time=JUNE + DAY, failed_only=True, event_types=(EventType.TOP_UP_PAID,))
    await service.catch_up()

    assert await statuses(service) == "FPPDF"
    assert [one.attempts for one in await service.deliveries()] == [1] * 5


async def test_a_replay_without_an_endpoint_is_of_all_that_are_enabled(service: Service) -> None:
    for number in range(1, 3):
        await service.publish(number)
    await service.finish(status_code=500)
    await service.finish(status_code=500, endpoint=END_2)
    await service.disable(END_2)
    await service.finish(status_code=500)

    assert await replay(service, webhook_endpoint_id=WebhookEndpointId("")) == (END_1,)
    await service.catch_up()

    assert (await statuses(service), await statuses(service, END_2)) == ("PPP", "FF")
    with pytest.raises(WebhookEndpointDisabled):
        await replay(service, request_id="other", webhook_endpoint_id=END_2)
    with pytest.raises(WebhookEndpointNotFound):
        await replay(service, request_id="none", webhook_endpoint_id=WebhookEndpointId("end_none"))


async def test_a_repeated_request_replays_nothing_again_and_steps_are_bounded(
    service: Service, engine: AsyncEngine
) -> None:
    for number in range(1, 8):
        await service.publish(number)
    await service.finish(status_code=500)

    first = await replay(service)
    assert await service.replayer.work()
    assert await statuses(service) == "PPPFFFF"
    await service.catch_up()
    await service.finish()
    assert await replay(service) == first
    await service.catch_up()

    assert await statuses(service) == "D" * 7


async def test_replays_take_turns(service: Service) -> None:
    for number in range(1, 8):
        await service.publish(number)
    for endpoint in (END_1, END_2):
        await service.finish(status_code=500, endpoint=endpoint)
    await replay(service)
    await replay(service, request_id="other", webhook_endpoint_id=END_2)

    service.wall.advance_to(service.wall.now() + TICK)
    for _ in range(2):
        await service.replayer.work()

    assert (await statuses(service), await statuses(service, END_2)) == ("PPPFFFF", "PPPFFFF")


async def test_disabling_twice_at_once_and_with_other_endpoints_does_not_deadlock(
    service: Service, store: PostgresStore
) -> None:
    async def end(endpoint_id: WebhookEndpointId) -> None:
        async with store.transaction() as tx:
            endpoint = await lock_endpoint(tx, endpoint_id)
            await disable(tx, endpoint, reason=DisableReason.GONE, at=service.wall.now(), ids=service.ids)

    publishing = [service.publish(number) for number in range(1, 21)]
    await asyncio.gather(*publishing, *(end(one) for one in (END_1, END_2, END_2, END_1)))

    assert {one.status for one in await service.deliveries(END_1)} <= {DeliveryStatus.FAILED}
