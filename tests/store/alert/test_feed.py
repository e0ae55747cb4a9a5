# SPDX-License-Identifier: Apache-2.0
"""The feed: nothing appears behind a cursor, in whatever order transactions commit; nothing is missed or repeated."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from access.caller import Call, Caller, begin
from meshkit.clock import ManualClock
from services.alert.domain.alert import CustomerId
from services.alert.domain.delivery import Answer
from services.alert.domain.errors import EventCursorExpired, EventCursorUnknown, TooManyWatches
from services.alert.domain.event import Event, EventType
from services.alert.domain.feed import EVENTS_KEPT, FeedEnd, FeedPage, Start
from services.alert.domain.queries import FindEvents
from services.alert.operations import feed as feed_operations
from services.alert.operations.feed import Feed
from services.alert.store import PostgresStore
from services.alert.store.feed import EXAMINED_MAX
from services.alert.sweeper import forget_old
from tests.support.alert import ACME, JUNE
from tests.support.alert_store import (
    ACME_ID,
    an_endpoint_row,
    an_event_delivery,
    an_event_row,
    keep,
)

ALL = FindEvents(customer_id=CustomerId(""), event_types=())
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
SECONDS_MAX = 60


@pytest.fixture
def feed(store: PostgresStore, wall: ManualClock) -> Feed:
    return Feed(store=store, wall=wall)


async def listed(
    feed: Feed, start: Start = FeedEnd.OLDEST, query: FindEvents = ALL, rows_max: int = 500
) -> list[str]:
    return ids(await feed.list(query, start, rows_max=rows_max))


def ids(page: FeedPage) -> list[str]:
    return [one.event.event_id for one in page.events]


async def next_page(pages: AsyncGenerator[FeedPage]) -> FeedPage:
    async with asyncio.timeout(SECONDS_MAX):
        return await anext(pages)


async def test_what_commits_late_comes_after_what_was_read_before(store: PostgresStore, feed: Feed) -> None:
    async with AsyncExitStack() as early, AsyncExitStack() as late:
        slow = await early.enter_async_context(store.transaction())
        await slow.events.insert(an_event_row(1, customer_id="cus_slow", customer_sequence=1))
        fast = await late.enter_async_context(store.transaction())
        await fast.events.insert(an_event_row(2, customer_id="cus_fast", customer_sequence=1))
        await late.aclose()

        between = await feed.list(ALL, FeedEnd.OLDEST, rows_max=500)
        assert (ids(between), between.has_more) == (["evt_002"], False)
        await early.aclose()

    assert await listed(feed, between.position) == ["evt_001"]
    assert await listed(feed) == ["evt_002", "evt_001"]


async def test_what_was_rolled_back_leaves_neither_a_number_nor_a_place(
    store: PostgresStore, feed: Feed
) -> None:
    class Killed(Exception):
        """The process dies before the commit."""

    async def die() -> None:
        async with store.transaction() as tx:
            assert await tx.events.next_sequence(ACME_ID) == 1
            await tx.events.insert(an_event_row(1))
            raise Killed

    with pytest.raises(Killed):
        await die()
    assert await listed(feed) == []

    async with store.transaction() as tx:
        assert await tx.events.next_sequence(ACME_ID) == 1
        await tx.events.insert(an_event_row(2, customer_sequence=1))
    page = await feed.list(ALL, FeedEnd.OLDEST, rows_max=500)
    assert ([one.position for one in page.events], page.position) == ([1], 1)


async def test_the_events_of_a_customer_are_in_order_whatever_the_clocks_say(
    store: PostgresStore, feed: Feed
) -> None:
    await keep(store, an_event_row(9, customer_id="cus_other", customer_sequence=1, at=JUNE - TICK))
    for number in range(1, 6):
        await keep(store, an_event_row(number, at=JUNE - timedelta(seconds=number - 1)))

    assert await listed(feed) == ["evt_009", *(f"evt_{number:03}" for number in range(1, 6))]


async def test_places_are_given_in_the_same_order_a_few_at_a_time(store: PostgresStore, feed: Feed) -> None:
    for number in range(1, 8):
        customer = f"cus_{number % 2}"
        at = JUNE - timedelta(seconds=number)
        await keep(store, an_event_row(number, customer_id=customer, at=at))
    await store.place_events(rows_max=2)

    assert await listed(feed) == [f"evt_{number:03}" for number in (2, 4, 6, 1, 3, 5, 7)]


async def test_a_second_event_of_a_customer_waits_for_the_first_and_others_do_not(
    store: PostgresStore,
) -> None:
    async def number_of(customer: str) -> int:
        async with store.transaction() as tx:
            return await tx.events.next_sequence(CustomerId(customer))

    async with store.transaction() as tx:
        assert await tx.events.next_sequence(ACME_ID) == 1
        waiting = asyncio.create_task(number_of(ACME))
        assert await number_of("cus_other") == 1
        assert not waiting.done()
    assert await waiting == 2


@pytest.mark.parametrize("seed", range(3))
async def test_readers_that_follow_get_everything_once_while_writers_commit_in_any_order(
    store: PostgresStore, wall: ManualClock, seed: int
) -> None:
    dice, committed, done = random.Random(seed), 0, asyncio.Event()
    tickets = [f"cus_{dice.randrange(5)}" for _ in range(120)]

    async def write(number: int, customer: str) -> None:
        nonlocal committed
        async with store.transaction() as tx:
            for _ in range(dice.randrange(4)):
                await asyncio.sleep(0)
            sequence = await tx.events.next_sequence(CustomerId(customer))
            event = an_event_row(number, customer_id=customer, customer_sequence=sequence)
            await tx.events.insert(event)
            for _ in range(dice.randrange(8)):
                await asyncio.sleep(0)
        committed += 1

    async def write_all() -> None:
        numbers = iter(range(1, len(tickets) + 1))

        async def write_some() -> None:
            for number in numbers:
                await write(number, tickets[number - 1])

        await asyncio.gather(*(write_some() for _ in range(4)))
        done.set()

    async def follow() -> list[Event]:
        replica = Feed(store=store, wall=wall)
        seen: list[Event] = []
        position: Start = FeedEnd.OLDEST
        while True:
            was_done = done.is_set()
            page = await replica.list(ALL, position, rows_max=7)
            seen += [one.event for one in page.events]
            position = page.position
            if was_done and not page.has_more:
                return seen

    _, *followed = await asyncio.gather(write_all(), follow(), follow())

    assert committed == len(tickets)
    assert followed[0] == followed[1]
    assert len({one.event_id for one in followed[0]}) == len(followed[0]) == len(tickets)
    sequences = defaultdict(list)
    for event in followed[0]:
        sequences[event.customer_id].append(event.customer_sequence)
    assert all(found == list(range(1, len(found) + 1)) for found in sequences.values()), f"seed {seed}"


async def test_an_empty_feed_and_a_full_page_end_where_they_say(store: PostgresStore, feed: Feed) -> None:
    empty = await feed.list(ALL, FeedEnd.OLDEST, rows_max=2)
    assert (ids(empty), empty.position, empty.has_more) == ([], 0, False)
    await keep(store, *(an_event_row(number) for number in (1, 2, 3)))

    first = await feed.list(ALL, empty.position, rows_max=2)
    assert (ids(first), first.position, first.has_more) == (["evt_001", "evt_002"], 2, True)
    rest = await feed.list(ALL, first.position, rows_max=2)
    assert (ids(rest), rest.position, rest.has_more) == (["evt_003"], 3, False)
    exact = await feed.list(ALL, 1, rows_max=2)
    assert (exact.position, exact.has_more) == (3, False)
    with pytest.raises(EventCursorUnknown):
        await feed.list(ALL, 4, rows_max=2)


async def test_a_filter_moves_its_cursor_past_what_it_does_not_want(store: PostgresStore, feed: Feed) -> None:
    await keep(
        store,
        an_event_row(1),
        an_event_row(2, event_type=EventType.INVOICE_PAID),
        an_event_row(3, customer_id="cus_other"),
    )
    for query, wanted in (
        (replace(ALL, customer_id=ACME_ID), ["evt_001", "evt_002"]),
        (replace(ALL, event_types=(EventType.INVOICE_PAID,)), ["evt_002"]),
        (replace(ALL, event_types=(EventType.TOP_UP_PAID,)), ["evt_001", "evt_003"]),
        (FindEvents(customer_id=ACME_ID, event_types=(EventType.TOP_UP_PAID,)), ["evt_001"]),
        (replace(ALL, customer_id=CustomerId("cus_nobody")), []),
    ):
        page = await feed.list(query, FeedEnd.OLDEST, rows_max=10)
        assert (ids(page), page.position, page.has_more) == (wanted, 3, False)


async def test_a_search_for_a_rare_type_reads_a_bounded_part_and_goes_on(
    store: PostgresStore, engine: AsyncEngine, feed: Feed
) -> None:
    many = """
        INSERT INTO alert.events
            (event_id, event_type, customer_id, customer_sequence, is_internal, create_time, payload)
        SELECT 'evt_many_' || n, 'top_up.paid', 'cus_many', n, false, :at, '{}' FROM generate_series(1, :rows) n
    """
    async with engine.begin() as connection:
        await connection.execute(text(many), {"at": JUNE, "rows": EXAMINED_MAX})
    await store.place_events()
    await keep(store, an_event_row(1, event_type=EventType.INVOICE_PAID))
    rare = replace(ALL, event_types=(EventType.INVOICE_PAID,))

    first = await feed.list(rare, FeedEnd.OLDEST, rows_max=10)
    assert (ids(first), first.position, first.has_more) == ([], EXAMINED_MAX, True)
    rest = await feed.list(rare, first.position, rows_max=10)
    assert (ids(rest), rest.has_more) == (["evt_001"], False)
    at_once = await feed.list(replace(rare, customer_id=ACME_ID), FeedEnd.OLDEST, rows_max=10)
    assert (ids(at_once), at_once.has_more) == (["evt_001"], False)


async def test_a_start_time_finds_the_first_event_that_was_stored_then(
    store: PostgresStore, feed: Feed, wall: ManualClock
) -> None:
    await keep(store, an_event_row(1), an_event_row(2, at=JUNE + DAY), an_event_row(3, at=JUNE + DAY - TICK))
    wall.advance_to(JUNE + EVENTS_KEPT)

    assert await listed(feed, JUNE) == ["evt_001", "evt_002", "evt_003"]
    assert await listed(feed, JUNE + TICK) == ["evt_002", "evt_003"]
    assert await listed(feed, JUNE + DAY) == ["evt_002", "evt_003"]  # the clocks of two replicas differ
    assert await listed(feed, JUNE + DAY + TICK) == []
    with pytest.raises(EventCursorExpired):
        await feed.list(ALL, JUNE - TICK, rows_max=10)


async def test_an_old_cursor_is_an_error_and_never_skips_anything(
    store: PostgresStore, engine: AsyncEngine, feed: Feed, wall: ManualClock
) -> None:
    await keep(store, an_event_row(1), an_event_row(2), an_event_row(3, at=JUNE + TICK))
    assert len(await listed(feed)) == 3

    wall.advance_to(JUNE + EVENTS_KEPT)
    await forget_old(store, wall)
    assert await listed(feed, 0) == ["evt_001", "evt_002", "evt_003"]
    wall.advance_to(JUNE + EVENTS_KEPT + TICK)
    await forget_old(store, wall)

    for old in (0, 1):
        with pytest.raises(EventCursorExpired):
            await feed.list(ALL, old, rows_max=10)
    assert await listed(feed, 2) == await listed(feed) == ["evt_003"]
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT event_id FROM alert.events"))).scalars().all() == [
            "evt_003"
        ]
    wall.advance_to(JUNE + 2 * EVENTS_KEPT)
    await forget_old(store, wall)
    assert await listed(feed, 3) == []
    await keep(store, an_event_row(4, at=wall.now()))
    assert await listed(feed, 3) == ["evt_004"]


async def test_an_event_that_is_still_posted_is_kept_for_that_and_listed_no_more(
    store: PostgresStore, engine: AsyncEngine, feed: Feed, wall: ManualClock
) -> None:
    late = an_event_delivery(1)
    await keep(store, an_endpoint_row(), late, an_event_row(2))
    wall.advance_to(JUNE + EVENTS_KEPT + TICK)
    await forget_old(store, wall)

    assert await listed(feed) == []
    async with store.transaction() as tx:
        (attempt,) = await tx.deliveries.lease([late.delivery_id], at=wall.now(), until=wall.now())
        assert attempt.payload == late.event.payload
        await tx.deliveries.accepted([(attempt, Answer(status_code=204))], at=wall.now())
    await forget_old(store, wall)
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM alert.events"))).scalar_one() == 0


async def test_a_customer_sees_its_own_events_but_not_those_of_the_vendors_alerts(
    store: PostgresStore, feed: Feed
) -> None:
    await keep(
        store,
        an_event_row(1),
        an_event_row(2, is_internal=True),
        an_event_row(3, customer_id="cus_other"),
        an_event_row(4, customer_id=""),
    )
    begin(Call(Caller("ann", customer_ids=frozenset({ACME}))))

    assert await listed(feed) == ["evt_001"]
    assert await listed(feed, query=replace(ALL, customer_id=CustomerId("cus_other"))) == []
    begin(Call(Caller("vendor")))
    assert len(await listed(feed)) == 4


async def test_a_watch_says_where_it_begins_and_gets_what_comes(
    store: PostgresStore, feed: Feed, wall: ManualClock
) -> None:
    await keep(store, an_event_row(1))
    other_replica = Feed(store=store, wall=wall)
    await feed.start()
    try:
        async with aclosing(feed.watch(ALL, FeedEnd.NEWEST)) as pages:
            assert (await next_page(pages)).position == 1
            waiting = asyncio.create_task(next_page(pages))
            await keep(store, an_event_row(2))  # stored by another replica, which wakes nobody here
            page = await waiting
            assert (ids(page), page.position) == (["evt_002"], 2)
            await keep(store, an_event_row(3))
            assert await listed(other_replica, 2) == ["evt_003"]  # which gives it its place
            assert ids(await next_page(pages)) == ["evt_003"]
        async with aclosing(feed.watch(ALL, 1)) as again:
            assert (await next_page(again)).events == ()
            assert ids(await next_page(again)) == ["evt_002", "evt_003"]
    finally:
        await feed.stop()
    assert feed.watches == 0


async def test_a_quiet_watch_gets_newer_cursors_and_ends_after_its_time(
    store: PostgresStore, wall: ManualClock
) -> None:
    feed = Feed(store=store, wall=wall, poll_seconds=0.01, quiet_seconds=0.05, watch_seconds_max=1.0)
    rare = replace(ALL, customer_id=CustomerId("cus_quiet"))
    await feed.start()
    try:
        positions = []
        async with asyncio.timeout(SECONDS_MAX):
            async for page in feed.watch(rare, FeedEnd.NEWEST):
                assert page.events == ()
                positions.append(page.position)
                if len(positions) == 2:
                    await keep(store, an_event_row(1))
    finally:
        await feed.stop()

    assert positions == sorted(positions)
    assert (positions[0], positions[-1]) == (0, 1)


async def test_a_slow_reader_holds_a_bounded_page_and_no_transaction(
    store: PostgresStore, engine: AsyncEngine, feed: Feed
) -> None:
    await keep(store, *(an_event_row(number) for number in range(1, 101)))

    async with aclosing(feed.watch(ALL, FeedEnd.OLDEST)) as pages:
        await next_page(pages)
        page = await next_page(pages)
        assert len(page.events) == feed_operations.WATCHED_EVENTS_MAX
        async with engine.connect() as connection:
            idle = text(
                "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%' AND pid <> pg_backend_pid()"
                " AND datname = current_database()"
            )
            assert (await connection.execute(idle)).scalar_one() == 0
        seen = ids(page)
        while len(seen) < 100:
            seen += ids(await next_page(pages))
    assert seen == [f"evt_{number:03}" for number in range(1, 101)]


async def test_watches_end_when_the_service_stops_and_are_limited(feed: Feed) -> None:
    await feed.start()
    async with AsyncExitStack() as stack:
        watches = [
            await stack.enter_async_context(aclosing(feed.watch(ALL, FeedEnd.NEWEST)))
            for _ in range(feed_operations.WATCHES_MAX)
        ]
        for pages in watches:
            await next_page(pages)
        with pytest.raises(TooManyWatches):
            await next_page(feed.watch(ALL, FeedEnd.NEWEST))

        waiting = [asyncio.create_task(next_page(pages)) for pages in watches]
        await asyncio.sleep(0)
        feed.end_watches()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(one) for one in ended} == {StopAsyncIteration}
        after = [page async for page in feed.watch(ALL, FeedEnd.NEWEST)]
        assert [page.events for page in after] == [()]
    await feed.stop()
    assert feed.watches == 0
