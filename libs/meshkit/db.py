# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: how services open it, with a bound on every wait, and how they migrate a schema."""

import importlib.util
from pathlib import Path

from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from meshkit.connections import Connections
from meshkit.errors import Invalid
from meshkit.faults import READ_ONLY

STATEMENT_TIMEOUT_MS = 5_000
LOCK_TIMEOUT_MS = 3_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000
# As long as callers wait for a pooled connection: a database that answers nothing is found sooner by DatabaseWatch.
CONNECT_SECONDS_MAX = 5.0
POOL_WAIT_SECONDS_MAX = 5.0
POOL_SIZE = 8

SESSION_SETTINGS = {
    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
    "timezone": "UTC",
}

NEWEST = "head"
MIGRATION_LOCK_TIMEOUT_MS = 10_000
LOCK_POLL_SECONDS = 0.05


class DatabaseUrlUnusable(Invalid):
    """The configured database URL is not a PostgreSQL URL."""

    reason = "DATABASE_URL_UNUSABLE"

    def __init__(self) -> None:
        super().__init__(
            "the database URL is not a PostgreSQL URL; write it like"
            " postgresql://user:password@host:port/database"
        )


def open_engine(
    url: str, *, pool_size: int = POOL_SIZE, application_name: str, connections: Connections | None = None
) -> AsyncEngine:
    """Return an engine for "postgresql://user:password@host:port/database". It connects at first use.

    pool_size: the maximum number of connections. No statement runs longer than 5 s or waits for a lock longer than
    3 s, and no transaction stays idle for 10 s. A connection that broke while idle is replaced before its next use;
    after one that is read-only (as before a failover), all are replaced. connections: opens them.
    Raises DatabaseUrlUnusable.
    """
    engine = create_async_engine(
        _asyncpg_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS_MAX,
        pool_pre_ping=True,
        connect_args={
            "timeout": CONNECT_SECONDS_MAX,
            "server_settings": {**SESSION_SETTINGS, "application_name": application_name},
            "async_creator_fn": (connections or Connections()).connect,
        },
    )
    event.listen(engine.sync_engine, "handle_error", _replace_read_only_sessions)
    return engine


def plain_url(url: str) -> str:
    """Return the URL as asyncpg takes it. Raises DatabaseUrlUnusable."""
    return _asyncpg_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def role_of(url: str) -> str | None:
    """Return the role that a URL logs in with; None if it names none. Raises DatabaseUrlUnusable."""
    return _asyncpg_url(url).username


def _replace_read_only_sessions(context: ExceptionContext) -> None:
    """Replace all sessions when one is read-only: one whose default was set before a failover stays so for good."""
    cause = getattr(context.original_exception, "__cause__", None)
    if getattr(cause, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = True


async def migrate(url: str, *, service: str, runtime_role: str | None = None, to: str = NEWEST) -> None:
    """Migrate the schema of a service to its newest revision, or to the revision `to`. Does nothing if it is there.

    url: of the role that owns the schema. runtime_role: the role that serves, which is granted what the service's
    privileges.py declares; None: the owner serves too.

    Runs services/<service>/migrations (their env.py calls meshkit.migrations.run_env). Replicas that start at the same
    time migrate one after another. Raises the error of the failing statement; earlier revisions remain applied.
    """
    await run_migrations(url, folder=_migrations_of(service), name=service, runtime_role=runtime_role, to=to)


async def run_migrations(
    url: str, *, folder: Path, name: str, runtime_role: str | None = None, to: str = NEWEST
) -> None:
    """Run an Alembic folder (env.py, versions/); see migrate. name: the migrating service, for application_name."""
    # Imported here, not at the top: a service that only serves starts a quarter of a second faster.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    engine = create_async_engine(
        _asyncpg_url(url),
        poolclass=NullPool,
        connect_args={
            "timeout": CONNECT_SECONDS_MAX,
            "server_settings": {"timezone": "UTC", "application_name": f"{name}-migrate"},
        },
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_wait_for_migration_lock, name)
            config.attributes["connection"] = connection.sync_connection
            config.attributes["runtime_role"] = runtime_role or await connection.scalar(
                text("SELECT current_user")
            )
            await connection.commit()
            await connection.run_sync(lambda _: command.upgrade(config, to))
    finally:
        await engine.dispose()


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


def _asyncpg_url(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseUrlUnusable from None  # the cause's text contains the password
    if address.get_backend_name() not in ("postgresql", "postgres"):
        raise DatabaseUrlUnusable
    return address.set(drivername="postgresql+asyncpg")
