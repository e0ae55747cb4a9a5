# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: how services open it, with a bound on every wait, and how they migrate a schema."""

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy import Connection, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from meshkit.connections import Connections
from meshkit.faults import READ_ONLY
from meshkit.poolers import PoolerUnusable

STATEMENT_TIMEOUT_MS = 5_000
LOCK_TIMEOUT_MS = 3_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000
# As long as callers wait for a pooled connection: a database that answers nothing is found sooner by DatabaseWatch.
CONNECT_SECONDS_MAX = 5.0
POOL_WAIT_SECONDS_MAX = 5.0
POOL_SIZE = 8

# Called with each revision that was applied, and the seconds that it took.
RevisionReport = Callable[[str, float], None]

SESSION_SETTINGS = {
    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
    "timezone": "UTC",
}

# Without an address: Connections knows it.
_DIALECT = "postgresql+asyncpg://"

NEWEST = "head"
MIGRATION_LOCK_TIMEOUT_MS = 10_000
LOCK_POLL_SECONDS = 0.05


def open_engine(
    database: str | Connections, *, pool_size: int = POOL_SIZE, application_name: str
) -> AsyncEngine:
    """Return an engine that connects at first use.

    database: what opens its connections, or a URL, "postgresql://user:password@host:port/database". pool_size: the
    maximum number of connections. No statement runs longer than 5 s or waits for a lock longer than 3 s, and no
    transaction stays idle for 10 s. A connection that broke while idle is replaced before its next use; after one that
    is read-only (as before a failover), all are replaced. Raises DatabaseUrlUnusable.
    """
    connections = database if isinstance(database, Connections) else Connections(database)
    engine = create_async_engine(
        _DIALECT,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS_MAX,
        pool_pre_ping=True,
        connect_args=_connect_arguments(connections, application_name, SESSION_SETTINGS),
    )
    event.listen(engine.sync_engine, "handle_error", _replace_read_only_sessions)
    return engine


def _connect_arguments(
    connections: Connections, application_name: str, settings: Mapping[str, str]
) -> dict[str, object]:
    return {
        "timeout": CONNECT_SECONDS_MAX,
        "server_settings": {**settings, "application_name": application_name},
        "async_creator_fn": connections.connect,
    }


def _replace_read_only_sessions(context: ExceptionContext) -> None:
    """Replace all sessions when one is read-only: one whose default was set before a failover stays so for good."""
    cause = getattr(context.original_exception, "__cause__", None)
    if getattr(cause, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = True


async def migrate(
    database: str | Connections,
    *,
    service: str,
    runtime_role: str | None = None,
    to: str = NEWEST,
    report: RevisionReport | None = None,
) -> None:
    """Migrate the schema of a service to its newest revision, or to the revision `to`. Does nothing if it is there.

    database: with the role that owns the schema, and not through a pooler. runtime_role: the role that serves, which is
    granted what the service's privileges.py declares; None: the owner serves too.

    Runs services/<service>/migrations (their env.py calls meshkit.migrations.run_env). Replicas that start at the same
    time migrate one after another. report: told of each revision. Raises the error of the failing statement; earlier
    revisions remain applied.
    """
    await run_migrations(
        database,
        folder=_migrations_of(service),
        name=service,
        runtime_role=runtime_role,
        to=to,
        report=report,
    )


async def run_migrations(
    database: str | Connections,
    *,
    folder: Path,
    name: str,
    runtime_role: str | None = None,
    to: str = NEWEST,
    report: RevisionReport | None = None,
) -> None:
    """Run an Alembic folder (env.py, versions/); see migrate. name: the migrating service, for application_name."""
    # Imported here, not at the top: a service that only serves starts a quarter of a second faster.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    connections = database if isinstance(database, Connections) else Connections(database)
    engine = create_async_engine(
        _DIALECT,
        poolclass=NullPool,
        connect_args=_connect_arguments(connections, f"{name}-migrate", {"timezone": "UTC"}),
    )
    try:
        async with engine.connect() as connection:
            if connections.is_pooled:
                raise _cannot_migrate(name)
            await connection.run_sync(_wait_for_migration_lock, name)
            config.attributes["connection"] = connection.sync_connection
            config.attributes["report"] = report
            config.attributes["runtime_role"] = runtime_role or await connection.scalar(
                text("SELECT current_user")
            )
            await connection.commit()
            await connection.run_sync(lambda _: command.upgrade(config, to))
    except PoolerUnusable:
        raise _cannot_migrate(name) from None
    finally:
        await engine.dispose()


def _cannot_migrate(name: str) -> PoolerUnusable:
    """A migration holds an advisory lock, and settings, of its session from its start to its end."""
    return PoolerUnusable(
        f"{name} cannot be migrated through a pooler",
        f"connect to PostgreSQL itself in PURSER_{name.upper()}_MIGRATION_DATABASE_URL",
    )


def _wait_for_migration_lock(connection: Connection, name: str) -> None:
    # A convenience, not needed for correctness: without it the second replica would fail on the first one's tables and
    # restart. It polls, because a statement that waits for the lock holds a snapshot, and the migrating replica's
    # CREATE INDEX CONCURRENTLY would wait for that snapshot.
    try_lock = text("SELECT pg_try_advisory_lock(hashtext(:name))")
    while not connection.execute(try_lock, {"name": f"migrate {name}"}).scalar_one():
        connection.execute(text(f"SELECT pg_sleep({LOCK_POLL_SECONDS})"))
        connection.commit()
    connection.execute(text(f"SET lock_timeout = {MIGRATION_LOCK_TIMEOUT_MS}"))
    connection.commit()


def _migrations_of(service: str) -> Path:
    package = importlib.util.find_spec(f"services.{service}")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError(f"no package services.{service}")
    return Path(next(iter(package.submodule_search_locations))) / "migrations"
