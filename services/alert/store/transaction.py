# SPDX-License-Identifier: Apache-2.0
"""One transaction of Alert, with the statements of each noun."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit import AuditRecorder
from meshkit import outbox, requests
from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.keyring import Keyring
from meshkit.outbox import Outbox
from services.alert import tables
from services.alert.store.alerts import StoredAlerts
from services.alert.store.deliveries import StoredDeliveries
from services.alert.store.destinations import StoredDestinations
from services.alert.store.endpoints import EncryptionResult, StoredEndpoints
from services.alert.store.events import StoredEvents
from services.alert.store.failures import StoredFailures
from services.alert.store.feed import StoredFeed
from services.alert.store.formats import NOTICES, RESPONSES
from services.alert.store.headers import StoredHeaders
from services.alert.store.invoices import StoredInvoices
from services.alert.store.replays import StoredReplays
from services.alert.store.responses import OwnResponses
from services.alert.store.statuses import StoredStatuses

# Events that one transaction deletes, and how many transactions there are each time; so an hour's events are 100,000.
FORGOTTEN_MAX: Final = 5_000
FORGET_ROUNDS_MAX: Final = 20


class Transaction:
    """The statements of one transaction. READ COMMITTED: lock what must not change before the commit."""

    def __init__(self, connection: AsyncConnection, *, wall: Clock, ids: Ids, keyring: Keyring) -> None:
        recorder = AuditRecorder(tables.audit_events, wall=wall, ids=ids)
        self.responses = OwnResponses(connection, tables.requests, RESPONSES, wall=wall, recorder=recorder)
        self.outbox = Outbox(connection, tables.outbox, NOTICES, wall=wall, ids=ids)
        self.alerts = StoredAlerts(connection)
        self.statuses = StoredStatuses(connection)
        self.endpoints = StoredEndpoints(connection, keyring)
        self.destinations = StoredDestinations(connection)
        self.headers = StoredHeaders(connection, keyring)
        self.deliveries = StoredDeliveries(connection)
        self.events = StoredEvents(connection)
        self.failures = StoredFailures(connection)
        self.feed = StoredFeed(connection)
        self.invoices = StoredInvoices(connection)
        self.replays = StoredReplays(connection)


class PostgresStore:
    """Opens transactions. wall: dates requests and notices; sandbox time must not affect them. keyring: for secrets."""

    def __init__(self, engine: AsyncEngine, *, wall: Clock, ids: Ids, keyring: Keyring) -> None:
        self._engine = engine
        self._wall = wall
        self._ids = ids
        self._keyring = keyring

    @property
    def newest_key_id(self) -> str:
        """The id of the key that encrypts secrets."""
        return self._keyring.newest_id

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commit when the block ends, roll back when it raises."""
        async with self._engine.begin() as connection:
            yield Transaction(connection, wall=self._wall, ids=self._ids, keyring=self._keyring)

    async def encrypt_secrets(self, *, rows_max: int = 500) -> EncryptionResult:
        """Encrypt every secret that the newest key did not encrypt, `rows_max` in a transaction, and custom headers."""
        async with self.transaction() as tx:
            total = await tx.headers.encrypt_some(rows_max=rows_max)
        after = ""
        while True:
            async with self.transaction() as tx:
                after, page = await tx.endpoints.encrypt_page(after=after, rows_max=rows_max)
            if not after:
                return total
            total.encrypted += page.encrypted
            total.unreadable |= page.unreadable

    async def place_events(self, *, rows_max: int = 10_000) -> None:
        """Give every committed event its position in the feed, `rows_max` in a transaction."""
        while True:
            async with self._engine.begin() as connection:
                if await StoredFeed(connection).place(rows_max=rows_max) < rows_max:
                    return

    async def forget(
        self,
        *,
        requests_before: datetime,
        notices_before: datetime,
        deliveries_before: datetime,
        events_before: datetime,
    ) -> int:
        """Delete requests, delivered notices, finished deliveries and events older than an instant.

        A limited number of each, each in a separate transaction, as they are independent. Returns the number of rows.
        """
        async with self._engine.begin() as connection:
            forgotten = await requests.forget(connection, tables.requests, before=requests_before)
        async with self._engine.begin() as connection:
            forgotten += await outbox.forget_sent(connection, tables.outbox, before=notices_before)
        async with self._engine.begin() as connection:
            posted = await StoredDeliveries(connection).forget_finished(before=deliveries_before)
            await StoredFeed(connection).drop_unposted([one for one in posted if one is not None])
            forgotten += len(posted)
        async with self._engine.begin() as connection:
            forgotten += await StoredReplays(connection).forget_finished(before=deliveries_before)
        await self.place_events()  # one without a position is not listed, so it would not be forgotten
        for _ in range(FORGET_ROUNDS_MAX):
            async with self._engine.begin() as connection:
                gone = await StoredFeed(connection).forget(before=events_before, rows_max=FORGOTTEN_MAX)
            forgotten += gone
            if gone < FORGOTTEN_MAX:
                break
        return forgotten
