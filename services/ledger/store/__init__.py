# SPDX-License-Identifier: Apache-2.0
"""All SQL of the Ledger. Rows never leave it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import asyncpg

from meshkit.clock import Clock
from meshkit.ids import Ids
from services.ledger.domain.grant import CreditTypeId, CustomerId
from services.ledger.domain.report import Verification
from services.ledger.store.accounts import Accounts
from services.ledger.store.answers import Answers
from services.ledger.store.caps import Caps
from services.ledger.store.connection import ACQUIRE_SECONDS_MAX, Connection, Pool
from services.ledger.store.copies import Copies
from services.ledger.store.reports import Reports
from services.ledger.store.standings import Standings
from services.ledger.store.verification import verify

T = TypeVar("T")

TRANSACTION_ATTEMPTS_MAX = 5
VERIFY_SECONDS_MAX = 600

# What a second run of the whole transaction settles: a twin was first, or two of them crossed.
_RACES = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class Transaction:
    """One transaction, room by room."""

    def __init__(self, connection: Connection, *, wall: Clock, ids: Ids) -> None:
        self.accounts = Accounts(connection, wall=wall, ids=ids)
        self.answers = Answers(connection)
        self.standings = Standings(connection)
        self.copies = Copies(connection)
        self.caps = Caps(connection)
        self.reports = Reports(connection)


class PostgresStore:
    """The Ledger's database."""

    def __init__(self, pool: Pool, *, wall: Clock, ids: Ids) -> None:
        self._pool = pool
        self._wall = wall
        self._ids = ids

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in one transaction (READ COMMITTED), again from its start when it lost a race.

        Raises what the last of at most 5 attempts raised.
        """
        for attempt in range(1, TRANSACTION_ATTEMPTS_MAX + 1):
            try:
                async with (
                    self._pool.acquire(timeout=ACQUIRE_SECONDS_MAX) as connection,
                    connection.transaction(),
                ):
                    return await work(Transaction(connection, wall=self._wall, ids=self._ids))
            except _RACES:
                if attempt == TRANSACTION_ATTEMPTS_MAX:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def due_pools(self, *, at: datetime, pools_max: int) -> list[tuple[CustomerId, CreditTypeId]]:
        """Return pools in which something is due, the longest due first."""
        async with self._pool.acquire(timeout=ACQUIRE_SECONDS_MAX) as connection:
            rows = await connection.fetch(
                "SELECT customer_id, credit_type_id FROM ledger.pools WHERE next_due_time <= $1"
                " ORDER BY next_due_time, customer_id, credit_type_id LIMIT $2",
                at,
                pools_max,
            )
        return [(CustomerId(row["customer_id"]), CreditTypeId(row["credit_type_id"])) for row in rows]

    async def verify(self, customer_id: CustomerId | None) -> Verification:
        """Recount one customer, or everybody (None), in one snapshot."""
        async with self._pool.acquire(timeout=ACQUIRE_SECONDS_MAX) as connection:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await connection.execute(f"SET LOCAL statement_timeout = '{VERIFY_SECONDS_MAX}s'")
                return await verify(connection, customer_id)
