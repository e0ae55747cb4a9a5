# SPDX-License-Identifier: Apache-2.0
"""Connection poolers, such as PgBouncer in transaction mode: which of them services can use, and what then differs.

Each transaction may run in another session of the database. Prepared statements therefore work only if the pooler
tracks them, and settings only if the role has them: sessions start with those of their role.
"""

from collections.abc import Mapping
from typing import Any, Final

import asyncpg

from meshkit.errors import Unavailable

# A pooler passes these on to whichever session it uses, as PgBouncer does; it refuses or ignores the others.
_PASSED_ON: Final = frozenset({"application_name", "timezone"})
TIMEOUTS: Final = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
_PROBE: Final = "purser_probe"
_NAME_KEPT: Final = "SELECT EXISTS (SELECT FROM pg_prepared_statements WHERE name = $1)"
_UNBOUNDED: Final = "SELECT name FROM pg_settings WHERE name = ANY($1) AND setting = '0' ORDER BY name"


class PoolerUnusable(Unavailable):
    """The services cannot work through this pooler; the message says what to change."""

    reason = "DATABASE_POOLER_UNUSABLE"

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")


def without_session_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that a pooler passes on to the database."""
    return {name: value for name, value in settings.items() if name in _PASSED_ON}


def is_setting_refused(error: asyncpg.ProtocolViolationError) -> bool:
    """Return whether a pooler refused a connection because of the settings that were sent with it."""
    return "startup parameter" in str(error)


async def is_through_pooler(connection: Any, host: str) -> bool:
    """Return whether a pooler stands between this new connection and the database.

    host: names it in messages. Raises PoolerUnusable if it does not track prepared statements, or if the role has no
    limits of waits.
    """
    try:
        # A pooler invents the process id that it tells its clients.
        if await connection.fetchval("SELECT pg_backend_pid()") == connection.get_server_pid():
            return False
        async with connection.transaction(readonly=True):
            probe = await connection.prepare(_NAME_KEPT, name=_PROBE)
            is_tracked = not await probe.fetchval(_PROBE)
            unbounded = await connection.fetchval(_UNBOUNDED, TIMEOUTS) if is_tracked else None
    except (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError):
        is_tracked, unbounded = False, None
    if not is_tracked:
        raise PoolerUnusable(
            f"the pooler at {host} does not track prepared statements",
            "use PgBouncer 1.21 or newer with pool_mode = transaction and max_prepared_statements above 0,"
            " or connect to PostgreSQL itself",
        )
    if unbounded is not None:
        raise PoolerUnusable(
            f"{unbounded} is 0 behind the pooler at {host}, which passes no settings on",
            "set the role's limits by ALTER ROLE as deploy/README.md shows, then RECONNECT the pooler",
        )
    return True
