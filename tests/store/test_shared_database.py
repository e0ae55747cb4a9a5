# SPDX-License-Identifier: Apache-2.0
"""The database that tests share is as migrated before each of them, whatever the test before did."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.support.postgres import Databases
from tests.support.shared_database import SharedDatabase, databases, shared_database

__all__ = ["databases", "shared_database"]


@pytest.fixture
def shared(shared_database: SharedDatabase, databases: Databases) -> SharedDatabase:
    return shared_database


@pytest.fixture
async def sql(shared: SharedDatabase) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(shared.databases.admin_url)
    yield connection
    connection.terminate()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger.epochs SET version = version + 1",
        "DELETE FROM catalog.credit_types",
        "INSERT INTO catalog.credit_types SELECT 'crt_new', 'new', create_time FROM catalog.credit_types",
        "INSERT INTO ledger.customers VALUES ('cus_new', 1, false)",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    ],
)
async def test_it_is_restored(
    shared: SharedDatabase, sql: "asyncpg.Connection[asyncpg.Record]", statement: str
) -> None:
    rows = """
        SELECT (SELECT json_agg(e) FROM ledger.epochs e)::text, (SELECT json_agg(c) FROM catalog.credit_types c)::text,
        (SELECT count(*) FROM ledger.customers)
    """
    before = await sql.fetchrow(rows)
    ended = asyncio.Event()
    sql.add_termination_listener(lambda _: ended.set())
    await sql.execute(statement)
    await sql.execute("BEGIN; LOCK TABLE ledger.customers")  # as a test that failed in the middle leaves it

    await asyncio.to_thread(shared.restore)

    await asyncio.wait_for(ended.wait(), 30)
    again = await asyncpg.connect(shared.databases.admin_url)
    try:
        assert await again.fetchrow(rows) == before
    finally:
        await again.close()
