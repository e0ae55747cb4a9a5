# SPDX-License-Identifier: Apache-2.0
"""One transaction of Alert, with a hand for each noun family."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from meshkit import outbox, requests
from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.outbox import Outbox
from meshkit.requests import StoredResponses
from services.alert import tables
from services.alert.store.alerts import StoredAlerts
from services.alert.store.deliveries import StoredDeliveries
from services.alert.store.endpoints import StoredEndpoints
from services.alert.store.formats import NOTICES, RESPONSES
from services.alert.store.statuses import StoredStatuses


class Transaction:
    """What can be done before the commit. READ COMMITTED: lock what must not change meanwhile."""

    def __init__(self, connection: AsyncConnection, *, wall: Clock, ids: Ids) -> None:
        self.responses = StoredResponses(connection, tables.requests, RESPONSES, wall=wall)
        self.outbox = Outbox(connection, tables.outbox, NOTICES, wall=wall, ids=ids)
        self.alerts = StoredAlerts(connection)
        self.statuses = StoredStatuses(connection)
        self.endpoints = StoredEndpoints(connection)
        self.deliveries = StoredDeliveries(connection)


class PostgresStore:
    """Gives out transactions. wall: dates requests and notices, which sandbox time must not move."""

    def __init__(self, engine: AsyncEngine, *, wall: Clock, ids: Ids) -> None:
        self._engine = engine
        self._wall = wall
        self._ids = ids

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commit when the block ends, roll back when it raises."""
        async with self._engine.begin() as connection:
            yield Transaction(connection, wall=self._wall, ids=self._ids)

    async def forget(
        self, *, requests_before: datetime, notices_before: datetime, deliveries_before: datetime
    ) -> int:
        """Drop requests and finished deliveries made, and notices heard, before an instant.

        A bounded number of each; returns how many. Each in a transaction of its own: they are independent.
        """
        async with self._engine.begin() as connection:
            forgotten = await requests.forget(connection, tables.requests, before=requests_before)
        async with self._engine.begin() as connection:
            forgotten += await outbox.forget_sent(connection, tables.outbox, before=notices_before)
        async with self._engine.begin() as connection:
            forgotten += await StoredDeliveries(connection).forget_finished(before=deliveries_before)
        return forgotten
