# SPDX-License-Identifier: Apache-2.0
"""The state and what is told of it are one transaction: every edge once, whoever else is there."""

import asyncio
import random
from dataclasses import replace

import pytest

from meshkit.clock import ManualClock
from meshkit.ids import Ids
from meshkit.page import Page
from services.alert.domain.alert import Alert, AlertId, CustomerId, archive
from services.alert.domain.commands import DisableWebhookEndpoint, ReplayDelivery
from services.alert.domain.delivery import Answer, Delivery, DeliveryId, DeliveryStatus
from services.alert.domain.endpoint import WebhookEndpointId
from services.alert.domain.errors import WebhookEndpointDisabled
from services.alert.domain.queries import ListDeliveries, ListStatuses
from services.alert.domain.status import AlertState, AlertStatus
from services.alert.operations.crossings import Crossings
from services.alert.operations.deliveries import Deliveries
from services.alert.operations.endpoints import Endpoints
from services.alert.store import PostgresStore
from services.alert.webhooks.resolver import SystemResolver
from services.alert.webhooks.targets import CheckedTargets
from tests.support.alert import JUNE
from tests.support.alert_store import (
    Courier,
    a_new_delivery,
    an_alert_row,
    an_endpoint_row,
    an_observation,
    keep,
)


@pytest.fixture
def crossings(store: PostgresStore, wall: ManualClock) -> Crossings:
    return Crossings(store=store, courier=Courier(), clock=wall, wall=wall, ids=Ids(wall))


@pytest.fixture
def endpoints(store: PostgresStore, wall: ManualClock) -> Endpoints:
    targets = CheckedTargets(SystemResolver(), allow_private=True)
    return Endpoints(
        store=store,
        targets=targets,
        wall=wall,
        ids=Ids(wall),
        randomness=bytes,
        courier=Courier(),
        replayer=Courier(),
        can_mail=False,
    )


async def told(store: PostgresStore) -> list[Delivery]:
    query = ListDeliveries(webhook_endpoint_id=WebhookEndpointId(""), alert_id=AlertId(""))
    async with store.transaction() as tx:
        return await tx.deliveries.list(query, Page(500, None))


async def standing(store: PostgresStore) -> AlertStatus:
    query = ListStatuses(alert_id=AlertId("alr_001"), customer_id=CustomerId(""))
    async with store.transaction() as tx:
        (status,) = await tx.statuses.list(query, Page(10, None))
    return status


async def test_many_observations_at_once_are_one_edge(store: PostgresStore, crossings: Crossings) -> None:
    await keep(store, an_alert_row(), an_endpoint_row(1), an_endpoint_row(2))
    observations = [an_observation(sequence) for sequence in range(1, 21)]
    random.Random(1).shuffle(observations)

    await asyncio.gather(*(crossings.observe(observation) for observation in observations))

    assert sorted(delivery.webhook_endpoint_id for delivery in await told(store)) == ["end_001", "end_002"]
    assert (await standing(store)).sequence == 20


