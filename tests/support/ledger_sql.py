# SPDX-License-Identifier: Apache-2.0
"""Direct access to a service's tables, mostly the Ledger's: to read them, lock them or corrupt them on purpose."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import asyncpg

# Infrastructure without customer data: the sandbox's clock, Alembic's version, the schedule by which slots of stored
# responses are emptied, and the turn of the replica that deletes old rows.
_TABLES = """
    SELECT relname FROM pg_class WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'r'
    AND relname NOT IN ('alembic_version', 'sandbox_clock', 'request_slots', 'chores') ORDER BY relname
"""
# Written in the background, and made of what is in the other tables.
_SUMS = ("usage_by_hour", "usage_by_period", "usage_positions")
# A refused write leaves a record.
_RECORDS = ("audit_events",)
# On Citus, sessions wait on the workers.
_SESSIONS = """
    SELECT CASE WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN 'citus_stat_activity'
        ELSE 'pg_stat_activity' END
"""
WAIT_SECONDS_MAX = 60
ROUND_TRIPS_OF_GRACE = 50


class Sql:
    """One connection as administrator, who has rights that the Ledger's role does not have.

    waiting: the SQL of the sessions that wait for a lock, from FROM onwards.
    """

    def __init__(self, connection: Any, sessions: str) -> None:
        self._connection = connection
        self.waiting = f"FROM {sessions} WHERE datname = current_database() AND wait_event_type = 'Lock'"

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str) -> AsyncIterator[Self]:
        connection = await asyncpg.connect(url)
        try:
            yield cls(connection, await connection.fetchval(_SESSIONS))
        finally:
            await connection.close()

    async def execute(self, statement: str, *arguments: object) -> str:
        """Run a statement; returns its status, such as "UPDATE 1"."""
        status: str = await self._connection.execute(statement, *arguments)
        return status

    async def value(self, question: str, *arguments: object) -> Any:
        return await self._connection.fetchval(question, *arguments)

    async def rows(self, question: str, *arguments: object) -> list[dict[str, Any]]:
        return [dict(row) for row in await self._connection.fetch(question, *arguments)]

    async def count(self, table: str) -> int:
        found: int = await self.value(f"SELECT count(*) FROM ledger.{table}")
        return found

    async def everything(self) -> dict[str, list[str]]:
        """Return every row of every table as text; it is the same before and after a call that writes nothing.

        Without the sums of usage, which may be written at any time, and the records of refused writes.
        """
        tables = [
            row["relname"] for row in await self.rows(_TABLES) if row["relname"] not in (*_SUMS, *_RECORDS)
        ]
        return {
            table: [
                row["line"]
                for row in await self.rows(f"SELECT t::text AS line FROM ledger.{table} t ORDER BY 1")
            ]
            for table in tables
        }

    async def forget_everything(self) -> None:
        """Empty the tables, as after the migrations."""
        tables = [
            f"ledger.{row['relname']}" for row in await self.rows(_TABLES) if row["relname"] != "epochs"
        ]
        await self.execute(f"TRUNCATE {', '.join(tables)}")

    async def until(self, question: str) -> Any:
        """Return a query's result as soon as it is true. Raises TimeoutError after 10 s."""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while not (result := await self.value(question)):
                # Without this, a transaction goes on seeing only the sessions that existed at its first look.
                await self.execute("SELECT pg_stat_clear_snapshot()")
        return result

    @asynccontextmanager
    async def transaction(self, *, keeps: bool = False) -> AsyncIterator[None]:
        """Hold the block's locks until it ends; its writes are rolled back unless it `keeps` them."""
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            yield
        except BaseException:
            await transaction.rollback()
            raise
        await (transaction.commit() if keeps else transaction.rollback())

    async def lock(self, table: str, *, but: str = "") -> None:
        """Lock all rows of a table but those of one customer; customer by customer, since Citus cannot lock all."""
        for row in await self.rows(f"SELECT DISTINCT customer_id FROM ledger.{table} ORDER BY customer_id"):
            if row["customer_id"] != but:
                await self.execute(
                    f"SELECT FROM ledger.{table} WHERE customer_id = '{row['customer_id']}' FOR UPDATE"
                )

    async def until_waiting(self, sessions: int) -> None:
        """Return when so many sessions wait for a lock. Raises TimeoutError after 10 s."""
        await self.until(f"SELECT count(*) >= {sessions} {self.waiting}")

    async def until_somebody_waits(self) -> None:
        """Return when a session of the Ledger waits for a lock, and its other sessions had time to reach theirs.

        Raises TimeoutError after 10 s.
        """
        await self.until_waiting(1)
        for _ in range(ROUND_TRIPS_OF_GRACE):
            await self.execute("SELECT pg_stat_clear_snapshot()")
