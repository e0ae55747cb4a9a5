# SPDX-License-Identifier: Apache-2.0
"""Revisions that change a table in use: they wait for a gap between writers, and writers never wait long for them."""

import asyncio
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from meshkit.db import run_migrations
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases


@pytest.fixture
async def pantry(databases: Databases) -> AsyncIterator[Sql]:
    """A table that exists before the revisions, and a connection to it."""
    async with Sql.connected(databases.admin_url) as connection:
        await connection.execute("CREATE SCHEMA pantry")
        await connection.execute("CREATE TABLE pantry.jars (jar_id int, shelf int)")
        await connection.execute("INSERT INTO pantry.jars SELECT n, n % 7 FROM generate_series(1, 1000) n")
        yield connection


def _folder(folder: Path, *body: str) -> Path:
    """Return an Alembic folder with one revision that runs `body`."""
    (folder / "versions").mkdir()
    (folder / "env.py").write_text("from meshkit.migrations import run_env\n\nrun_env('pantry')\n")
    (folder / "versions" / "0001_step.py").write_text(
        textwrap.dedent("""\
            from alembic import op
            from meshkit.migrations import build_index, execute_with_lock_retries

            revision = "0001"
            down_revision = None


            def upgrade() -> None:
            """)
        + "".join(f"    {line}\n" for line in body)
    )
    return folder


async def _columns(sql: Sql) -> list[str]:
    rows = await sql.rows(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'pantry.jars'::regclass AND attnum > 0 ORDER BY attnum"
    )
    return [row["attname"] for row in rows]


async def test_a_revision_that_waits_for_a_gap_does_not_block_writers(
    databases: Databases, pantry: Sql, tmp_path: Path
) -> None:
    folder = _folder(tmp_path, "execute_with_lock_retries('ALTER TABLE pantry.jars ADD label text')")
    async with Sql.connected(databases.admin_url) as writer:
        async with pantry.transaction():
            await pantry.execute("SELECT count(*) FROM pantry.jars")
            migrating = asyncio.create_task(run_migrations(databases.admin_url, folder=folder, name="pantry"))
            await writer.until_somebody_waits()
            for number in range(20):
                await writer.execute("INSERT INTO pantry.jars VALUES ($1, 0)", 2_000 + number)
            assert not migrating.done()
        await migrating

    assert await _columns(pantry) == ["jar_id", "shelf", "label"]
    assert await pantry.value("SELECT count(*) FROM pantry.jars") == 1_020
    assert await pantry.value("SELECT version_num FROM pantry.alembic_version") == "0001"


async def test_a_statement_that_fails_in_a_gap_fails_the_revision(
    databases: Databases, pantry: Sql, tmp_path: Path
) -> None:
    folder = _folder(tmp_path, "execute_with_lock_retries('ALTER TABLE pantry.jars ADD shelf text')")

    with pytest.raises(DBAPIError, match="already exists"):
        await run_migrations(databases.admin_url, folder=folder, name="pantry")

    assert await pantry.value("SELECT count(*) FROM pantry.alembic_version") == 0


async def test_an_index_is_built_while_a_transaction_writes(
    databases: Databases, pantry: Sql, tmp_path: Path
) -> None:
    folder = _folder(tmp_path, "build_index('jars_idx', 'pantry.jars (shelf)', schema='pantry')")
    async with Sql.connected(databases.admin_url) as writer:
        async with pantry.transaction(keeps=True):
            await pantry.execute("INSERT INTO pantry.jars VALUES (1001, 3)")
            migrating = asyncio.create_task(run_migrations(databases.admin_url, folder=folder, name="pantry"))
            await writer.until_somebody_waits()
            await writer.execute("INSERT INTO pantry.jars VALUES (1002, 3)")
            await pantry.execute("INSERT INTO pantry.jars VALUES (1003, 3)")
        await migrating

    await pantry.execute("SET enable_seqscan = off")
    assert await pantry.value("SELECT count(*) FROM pantry.jars WHERE shelf = 3") == 143 + 3
    assert await pantry.value(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'pantry.jars_idx'::regclass"
    )


async def test_an_index_left_unfinished_by_an_interrupted_attempt_is_rebuilt(
    databases: Databases, pantry: Sql, tmp_path: Path
) -> None:
    await pantry.execute("INSERT INTO pantry.jars VALUES (1, 1)")
    with pytest.raises(asyncpg.UniqueViolationError):
        await pantry.execute("CREATE UNIQUE INDEX CONCURRENTLY jars_key ON pantry.jars (jar_id)")
    await pantry.execute("DELETE FROM pantry.jars WHERE jar_id = 1")
    assert not await pantry.value(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'pantry.jars_key'::regclass"
    )
    folder = _folder(
        tmp_path, "build_index('jars_key', 'pantry.jars (jar_id)', schema='pantry', is_unique=True)"
    )

    await run_migrations(databases.admin_url, folder=folder, name="pantry")

    assert await pantry.value(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'pantry.jars_key'::regclass"
    )


async def test_replicas_that_wait_to_migrate_do_not_block_the_one_that_builds_an_index(
    databases: Databases, pantry: Sql, tmp_path: Path
) -> None:
    """If they waited inside a statement, the index would wait for their snapshots and they for its migration."""
    folder = _folder(tmp_path, "build_index('jars_idx', 'pantry.jars (shelf)', schema='pantry')")

    async with Sql.connected(databases.admin_url) as onlooker:
        async with pantry.transaction():
            await pantry.execute("INSERT INTO pantry.jars VALUES (1001, 3)")
            migrating = [
                asyncio.create_task(run_migrations(databases.admin_url, folder=folder, name="pantry"))
                for _ in range(3)
            ]
            await onlooker.until_somebody_waits()
        await asyncio.gather(*migrating)

    assert await pantry.value("SELECT count(*) FROM pantry.alembic_version") == 1