@pytest.mark.parametrize("seed", range(8))
async def test_in_whatever_order_they_come_the_newest_wins_and_news_alternate(
    store: PostgresStore, crossings: Crossings, seed: int
) -> None:
    await keep(store, an_alert_row(), an_endpoint_row(1))
    observations = [an_observation(n, in_alarm=n % 3 != 0) for n in range(1, 13)]
    random.Random(seed).shuffle(observations)

    await asyncio.gather(*(crossings.observe(observation) for observation in observations))

    events = [delivery.event_type.value for delivery in reversed(await told(store))]
    status = await standing(store)
    assert (status.sequence, status.state) == (12, AlertState.OK)
    assert events == ["alert.in_alarm", "alert.resolved"] * (len(events) // 2), f"seed {seed}"


async def test_a_twin_of_the_same_request_tells_nothing_twice(
    store: PostgresStore, crossings: Crossings
) -> None:
    await keep(store, an_alert_row(), an_endpoint_row(1))

    await asyncio.gather(*(crossings.observe(an_observation(1)) for _ in range(6)))

    assert len(await told(store)) == 1


async def test_state_and_deliveries_are_there_together_or_not_at_all(
    store: PostgresStore, wall: ManualClock
) -> None:
    class Torn(Exception):
        """The process dies before the commit."""

    class TornIds(Ids):
        def new(self, prefix: str) -> str:
            if prefix == "dlv":
                raise Torn
            return super().new(prefix)

    await keep(store, an_alert_row(), an_endpoint_row(1))
    courier = Courier()
    torn = Crossings(store=store, courier=courier, clock=wall, wall=wall, ids=TornIds(wall))
    with pytest.raises(Torn):
        await torn.observe(an_observation(1))

    assert (await told(store), courier.woken) == ([], 0)
    whole = Crossings(store=store, courier=courier, clock=wall, wall=wall, ids=Ids(wall))
    await whole.observe(an_observation(1))
    assert (len(await told(store)), courier.woken) == (1, 1)


async def test_an_archived_or_unknown_alert_is_not_observed(
    store: PostgresStore, crossings: Crossings
) -> None:
    await keep(store, an_alert_row(), an_endpoint_row(1))
    async with store.transaction() as tx:
        alert = await tx.alerts.lock(AlertId("alr_001"))
        await tx.alerts.save(alert, archive(alert, at=JUNE))

    await crossings.observe(an_observation(1))
    await crossings.observe(an_observation(1, alert=2))

    assert await told(store) == []


def _disable_first() -> DisableWebhookEndpoint:
    return DisableWebhookEndpoint(
        request_id="d", fingerprint=b"body", webhook_endpoint_id=WebhookEndpointId("end_001")
    )


def _replay(delivery_id: DeliveryId, *, request_id: str | None = None) -> ReplayDelivery:
    return ReplayDelivery(request_id=request_id or delivery_id, fingerprint=b"body", delivery_id=delivery_id)


@pytest.mark.parametrize("turn", range(6))
async def test_nothing_stays_pending_on_an_endpoint_disabled_meanwhile(
    store: PostgresStore, crossings: Crossings, endpoints: Endpoints, turn: int
) -> None:
    alerts: list[Alert] = [an_alert_row(number) for number in range(1, 6)]
    await keep(store, *alerts, an_endpoint_row(1))
    disable = _disable_first()
    doing = [crossings.observe(an_observation(1, alert=number)) for number in range(1, 6)]

    await asyncio.gather(*doing[:turn], endpoints.disable(disable), *doing[turn:])

    assert {delivery.status for delivery in await told(store)} <= {DeliveryStatus.FAILED}


@pytest.mark.parametrize("turn", range(6))
async def test_nothing_replayed_stays_pending_on_an_endpoint_disabled_meanwhile(
    store: PostgresStore, endpoints: Endpoints, wall: ManualClock, turn: int
) -> None:
    await keep(store, an_alert_row(), an_endpoint_row(1), *(a_new_delivery(number) for number in range(1, 6)))
    finished = [DeliveryId(f"dlv_001_{number:03}") for number in range(1, 6)]
    for delivery_id in finished:
        async with store.transaction() as tx:
            (attempt,) = await tx.deliveries.lease([delivery_id], at=JUNE, until=JUNE)
            await tx.deliveries.accepted([(attempt, Answer(status_code=204))], at=JUNE)
    deliveries = Deliveries(store=store, courier=Courier(), wall=wall)
    disable = _disable_first()
    doing = [deliveries.replay(_replay(one)) for one in finished]

    await asyncio.gather(*doing[:turn], endpoints.disable(disable), *doing[turn:], return_exceptions=True)

    assert DeliveryStatus.PENDING not in {delivery.status for delivery in await told(store)}
    with pytest.raises(WebhookEndpointDisabled):
        await deliveries.replay(_replay(finished[0], request_id="later"))


async def test_where_an_alert_stands_is_listed_by_customer_and_group_value(store: PostgresStore) -> None:
    await keep(store, an_alert_row())
    new = AlertStatus(
        alert_id=AlertId("alr_001"),
        customer_id=CustomerId("cus_b"),
        group_value="",
        state=AlertState.EVALUATING,
        value=an_alert_row().threshold,
        observe_time=None,
        sequence=0,
    )
    places = [("cus_a", "Ü"), ("cus_a", "a"), ("cus_a", "B"), ("cus_b", ""), ("cus_a", "")]
    async with store.transaction() as tx:
        for customer, value in places:
            await tx.statuses.insert_if_new(replace(new, customer_id=CustomerId(customer), group_value=value))

    async def listed(page: Page, customer: str = "") -> list[tuple[str, str]]:
        query = ListStatuses(alert_id=AlertId("alr_001"), customer_id=CustomerId(customer))
        async with store.transaction() as tx:
            rows = await tx.statuses.list(query, page)
        return [(row.customer_id, row.group_value) for row in rows]

    in_order = [("cus_a", ""), ("cus_a", "B"), ("cus_a", "a"), ("cus_a", "Ü"), ("cus_b", "")]
    assert await listed(Page(10, None)) == in_order
    assert await listed(Page(1, None)) == in_order[:2]
    assert await listed(Page(10, ("cus_a", "a"))) == in_order[3:]
    assert await listed(Page(10, None), "cus_b") == in_order[4:]
