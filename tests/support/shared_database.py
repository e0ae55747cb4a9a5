# SPDX-License-Identifier: Apache-2.0
"""One database for many tests, restored before each of them to what the migrations left.

A copy of the template for each test takes more CPU. Every worker has its own shared database. It is not for
tests that create, alter or drop tables, or connect while another test runs.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from graphlib import TopologicalSorter

import asyncpg
import pytest

from deploy.local.database import SERVICES
from tests.support.postgres import Databases, PostgresServer, drop_database, make_database

# With the tables that refer to each: the workers of Citus check foreign keys whatever a session sets.
_TABLES = """
    SELECT c.oid::regclass::text AS name, ARRAY(
        SELECT DISTINCT conrelid::regclass::text FROM pg_constraint
        WHERE contype = 'f' AND confrelid = c.oid AND conrelid <> c.oid
    ) AS children
    FROM pg_class c
    WHERE relnamespace::regnamespace::text = ANY($1) AND relkind IN ('r', 'p')
    AND NOT relispartition AND relname <> 'alembic_version' ORDER BY name
"""
# Whoever is still connected from the test before would hold locks, or write again. Not Citus's own connections.
_END_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    AND application_name NOT LIKE 'citus_internal%'
"""


class SharedDatabase:
    """A migrated database that `restore` brings back to its first state.

    Its connection lives on an event loop of its own, since every test has another.
    """

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self.databases = self._loop.run_until_complete(make_database(server))
        self._restoring = self._loop.run_until_complete(self._prepare())

    def restore(self) -> None:
        """Delete every row that tests wrote, put back those of the migrations, end all other connections."""
        try:
            self._loop.run_until_complete(self._execute(self._restoring))
        except (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, asyncpg.InterfaceError, OSError):
            self._connection = None  # a test has ended it
            self._loop.run_until_complete(self._execute(self._restoring))

    def drop(self) -> None:
        """Drop the database."""
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            self._loop.run_until_complete(self._close())
        self._loop.run_until_complete(drop_database(self._server, self.databases))
        self._loop.close()

    async def _prepare(self) -> str:
        connection = await self._connected()
        tables = TopologicalSorter(
            {row["name"]: row["children"] for row in await connection.fetch(_TABLES, SERVICES)}
        )
        await connection.execute("CREATE SCHEMA as_migrated")
        statements = []
        for table in tables.static_order():
            statements.append(f"DELETE FROM {table}")
            if await connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM {table})"):
                kept = f"as_migrated.{table.replace('.', '_')}"
                await connection.execute(f"CREATE TABLE {kept} AS TABLE {table}")
                statements.append(f"INSERT INTO {table} SELECT * FROM {kept}")
        if self._server.is_citus:
            statements.insert(0, "SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
        return "; ".join([_END_OTHERS, "BEGIN", *statements, "COMMIT"])

    async def _execute(self, statements: str) -> None:
        connection = await self._connected()
        await connection.execute(statements)

    async def _connected(self) -> "asyncpg.Connection[asyncpg.Record]":
        if self._connection is None:
            self._connection = await asyncpg.connect(self.databases.admin_url)
        return self._connection

    async def _close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


@pytest.fixture(scope="session")
def shared_database(postgres_server: PostgresServer) -> Iterator[SharedDatabase]:
    shared = SharedDatabase(postgres_server)
    yield shared
    shared.drop()


@pytest.fixture
def databases(shared_database: SharedDatabase) -> Databases:
    """As if it were the test's own."""
    shared_database.restore()
    return shared_database.databases
