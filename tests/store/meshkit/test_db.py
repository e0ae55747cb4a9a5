# SPDX-License-Identifier: Apache-2.0
import asyncio
import textwrap
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.db import LOCK_TIMEOUT_MS, STATEMENT_TIMEOUT_MS, open_engine, run_migrations
from meshkit.errors import MeshError
from meshkit.faults import fault_of
from tests.support.postgres import Databases


def migrations(folder: Path, *statements: str) -> Path:
    """Return an Alembic folder for the schema "pantry", one revision per statement."""
    (folder / "versions").mkdir()
    (folder / "env.py").write_text("from meshkit.migrations import run_env\n\nrun_env('pantry')\n")
    for number, statement in enumerate(statements, start=1):
        earlier = f"'{number - 1:04}'" if number > 1 else None
        (folder / "versions" / f"{number:04}_step.py").write_text(
            textwrap.dedent(f"""\
                from alembic import op

                revision = "{number:04}"
                down_revision = {earlier}


                def upgrade() -> None:
                    op.execute({statement!r})
            """)
        )
    return folder


async def scalar(engine: AsyncEngine, statement: str) -> object:
    async with engine.connect() as connection:
        return (await connection.execute(text(statement))).scalar_one()


async def fault_in(engine: AsyncEngine, *statements: str) -> MeshError | None:
    """Run statements in one transaction, and return the fault that the last one raises."""
    try:
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))
    except (DBAPIError, OSError) as error:
        return fault_of(error)
    return None


@pytest.mark.session_settings(lock_timeout=str(LOCK_TIMEOUT_MS), statement_timeout=str(STATEMENT_TIMEOUT_MS))
async def test_every_wait_on_the_database_has_a_timeout(engine: AsyncEngine) -> None:
    assert await scalar(engine, "SHOW statement_timeout") == "5s"
    assert await scalar(engine, "SHOW lock_timeout") == "3s"
    assert await scalar(engine, "SHOW idle_in_transaction_session_timeout") == "10s"
    assert await scalar(engine, "SHOW application_name") == "probe"


async def test_a_statement_that_takes_too_long_is_unavailable(engine: AsyncEngine) -> None:
    fault = await fault_in(engine, "SET LOCAL statement_timeout = 1", "SELECT pg_sleep(60)")

    assert fault is not None
    assert fault.reason == "DATABASE_UNAVAILABLE"


async def test_a_lock_that_is_held_too_long_is_a_lost_race(engine: AsyncEngine) -> None:
    async with engine.begin() as holder:
        await holder.execute(text("LOCK TABLE probe.effects"))

        fault = await fault_in(engine, "SET LOCAL lock_timeout = 1", "SELECT count(*) FROM probe.effects")

    assert fault is not None
    assert fault.reason == "TRANSACTION_CONFLICT"


async def test_a_connection_cut_in_a_transaction_is_unavailable_and_the_next_one_works(
    engine: AsyncEngine,
) -> None:
    fault = await fault_in(engine, "SELECT pg_terminate_backend(pg_backend_pid())")

    assert fault is not None
    assert fault.reason == "DATABASE_UNAVAILABLE"
    assert await scalar(engine, "SELECT 1") == 1


async def test_a_connection_cut_while_idle_is_replaced_without_an_error(
    engine: AsyncEngine, databases: Databases
) -> None:
    idle = await scalar(engine, "SELECT pg_backend_pid()")
    killer = open_engine(databases.admin_url, application_name="killer")
    await scalar(killer, f"SELECT pg_terminate_backend({idle})")
    await killer.dispose()

    assert await scalar(engine, "SELECT pg_backend_pid()") != idle


async def test_a_server_that_does_not_run_is_unavailable() -> None:
    engine = open_engine("postgresql://nobody:secret@127.0.0.1:1/none", application_name="probe")

    fault = await fault_in(engine, "SELECT 1")

    assert fault is not None
    assert fault.reason == "DATABASE_UNAVAILABLE"
    assert "secret" not in fault.message


async def test_a_wrong_statement_is_not_reported_as_a_database_fault(engine: AsyncEngine) -> None:
    assert await fault_in(engine, "SELECT no_such_column FROM probe.effects") is None


async def test_migrations_run_once_each_in_order_and_keep_their_version_in_their_schema(
    databases: Databases, engine: AsyncEngine, tmp_path: Path
) -> None:
    folder = migrations(
        tmp_path, "CREATE TABLE pantry.jars (jar_id text)", "ALTER TABLE pantry.jars ADD size int"
    )

    await run_migrations(databases.admin_url, folder=folder, name="pantry")
    await run_migrations(databases.admin_url, folder=folder, name="pantry")

    assert await scalar(engine, "SELECT version_num FROM pantry.alembic_version") == "0002"
    assert await scalar(engine, "SELECT count(size) FROM pantry.jars") == 0


async def test_replicas_that_start_together_migrate_one_after_the_other(
    databases: Databases, engine: AsyncEngine, tmp_path: Path
) -> None:
    folder = migrations(tmp_path, "CREATE TABLE pantry.jars (jar_id text)", "SELECT pg_sleep(0.05)")

    await asyncio.gather(
        *(run_migrations(databases.admin_url, folder=folder, name="pantry") for _ in range(3))
    )

    assert await scalar(engine, "SELECT count(*) FROM pantry.alembic_version") == 1


async def test_a_revision_that_fails_is_rolled_back_and_earlier_ones_stay(
    databases: Databases, engine: AsyncEngine, tmp_path: Path
) -> None:
    folder = migrations(
        tmp_path, "CREATE TABLE pantry.jars (jar_id text)", "CREATE TABLE pantry.jars (again text)"
    )

    with pytest.raises(DBAPIError, match="already exists"):
        await run_migrations(databases.admin_url, folder=folder, name="pantry")

    assert await scalar(engine, "SELECT version_num FROM pantry.alembic_version") == "0001"
