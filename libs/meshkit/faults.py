# SPDX-License-Identifier: Apache-2.0
"""Translates database errors to faults: unavailable, too busy, or a lost race. Anything else is our bug."""

import asyncpg
from sqlalchemy import exc

from meshkit.errors import Aborted, MeshError, ResourceExhausted, Unavailable

# https://www.postgresql.org/docs/current/errcodes-appendix.html
# connection exception; invalid authorization, as while a password is rotated; insufficient resources
_UNAVAILABLE_CLASSES = ("08", "28", "53")
READ_ONLY = "25006"  # read_only_sql_transaction: a standby, in the middle of a failover
_UNAVAILABLE = {
    READ_ONLY,
    "3D000",  # invalid_catalog_name: while the database is restored
    "25P03",  # idle_in_transaction_session_timeout
    "57014",  # query_canceled: statement_timeout
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown
    "57P03",  # cannot_connect_now
    "57P05",  # idle_session_timeout
}
_RACES = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "55P03",  # lock_not_available: lock_timeout
}


class DatabaseUnavailable(Unavailable):
    """The database is unavailable or too slow. Whether the lost statement took effect is unknown until a retry."""

    reason = "DATABASE_UNAVAILABLE"

    def __init__(self, *, sqlstate: str = "") -> None:
        super().__init__(
            "the database is unavailable; safe to retry with the same request_id", sqlstate=sqlstate
        )


class DatabaseBusy(ResourceExhausted):
    """All database connections of this replica stayed in use; nothing was done."""

    reason = "DATABASE_BUSY"

    def __init__(self) -> None:
        super().__init__("all database connections are in use; wait a moment and retry")


class TransactionConflict(Aborted):
    """The transaction lost a race and was rolled back; it can be retried."""

    reason = "TRANSACTION_CONFLICT"

    def __init__(self, *, sqlstate: str = "") -> None:
        super().__init__("the transaction lost a race and was rolled back; retry", sqlstate=sqlstate)


def database_text(error: BaseException) -> str | None:
    """Return what the database said: its SQLSTATE and the first line of its message. None for another error.

    It is for logs and for the command line: it may name tables, users and hosts.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, asyncpg.PostgresError):
            return f"{seen.sqlstate}: {_first_line(seen)}"
        if isinstance(seen, OSError) and not isinstance(seen, exc.SQLAlchemyError):
            return f"{type(seen).__name__}: {_first_line(seen)}"
        seen = seen.__cause__ or (seen.orig if isinstance(seen, exc.DBAPIError) else None)
    return None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]


def fault_of(error: BaseException) -> MeshError | None:
    """Return the fault for a SQLAlchemy, asyncpg or socket error; None for our own bugs."""
    match error:
        case exc.TimeoutError():
            return DatabaseBusy()
        case exc.DBAPIError(orig=orig, connection_invalidated=is_lost):
            cause = fault_of(orig.__cause__) if orig is not None and orig.__cause__ is not None else None
            return DatabaseUnavailable() if cause is None and is_lost else cause
        case asyncpg.InvalidCachedStatementError():
            return TransactionConflict(sqlstate=error.sqlstate)  # the schema changed under a cached plan
        case asyncpg.PostgresError():
            return _of_sqlstate(error.sqlstate or "")
        case asyncpg.InterfaceError() if isinstance(
            error, (ValueError, asyncpg.UnsupportedClientFeatureError)
        ):
            return None  # concerns our arguments or settings, not the connection
        case asyncpg.InterfaceError() | asyncpg.InternalClientError() | OSError():
            return DatabaseUnavailable()
        case _:
            return None


def _of_sqlstate(sqlstate: str) -> MeshError | None:
    if sqlstate in _RACES:
        return TransactionConflict(sqlstate=sqlstate)
    if sqlstate in _UNAVAILABLE or sqlstate.startswith(_UNAVAILABLE_CLASSES):
        return DatabaseUnavailable(sqlstate=sqlstate)
    return None
