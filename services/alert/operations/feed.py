# SPDX-License-Identifier: Apache-2.0
"""ListEvents, WatchEvents: the events of the last 90 days, and those that come."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Final, assert_never

from meshkit.clock import Clock
from meshkit.periodic import WokenTask, happens
from services.alert.domain.errors import TooManyWatches
from services.alert.domain.feed import FeedEnd, FeedPage, Start, check_start_time
from services.alert.domain.queries import FindEvents
from services.alert.store import PostgresStore

POLL_SECONDS: Final = 0.5  # for events that another replica has stored
WATCHES_MAX: Final = 100
# The server closes a connection by force 5 minutes after it has asked the caller to close it (meshkit/rpc/server.py).
WATCH_SECONDS_MAX: Final = 240.0
# A reader without news gets a newer place, so that its cursor does not expire.
QUIET_SECONDS: Final = 30.0
# What one watch holds in memory; a body has at most some 64 kB.
WATCHED_EVENTS_MAX: Final = 20
# Of the pool's eight connections, however many watches there are.
READS_MAX: Final = 2


class Feed:
    """Lists events in order, and waits for new ones.

    While anybody watches, one task looks for new events, when it is woken and every `poll_seconds`; then each watch
    reads what it wants. No transaction is open while a reader is slow.
    """

    def __init__(
        self,
        *,
        store: PostgresStore,
        wall: Clock,
        poll_seconds: float = POLL_SECONDS,
        quiet_seconds: float = QUIET_SECONDS,
        watch_seconds_max: float = WATCH_SECONDS_MAX,
    ) -> None:
        self._store = store
        self._wall = wall
        self._quiet_seconds = quiet_seconds
        self._watch_seconds_max = watch_seconds_max
        self._reads = asyncio.Semaphore(READS_MAX)
        self._task = WokenTask(self._look, poll_seconds=poll_seconds, failed="events_unreadable")
        self._grown = asyncio.Event()  # set once, when there is more than `_last_position`, and then replaced
        self._last_position = 0
        self._is_ending = False
        self.watches = 0

    async def start(self) -> None:
        """Start to look for new events in the background."""
        await self._task.start()

    async def stop(self) -> None:
        """Stop looking."""
        self.end_watches()
        await self._task.stop()

    def end_watches(self) -> None:
        """End all watches, and every new one, without an error. Call it before the server stops: it waits for them."""
        self._is_ending = True
        self._grown.set()

    def wake(self) -> None:
        """Look for new events now. Call it after the commit."""
        self._task.wake()

    async def list(self, query: FindEvents, start: Start, *, rows_max: int) -> FeedPage:
        """Return the next events from a place on. Raises EventCursorExpired, EventCursorUnknown."""
        await self._store.place_events()
        position = await self._position(start)
        return await self._read(query, position, rows_max=rows_max)

    async def watch(self, query: FindEvents, start: Start) -> AsyncGenerator[FeedPage]:
        """Yield where it begins, then events as they come, and now and then a newer place. It ends after 4 minutes.

        Raises EventCursorExpired, EventCursorUnknown, TooManyWatches.
        """
        if self.watches >= WATCHES_MAX:
            raise TooManyWatches
        self.watches += 1
        try:
            end = asyncio.get_running_loop().time() + self._watch_seconds_max
            await self._store.place_events()
            page = FeedPage(events=(), position=await self._position(start), has_more=True)
            yield page
            while not self._is_ending and (left := end - asyncio.get_running_loop().time()) > 0:
                grown = self._grown
                page = await self._read(query, page.position, rows_max=WATCHED_EVENTS_MAX)
                if page.events:
                    yield page
                if not page.has_more and not await happens(grown, min(left, self._quiet_seconds)):
                    yield FeedPage(events=(), position=page.position, has_more=False)
        finally:
            self.watches -= 1

    async def _read(self, query: FindEvents, position: int, *, rows_max: int) -> FeedPage:
        async with self._reads, self._store.transaction() as tx:
            return await tx.feed.after(query, position, rows_max=rows_max)

    async def _look(self) -> None:
        if not self.watches:
            return
        await self._store.place_events()
        async with self._store.transaction() as tx:
            state = await tx.feed.state()
        if state.last_position != self._last_position and not self._is_ending:
            self._last_position = state.last_position
            self._grown.set()
            self._grown = asyncio.Event()

    async def _position(self, start: Start) -> int:
        """Return the position that a reader begins after. Raises EventCursorExpired."""
        match start:
            case int():
                return start
            case datetime():
                check_start_time(start, now=self._wall.now())
                async with self._reads, self._store.transaction() as tx:
                    return await tx.feed.before(start)
            case FeedEnd():
                async with self._reads, self._store.transaction() as tx:
                    state = await tx.feed.state()
                return state.forgotten_position if start is FeedEnd.OLDEST else state.last_position
            case _:
                assert_never(start)
