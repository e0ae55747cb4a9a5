# SPDX-License-Identifier: Apache-2.0
"""Shared by all migrations: `run_env` is the whole body of every services/<svc>/migrations/env.py.

Two more functions change a table while it is in use.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from alembic import context, op
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from meshkit.db import MIGRATION_LOCK_TIMEOUT_MS, RevisionReport
from meshkit.privileges import NOTHING_RESTRICTED, VERSION_TABLE, Privileges, give, open_schema

# Callers queue behind a migration that waits for its lock, for at most LOCK_WAIT_MS. Then they run during the pause.
LOCK_WAIT_MS: Final = 100
LOCK_PAUSE_SECONDS: Final = 0.3
LOCK_ATTEMPTS_MAX: Final = 500
LOCK_NOT_AVAILABLE: Final = "55P03"


def run_env(schema: str, privileges: Privileges = NOTHING_RESTRICTED) -> None:
    """Run the pending revisions in this schema, each in its own transaction, then grant what the runtime role needs.

    Creates the schema if it does not exist; the schema contains the version table. Called by Alembic through
    meshkit.db.migrate, which passes the connection and the runtime role.
    """
    connection: Connection = context.config.attributes["connection"]
    role: str = context.config.attributes["runtime_role"]
    _create_schema(connection, schema)
    open_schema(connection, schema=schema, role=role)
    connection.commit()
    report: RevisionReport | None = context.config.attributes.get("report")
    context.configure(
        connection=connection,
        on_version_apply=None if report is None else _timed(report),
        version_table=VERSION_TABLE,
        version_table_schema=schema,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    give(connection, schema=schema, role=role, privileges=privileges)
    connection.commit()


def _timed(report: "RevisionReport") -> Callable[..., None]:
    """Return what Alembic calls after each revision."""
    began = time.monotonic()

    def applied(*, step: Any, **_: object) -> None:
        nonlocal began
        now = time.monotonic()
        report(step.up_revision_id, now - began)
        began = now

    return applied


def execute_with_lock_retries(statement: str) -> None:
    """Run one statement that needs a strong lock briefly, while its table is in use.

    It waits at most 0.1 s for the lock, because all later callers queue behind it. Then it pauses for 0.3 s, which
    lets them run, and tries again, for about three minutes. It runs outside the revision's transaction, so the
    revision must be repeatable. Raises DBAPIError of the statement, or of the lock if it never got it.
    """
    with op.get_context().autocommit_block():
        op.execute(f"SET lock_timeout = {LOCK_WAIT_MS}")
        try:
            for attempt in range(1, LOCK_ATTEMPTS_MAX + 1):
                try:
                    op.execute(statement)
                    break
                except DBAPIError as error:
                    if _sqlstate(error) != LOCK_NOT_AVAILABLE or attempt == LOCK_ATTEMPTS_MAX:
                        raise
                    op.execute(f"SELECT pg_sleep({LOCK_PAUSE_SECONDS})")
        finally:
            op.execute(f"SET lock_timeout = {MIGRATION_LOCK_TIMEOUT_MS}")


def build_index(name: str, on: str, *, schema: str, is_unique: bool = False) -> None:
    """Build an index while its table is written to: CREATE INDEX CONCURRENTLY `name` ON `on`.

    It waits for all older transactions and blocks nobody. It first drops what an interrupted attempt left. It runs
    outside the revision's transaction, so the revision must be repeatable.
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


def _create_schema(connection: Connection, schema: str) -> None:
    # Checked first: a role without the right to create schemas may still own this one.
    exists = connection.execute(
        text("SELECT to_regnamespace(:schema) IS NOT NULL"), {"schema": schema}
    ).scalar_one()
    if not exists:
        connection.execute(text(f'CREATE SCHEMA "{schema}"'))
    connection.commit()
