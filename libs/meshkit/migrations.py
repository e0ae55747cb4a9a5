# SPDX-License-Identifier: Apache-2.0
"""What migrations have in common: `run_env("<svc>")` is the whole body of every services/<svc>/migrations/env.py,
and two ways to change a table that is in use."""

from typing import Final

from alembic import context, op
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from meshkit.db import MIGRATION_LOCK_TIMEOUT_MS

# How long callers may queue behind a migration that waits for its lock, and how long they are let through then.
GAP_WAIT_MS: Final = 100
GAP_PAUSE_SECONDS: Final = 0.3
GAPS_MAX: Final = 500
LOCK_NOT_AVAILABLE: Final = "55P03"


def run_env(schema: str) -> None:
    """Run the pending revisions in the schema of that name, each in a transaction of its own.

    Makes the schema when it is not there; the version table lives in it. Called by Alembic, through
    meshkit.db.migrate, which hands over the connection.
    """
    connection: Connection = context.config.attributes["connection"]
    _make_schema(connection, schema)
    context.configure(
        connection=connection,
        version_table="alembic_version",
        version_table_schema=schema,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def in_a_gap(statement: str) -> None:
    """Run one statement that needs a strong lock for an instant, while its table is in use.

    It waits 0.1 s for the lock at most, for whoever comes after it waits with it; then it lets them through for
    0.3 s and tries again, for some three minutes. Outside the revision's transaction: a revision that uses it must
    be able to begin anew. Raises DBAPIError, of the statement, or of the lock that was not to be had.
    """
    with op.get_context().autocommit_block():
        op.execute(f"SET lock_timeout = {GAP_WAIT_MS}")
        try:
            for attempt in range(1, GAPS_MAX + 1):
                try:
                    op.execute(statement)
                    break
                except DBAPIError as error:
                    if _sqlstate(error) != LOCK_NOT_AVAILABLE or attempt == GAPS_MAX:
                        raise
                    op.execute(f"SELECT pg_sleep({GAP_PAUSE_SECONDS})")
        finally:
            op.execute(f"SET lock_timeout = {MIGRATION_LOCK_TIMEOUT_MS}")


def build_index(name: str, on: str, *, schema: str, is_unique: bool = False) -> None:
    """Build an index while its table is written to: CREATE INDEX CONCURRENTLY `name` ON `on`.

    Waits, blocking nobody, for every transaction that is older. What an interrupted attempt left is dropped first.
    Outside the revision's transaction: a revision that uses it must be able to begin anew.
    """
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        try:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema}.{name}")
            op.execute(f"CREATE {'UNIQUE ' if is_unique else ''}INDEX CONCURRENTLY {name} ON {on}")
        finally:
            op.execute(f"SET lock_timeout = {MIGRATION_LOCK_TIMEOUT_MS}")


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def _make_schema(connection: Connection, schema: str) -> None:
    # Asked first: a role that may not create schemas may still own this one.
    known = connection.execute(
        text("SELECT to_regnamespace(:schema) IS NOT NULL"), {"schema": schema}
    ).scalar_one()
    if not known:
        connection.execute(text(f'CREATE SCHEMA "{schema}"'))
    connection.commit()
