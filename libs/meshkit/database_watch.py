# SPDX-License-Identifier: Apache-2.0
"""Asks the database all the time whether it is there, over a connection that is used for nothing else.

A host that loses power ends no connection: without this, statements would wait for minutes. It costs the calls
nothing, and tells a silent database from a slow statement.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any

import asyncpg
import structlog
from prometheus_client import Gauge, Histogram

from meshkit.clock import Clock
from meshkit.connections import Connections
from meshkit.periodic import PeriodicTask
from meshkit.poolers import PoolerUnusable

LOOK_EVERY_SECONDS = 0.5
ANSWER_SECONDS_MAX = 1.5
# One unanswered question may be our own machine's fault, for example while all services start at once.
UNANSWERED_MAX = 1

# Declared here, so that a process without a database does not show that it is away.
DATABASE_UP = Gauge(
    "mesh_database_up",
    "1 while the database answers this process, 0 while it does not or before it was asked.",
)
DATABASE_ANSWER_SECONDS = Histogram(
    "mesh_database_answer_seconds",
    "Time of the question that a process asks its database twice a second over a separate connection, in seconds.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5),
)
CLOCK_AHEAD_SECONDS = Gauge(
    "mesh_clock_ahead_seconds",
    "How far this process's clock is ahead of the database's, in seconds; negative: behind it.",
)

log = structlog.get_logger(__name__)


class Answer(Enum):
    """What became of one question. FAILED: an error came back, so somebody is there, but nobody who works."""

    GIVEN = "GIVEN"
    FAILED = "FAILED"
    NONE = "NONE"


class DatabaseWatch:
    """Looks every half a second. If no answer comes within 1.5 s, it drops all connections.

    A failed host's address may belong to another one by then. So it tries a new connection at once; only if that gets
    no answer either, the database counts as silent, and no other connection is opened until one is answered.
    wall: is compared with the database's clock, for /metrics.
    """

    def __init__(self, connections: Connections, wall: Clock, *, application_name: str) -> None:
        self._connections = connections
        self._wall = wall
        self._application_name = application_name
        self._connection: Any = None
        self._is_there: bool | None = None
        self._unanswered = 0
        self._reason = "no answer"
        self._unusable: PoolerUnusable | None = None
        self._looking = PeriodicTask("watch_database", self.look, LOOK_EVERY_SECONDS)
        self._on_change: Callable[[bool], Awaitable[None]] | None = None

    async def start(self) -> None:
        """Look once, whatever the answer, then in the background. Raises PoolerUnusable."""
        await self.look()
        if self._unusable is not None:
            raise self._unusable
        self._looking.start()

    async def report_to(self, on_change: Callable[[bool], Awaitable[None]]) -> None:
        """Tell `on_change` whether the database answers: at once, if that is known, and whenever it changes."""
        self._on_change = on_change
        if self._is_there is not None:
            await on_change(self._is_there)

    async def stop(self) -> None:
        """Stop looking."""
        await self._looking.stop()
        self._let_go()

    async def look(self) -> bool:
        """Look once; returns whether the database answers."""
        answer = Answer.FAILED
        if self._connection is not None:
            answer = self._counted(await self._ask())
            if answer is Answer.NONE:
                log.warning("database_silent", dropped=self._connections.drop_all())
        if answer is not Answer.GIVEN:
            self._let_go()
            answer = self._counted(await self._connect())
        self._connections.is_silent = self._unanswered > UNANSWERED_MAX
        if self._connections.is_silent:
            self._connections.drop_all()  # those that were opened meanwhile
        await self._tell(answer is Answer.GIVEN)
        return answer is Answer.GIVEN

    def _counted(self, answer: Answer) -> Answer:
        self._unanswered = self._unanswered + 1 if answer is Answer.NONE else 0
        return answer

    async def _ask(self) -> Answer:
        began, clock = time.perf_counter(), self._wall.now()
        asked = asyncio.ensure_future(self._connection.fetchval("SELECT clock_timestamp()"))
        try:
            await asyncio.wait([asked], timeout=ANSWER_SECONDS_MAX)
            if not asked.done():
                # If our own loop was held up, the answer is there but not read yet.
                await asyncio.wait([asked], timeout=ANSWER_SECONDS_MAX / 10)
            if not asked.done():
                self._reason = "no answer"
                return Answer.NONE
            if (error := asked.exception()) is not None:
                self._reason = str(error)
                return Answer.FAILED
            took_seconds = time.perf_counter() - began
            DATABASE_ANSWER_SECONDS.observe(took_seconds)
            # As if the database had read its clock half way, so it is wrong by half of that time at most.
            CLOCK_AHEAD_SECONDS.set((clock - asked.result()).total_seconds() + took_seconds / 2)
            return Answer.GIVEN
        finally:
            if not asked.done():
                self._let_go()  # first: a cancelled statement would ask the server to cancel it
                asked.cancel()
                await asyncio.wait([asked])

    async def _connect(self) -> Answer:
        try:
            self._connection = await self._connections.probe(
                timeout=ANSWER_SECONDS_MAX, server_settings={"application_name": self._application_name}
            )
        except TimeoutError:
            self._reason = "no answer"
            return Answer.NONE
        except PoolerUnusable as unusable:
            self._unusable, self._reason = unusable, unusable.message
            return Answer.FAILED
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            self._reason = str(error)
            return Answer.FAILED
        # A pooler answers also while the database behind it does not.
        return await self._ask()

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _tell(self, is_there: bool) -> None:
        if is_there is self._is_there:
            return
        if not is_there:
            log.warning("database_away", is_silent=self._connections.is_silent, reason=self._reason)
        elif self._is_there is not None:
            log.info("database_back")
        self._is_there = is_there
        DATABASE_UP.set(is_there)
        if self._on_change is not None:
            await self._on_change(is_there)
