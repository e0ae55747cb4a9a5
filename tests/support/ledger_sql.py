# SPDX-License-Identifier: Apache-2.0
"""A look behind the Ledger's rpcs: its tables as they are, and a hand that can spoil them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import asyncpg

# Plumbing is not what a customer has: the sandbox's clock, Alembic's page, which slot of answers is emptied when, and
# whose turn it is to forget.
_TABLES = """
    SELECT relname FROM pg_class WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'r'
    AND relname NOT IN ('alembic_version', 'sandbox_clock', 'request_slots', 'chores') ORDER BY relname
"""
_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
WAIT_SECONDS_MAX = 10.0
ROUND_TRIPS_OF_GRACE = 50


class Sql:
    """One connection with the login of an administrator, who may do what the Ledger itself may not."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str) -> AsyncIterator[Self]:
        connection = await asyncpg.connect(url)
        try:
            yield cls(connection)
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
        """Return every row of every table as text: equal before and after whatever writes nothing."""
        tables = [row["relname"] for row in await self.rows(_TABLES)]
        return {
            table: [
                row["line"]
                for row in await self.rows(f"SELECT t::text AS line FROM ledger.{table} t ORDER BY 1")
            ]
            for table in tables
        }

    async def forget_everything(self) -> None:
        """Leave the tables as a migration makes them."""
        tables = [
            f"ledger.{row['relname']}" for row in await self.rows(_TABLES) if row["relname"] != "epochs"
        ]
        await self.execute(f"TRUNCATE {', '.join(tables)}")

    async def until(self, question: str) -> None:
        """Return when the answer to a question is true. Raises TimeoutError after 10 s."""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while not await self.value(question):
                pass

    @asynccontextmanager
    async def transaction(self, *, keeps: bool = False) -> AsyncIterator[None]:
        """Hold what the block locks until it ends; what it wrote is undone, unless it `keeps` it."""
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            yield
        except BaseException:
            await transaction.rollback()
            raise
        await (transaction.commit() if keeps else transaction.rollback())

    async def until_somebody_waits(self) -> None:
        """Return when a session of the Ledger's waits for a lock, and those beside it had time to get there too.

        Raises TimeoutError after 10 s.
        """
        await self.until(_WAITING)
        for _ in range(ROUND_TRIPS_OF_GRACE):
            await self.value(_WAITING)
