# SPDX-License-Identifier: Apache-2.0
import asyncpg
import pytest
from sqlalchemy import exc

from meshkit.errors import Kind
from meshkit.faults import fault_of


def wrapped(cause: Exception, *, gone: bool = False) -> exc.DBAPIError:
    """Return the error as SQLAlchemy raises it: asyncpg's error in the adapter's error in its own."""
    adapted = Exception("adapted")
    adapted.__cause__ = cause
    return exc.DBAPIError("SELECT 1", None, adapted, connection_invalidated=gone)


AWAY = [
    asyncpg.PostgresConnectionError("gone"),
    asyncpg.ConnectionDoesNotExistError("gone"),
    asyncpg.TooManyConnectionsError("full"),
    asyncpg.CannotConnectNowError("starting up"),
    asyncpg.AdminShutdownError("stopping"),
    asyncpg.CrashShutdownError("crashed"),
    asyncpg.IdleInTransactionSessionTimeoutError("idle"),
    asyncpg.QueryCanceledError("statement timeout"),
    asyncpg.ReadOnlySQLTransactionError("standby"),
    asyncpg.DiskFullError("full"),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.InternalClientError("got result for unknown protocol state"),
    ConnectionRefusedError("refused"),
    ConnectionResetError("reset"),
    TimeoutError("connecting"),
]
RACES = [
    asyncpg.SerializationError("race"),
    asyncpg.DeadlockDetectedError("deadlock"),
    asyncpg.LockNotAvailableError("lock timeout"),
    asyncpg.InvalidCachedStatementError("the schema changed"),
]
BUGS = [
    asyncpg.UniqueViolationError("twice"),
    asyncpg.CheckViolationError("negative"),
    asyncpg.UndefinedTableError("no such table"),
    asyncpg.InsufficientPrivilegeError("not yours"),
    asyncpg.DataError("value out of int64 range"),
    asyncpg.UnsupportedClientFeatureError("no"),
    ValueError("bad amount"),
    KeyError("x"),
]


@pytest.mark.parametrize("error", AWAY, ids=repr)
def test_a_lost_or_overloaded_database_is_unavailable(error: Exception) -> None:
    fault = fault_of(error)

    assert fault is not None
    assert (fault.kind, fault.reason) == (Kind.UNAVAILABLE, "DATABASE_UNAVAILABLE")
    assert str(error) not in fault.message


@pytest.mark.parametrize("error", RACES, ids=repr)
def test_a_lost_race_is_aborted(error: Exception) -> None:
    fault = fault_of(error)

    assert fault is not None
    assert (fault.kind, fault.reason) == (Kind.ABORTED, "TRANSACTION_CONFLICT")


@pytest.mark.parametrize("error", BUGS, ids=repr)
def test_any_other_error_is_a_bug(error: Exception) -> None:
    assert fault_of(error) is None
    assert fault_of(wrapped(error)) is None


@pytest.mark.parametrize("error", [*AWAY, *RACES], ids=repr)
def test_sqlalchemys_wrapping_changes_nothing(error: Exception) -> None:
    bare, inside = fault_of(error), fault_of(wrapped(error))

    assert bare is not None
    assert inside is not None
    assert (inside.kind, inside.reason) == (bare.kind, bare.reason)


def test_a_connection_that_sqlalchemy_invalidated_is_unavailable_whatever_the_error() -> None:
    fault = fault_of(wrapped(RuntimeError("closed in mid-flight"), gone=True))

    assert fault is not None
    assert fault.reason == "DATABASE_UNAVAILABLE"


def test_a_pool_without_a_free_connection_is_overload() -> None:
    fault = fault_of(exc.TimeoutError("QueuePool limit of size 8 overflow 0 reached"))

    assert fault is not None
    assert (fault.kind, fault.reason) == (Kind.RESOURCE_EXHAUSTED, "DATABASE_BUSY")
