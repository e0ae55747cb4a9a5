# SPDX-License-Identifier: Apache-2.0
"""One transaction of the Catalog, with the statements of each noun."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit import AuditRecorder
from meshkit import outbox, requests
from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.outbox import Outbox
from meshkit.requests import StoredResponses
from services.catalog import tables
from services.catalog.store.credit_types import StoredCreditTypes
from services.catalog.store.formats import NOTICES, RESPONSES
from services.catalog.store.metrics import StoredMetrics
from services.catalog.store.products import StoredProducts
from services.catalog.store.rate_cards import StoredRateCards
from services.catalog.store.rates import StoredRates
from services.catalog.store.top_up_packs import StoredTopUpPacks


class Transaction:
    """The statements of one transaction. READ COMMITTED: lock what must not change before the commit."""

    def __init__(self, connection: AsyncConnection, *, wall: Clock, ids: Ids) -> None:
        recorder = AuditRecorder(tables.audit_events, wall=wall, ids=ids)
        self.responses = StoredResponses(connection, tables.requests, RESPONSES, wall=wall, recorder=recorder)
        self.outbox = Outbox(connection, tables.outbox, NOTICES, wall=wall, ids=ids)
        self.credit_types = StoredCreditTypes(connection)
        self.metrics = StoredMetrics(connection)
        self.products = StoredProducts(connection)
        self.rate_cards = StoredRateCards(connection)
        self.rates = StoredRates(connection)
        self.top_up_packs = StoredTopUpPacks(connection)


class PostgresStore:
    """Opens transactions. wall: dates requests and notices; sandbox time must not affect them."""

    def __init__(self, engine: AsyncEngine, *, wall: Clock, ids: Ids) -> None:
        self._engine = engine
        self._wall = wall
        self._ids = ids

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commit when the block ends, roll back when it raises."""
        async with self._engine.begin() as connection:
            yield Transaction(connection, wall=self._wall, ids=self._ids)

    async def forget(self, *, requests_before: datetime, notices_before: datetime) -> int:
        """Delete requests and delivered notices older than an instant, a limited number. Returns the number of rows."""
        async with self._engine.begin() as connection:
            forgotten = await requests.forget(connection, tables.requests, before=requests_before)
        async with self._engine.begin() as connection:
            forgotten += await outbox.forget_sent(connection, tables.outbox, before=notices_before)
        return forgotten
