# SPDX-License-Identifier: Apache-2.0
"""One database for all tests of the Ledger in a run, made anew before each of them by emptying it.

A copy of the template for each would take longer than the tests do. What a migration has put into tables is put
there again; who is still connected from the test before is not any more.
"""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from tests.support.postgres import Databases, PostgresServer, drop_database, make_database

_TABLES = """
    SELECT relname FROM pg_class WHERE relnamespace = 'ledger'::regnamespace AND relkind IN ('r', 'p')
    AND NOT relispartition AND relname <> 'alembic_version' ORDER BY relname
"""
_END_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture(scope="session")
def ledger_database(postgres_server: PostgresServer) -> Iterator[Databases]:
    made = asyncio.run(_make(postgres_server))
    yield made
    asyncio.run(drop_database(postgres_server, made))


@pytest.fixture
async def databases(ledger_database: Databases) -> Databases:
    """As if it were the test's own."""
    connection = await asyncpg.connect(ledger_database.admin_url)
    try:
        await connection.fetch(_END_OTHERS)
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")  # in whatever order
            for row in await connection.fetch(_TABLES):
                table = row["relname"]
                await connection.execute(f"DELETE FROM ledger.{table}")
                await connection.execute(f"INSERT INTO ledger.{table} SELECT * FROM as_migrated.{table}")
    finally:
        await connection.close()
    return ledger_database


async def _make(postgres_server: PostgresServer) -> Databases:
    made = await make_database(postgres_server)
    connection = await asyncpg.connect(made.admin_url)
    try:
        await connection.execute("CREATE SCHEMA as_migrated")
        for row in await connection.fetch(_TABLES):
            await connection.execute(
                f"CREATE TABLE as_migrated.{row['relname']} AS TABLE ledger.{row['relname']}"
            )
    finally:
        await connection.close()
    return made
