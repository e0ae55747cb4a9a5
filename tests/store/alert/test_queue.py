# SPDX-License-Identifier: Apache-2.0
"""The delivery table as a queue: leased by one, due again when the lease runs out, ended once."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.clock import ManualClock
from meshkit.page import Page
from services.alert import meters
from services.alert.domain.alert import AlertId
from services.alert.domain.delivery import (
    GIVE_UP_AFTER,
    LEASE,
    SUSPECT_AFTER,
    Answer,
    Attempt,
    Delivery,
    DeliveryId,
    DeliveryStatus,
)
from services.alert.domain.endpoint import WebhookEndpointId
from services.alert.domain.errors import DeliveryNotFound
from services.alert.domain.queries import ListDeliveries
from services.alert.store import PostgresStore
from tests.support.alert import JUNE
from tests.support.alert_store import a_new_delivery, an_alert_row, an_endpoint_row, an_event_delivery, keep

FIRST = DeliveryId("dlv_001_001")
END_1, END_2 = WebhookEndpointId("end_001"), WebhookEndpointId("end_002")
TICK = timedelta(microseconds=1)
EVERYTHING = Page(10, None)


@pytest.fixture(autouse=True)
async def _one_delivery(store: PostgresStore) -> None:
    await keep(store, an_alert_row(), an_endpoint_row(1), an_endpoint_row(2), a_new_delivery())


async def lease(
    store: PostgresStore, delivery_id: DeliveryId = FIRST, *, at: datetime = JUNE
) -> Attempt | None:
    async with store.transaction() as tx:
        attempts = await tx.deliveries.lease([delivery_id], at=at, until=at + LEASE)
    return attempts[0] if attempts else None


async def leased(store: PostgresStore, *, at: datetime = JUNE) -> Attempt:
    attempt = await lease(store, at=at)
    assert attempt is not None
    return attempt


async def stored(store: PostgresStore, delivery_id: DeliveryId = FIRST) -> Delivery:
    async with store.transaction() as tx:
        return await tx.deliveries.get(delivery_id)


async def due(store: PostgresStore, *, at: datetime = JUNE, per_endpoint_max: int = 4) -> list[DeliveryId]:
    async with store.transaction() as tx:
        found = await tx.deliveries.due(at=at, per_endpoint_max=per_endpoint_max)
    return [one.delivery_id for one in found]


async def test_a_new_delivery_is_due_at_once_and_not_before(store: PostgresStore) -> None:
    assert await due(store, at=JUNE - TICK) == []
    assert await due(store, at=JUNE) == [FIRST]
    assert await lease(store, at=JUNE - TICK) is None
    assert await lease(store, at=JUNE) is not None


async def test_a_try_is_counted_before_it_is_made(store: PostgresStore) -> None:
    attempt = await leased(store)

    delivery = await stored(store)
    assert (attempt.attempts, attempt.tries, attempt.payload) == (1, 1, '{"number":1}')
    assert (delivery.attempts, delivery.status) == (1, DeliveryStatus.PENDING)
    assert attempt.give_up_time == JUNE + GIVE_UP_AFTER


async def test_a_leased_delivery_is_nobodys_until_the_lease_has_run_out(store: PostgresStore) -> None:
    await leased(store)

    assert await due(store, at=JUNE + LEASE - TICK) == []
    assert await lease(store, at=JUNE + LEASE - TICK) is None
    assert await due(store, at=JUNE + LEASE) == [FIRST]
    assert (await leased(store, at=JUNE + LEASE)).attempts == 2


async def test_of_many_workers_one_gets_the_lease(store: PostgresStore) -> None:
    attempts = await asyncio.gather(*(lease(store) for _ in range(8)))

    assert sum(attempt is not None for attempt in attempts) == 1
    assert (await stored(store)).attempts == 1


async def test_an_accepted_delivery_is_never_due_again(store: PostgresStore) -> None:
    attempt = await leased(store)
    async with store.transaction() as tx:
        await tx.deliveries.accepted([(attempt, Answer(status_code=204))], at=JUNE + TICK)

    delivery = await stored(store)
    assert delivery.status is DeliveryStatus.DELIVERED
    assert (delivery.deliver_time, delivery.due_time) == (JUNE + TICK, None)
    assert (delivery.last_status_code, delivery.last_error) == (204, "")
    assert await due(store, at=JUNE + timedelta(days=9)) == []
    assert await lease(store, at=JUNE + timedelta(days=9)) is None


async def test_a_failed_try_is_due_again_when_it_is_put_off_to(store: PostgresStore) -> None:
    attempt = await leased(store)
    async with store.transaction() as tx:
        await tx.deliveries.put_off(attempt, Answer(status_code=503), due=JUNE + timedelta(seconds=3))

    delivery = await stored(store)
    assert (delivery.last_status_code, delivery.last_error) == (503, "answered 503")
    assert await due(store, at=JUNE + timedelta(seconds=3) - TICK) == []
    assert await due(store, at=JUNE + timedelta(seconds=3)) == [FIRST]


async def test_a_late_failure_does_not_undo_a_newer_try(store: PostgresStore) -> None:
    slow = await leased(store)
    newer = await leased(store, at=JUNE + LEASE)
    async with store.transaction() as tx:
        await tx.deliveries.give_up(slow, Answer(status_code=500))
        await tx.deliveries.put_off(slow, Answer(status_code=500), due=JUNE)

    assert (await stored(store)).due_time == JUNE + 2 * LEASE
    async with store.transaction() as tx:
        await tx.deliveries.give_up(newer, Answer(error="no connection"))
    delivery = await stored(store)
    assert (delivery.status, delivery.due_time) == (DeliveryStatus.FAILED, None)
    assert (delivery.last_status_code, delivery.last_error) == (0, "no connection")


async def test_a_late_success_counts_for_the_endpoint_has_it(store: PostgresStore) -> None:
    slow = await leased(store)
    newer = await leased(store, at=JUNE + LEASE)
    async with store.transaction() as tx:
        await tx.deliveries.accepted([(slow, Answer(status_code=200))], at=JUNE + LEASE)
        await tx.deliveries.put_off(newer, Answer(status_code=500), due=JUNE + 2 * LEASE)
        await tx.deliveries.accepted([(newer, Answer(status_code=201))], at=JUNE + 2 * LEASE)

    delivery = await stored(store)
    assert (delivery.status, delivery.deliver_time) == (DeliveryStatus.DELIVERED, JUNE + LEASE)
    assert (delivery.attempts, delivery.last_status_code) == (2, 200)


async def test_of_each_endpoint_the_first_few_are_due_oldest_first(store: PostgresStore) -> None:
    minute = timedelta(minutes=1)
    for number in range(2, 8):
        await keep(store, a_new_delivery(number, at=JUNE + number * minute))
    await keep(store, a_new_delivery(1, endpoint=2, at=JUNE + 3 * minute))

    at = JUNE + 6 * minute
    assert await due(store, at=at, per_endpoint_max=3) == [
        "dlv_001_001",
        "dlv_001_002",
        "dlv_001_003",
        "dlv_002_001",
    ]
    assert len(await due(store, at=at, per_endpoint_max=10)) == 7  # the eighth is not due yet


async def test_nothing_is_due_for_a_disabled_endpoint_and_what_waited_has_failed(
    store: PostgresStore,
) -> None:
    await keep(store, a_new_delivery(2), a_new_delivery(1, endpoint=2))
    attempt = await leased(store)
    async with store.transaction() as tx:
        await tx.deliveries.accepted([(attempt, Answer(status_code=204))], at=JUNE)
        endpoint = await tx.endpoints.lock(END_1)
        await tx.endpoints.disable(replace(endpoint, disable_time=JUNE), missed_after=0)
        await tx.deliveries.fail_pending(END_1, error="the endpoint is disabled")

    assert await due(store) == ["dlv_002_001"]
    assert (await stored(store)).status is DeliveryStatus.DELIVERED
    failed = await stored(store, DeliveryId("dlv_001_002"))
    assert (failed.status, failed.last_error) == (DeliveryStatus.FAILED, "the endpoint is disabled")


async def test_a_replay_starts_a_new_round_of_the_same_delivery(store: PostgresStore) -> None:
    later = JUNE + timedelta(days=30)
    attempt = await leased(store)
    async with store.transaction() as tx:
        assert await tx.deliveries.replay(FIRST, at=later) is None  # still pending
        await tx.deliveries.accepted([(attempt, Answer(status_code=204))], at=JUNE)
        replayed = await tx.deliveries.replay(FIRST, at=later)

    assert replayed is not None
    assert (replayed.status, replayed.due_time, replayed.deliver_time) == (
        DeliveryStatus.PENDING,
        later,
        None,
    )
    again = await leased(store, at=later)
    assert (again.attempts, again.tries) == (2, 1)
    assert again.give_up_time == later + GIVE_UP_AFTER
    assert again.payload == attempt.payload


async def test_an_unknown_delivery_is_not_found(store: PostgresStore) -> None:
    with pytest.raises(DeliveryNotFound):
        await stored(store, DeliveryId("dlv_x"))
    assert await lease(store, DeliveryId("dlv_x")) is None


async def test_deliveries_are_listed_newest_first_by_endpoint_and_alert(store: PostgresStore) -> None:
    await keep(
        store, an_alert_row(2), a_new_delivery(2), a_new_delivery(3, alert=2), a_new_delivery(1, endpoint=2)
    )

    async def listed(endpoint: str = "", alert: str = "", page: Page = EVERYTHING) -> list[str]:
        query = ListDeliveries(webhook_endpoint_id=WebhookEndpointId(endpoint), alert_id=AlertId(alert))
        async with store.transaction() as tx:
            return [delivery.delivery_id for delivery in await tx.deliveries.list(query, page)]

    everything = ["dlv_002_001", "dlv_001_003", "dlv_001_002", "dlv_001_001"]
    assert await listed() == everything
    assert await listed(endpoint=END_1) == everything[1:]
    assert await listed(alert="alr_002") == ["dlv_001_003"]
    assert await listed(endpoint=END_2, alert="alr_002") == []
    assert await listed(page=Page(2, None)) == everything[:3]
    assert await listed(page=Page(2, ("dlv_001_003",))) == everything[2:]


async def test_only_finished_deliveries_are_forgotten(store: PostgresStore) -> None:
    await keep(store, a_new_delivery(2), a_new_delivery(3, at=JUNE + timedelta(days=1)), an_event_delivery(4))
    for number in (2, 3, 4):
        attempt = await lease(store, DeliveryId(f"dlv_001_{number:03}"), at=JUNE + timedelta(days=1))
        assert attempt is not None
        async with store.transaction() as tx:
            await tx.deliveries.accepted([(attempt, Answer(status_code=204))], at=JUNE + timedelta(days=1))

    await store.forget(
        requests_before=JUNE,
        notices_before=JUNE,
        deliveries_before=JUNE + timedelta(days=1),
        events_before=JUNE,
    )

    async with store.transaction() as tx:
        query = ListDeliveries(webhook_endpoint_id=WebhookEndpointId(""), alert_id=AlertId(""))
        kept = await tx.deliveries.list(query, Page(10, None))
    assert [delivery.delivery_id for delivery in kept] == ["dlv_001_003", FIRST]


async def test_a_delivery_from_before_there_were_events_has_its_own_body(
    store: PostgresStore, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alert.deliveries SET event_id = NULL, payload = '{}'"))
        await connection.execute(text("DELETE FROM alert.events"))

    attempt = await leased(store)

    assert attempt.payload == (await stored(store)).payload == "{}"
    async with store.transaction() as tx:
        await tx.deliveries.accepted([(attempt, Answer(status_code=204))], at=JUNE)
        replayed = await tx.deliveries.replay(FIRST, at=JUNE)
    assert replayed is not None
    assert replayed.payload == "{}"


async def test_an_endpoint_that_has_only_failed_for_ten_seconds_is_failing_until_a_success(
    store: PostgresStore,
) -> None:
    await keep(store, a_new_delivery(1, endpoint=2))

    async def failing(at: datetime) -> list[WebhookEndpointId]:
        async with store.transaction() as tx:
            found = await tx.deliveries.due(at=at, per_endpoint_max=4)
        return [one.webhook_endpoint_id for one in found if one.is_failing]

    async with store.transaction() as tx:
        await tx.failures.add(END_1, at=JUNE)
    assert await failing(JUNE + SUSPECT_AFTER - TICK) == []
    assert await failing(JUNE + SUSPECT_AFTER) == [END_1]
    async with store.transaction() as tx:
        await tx.failures.end([END_1])
    assert await failing(JUNE + SUSPECT_AFTER) == []


async def test_metrics_say_what_waits_and_how_late_it_is(store: PostgresStore) -> None:
    def shown() -> tuple[float | None, ...]:
        names = ("alert_pending_deliveries", "alert_delivery_late_seconds", "alert_failing_endpoints")
        return tuple(REGISTRY.get_sample_value(name) for name in names)

    await meters.measure(store, ManualClock(JUNE + timedelta(seconds=30)))
    waiting = shown()
    await lease(store)
    async with store.transaction() as tx:
        await tx.failures.add(END_1, at=JUNE)
    await meters.measure(store, ManualClock(JUNE + timedelta(seconds=30)))

    assert waiting == (1.0, 30.0, 0.0)
    # A worker has it, and its endpoint fails.
    assert shown() == (1.0, max(0.0, 30.0 - LEASE.total_seconds()), 1.0)
