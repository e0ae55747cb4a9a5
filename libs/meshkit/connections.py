# SPDX-License-Identifier: Apache-2.0
"""The database connections of a process: to the host that takes writes, and none while the database is silent."""

import asyncio
import weakref
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import structlog

from meshkit.database_url import DatabaseUrl, Host
from meshkit.poolers import is_setting_refused, is_through_pooler, without_session_settings

# Of several hosts: the next one is tried after this time, also if the first has lost power and refuses nothing.
HOST_SECONDS_MAX: Final = 1.5

log = structlog.get_logger(__name__)


class DatabaseSilent(ConnectionError):
    """The database accepts no connection and answers nothing, as after a power failure of its host."""


class NoHostUsable(ConnectionError):
    """None of several hosts can be used; the message says why, host by host."""


class Connections:
    """Opens connections to one database, and drops them all at once.

    url: names one host or several; of several, the one that takes writes is used, so a promoted standby is found.
    password_file: see DatabaseUrl. is_silent: whether the database is silent, as DatabaseWatch has found; then no
    connection is opened. is_pooled: whether they go through a pooler that gives each transaction another session; known
    once one has been opened. Raises DatabaseUrlUnusable.
    """

    def __init__(self, url: str, *, password_file: str = "") -> None:
        self.is_silent = False
        self.is_pooled = False
        self._url = DatabaseUrl.parse(url, password_file=password_file)
        self._used_last = self._url.hosts[0]
        # Hosts whose kind is known: whether a pooler answers there.
        self._pooled: dict[Host, bool] = {}
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()

    @property
    def user(self) -> str | None:
        """The role that the URL names."""
        return self._url.user

    async def connect(self, *_: Any, **options: Any) -> Any:
        """Return a new connection, which drop_all drops. options: as of asyncpg.connect, with `timeout`.

        Positional arguments are ignored: a pool passes the URL that it was opened with. Raises DatabaseSilent,
        NoHostUsable, PoolerUnusable, or what asyncpg.connect raises.
        """
        if self.is_silent:
            raise DatabaseSilent("the database does not answer")
        connection = await self.probe(**options)
        self._open.add(connection)
        return connection

    async def probe(self, **options: Any) -> Any:
        """Return a new connection even if the database counts as silent; drop_all does not drop it."""
        if len(self._url.hosts) == 1:
            return await self._connect_to(self._used_last, options)
        options["timeout"] = min(options["timeout"], HOST_SECONDS_MAX)
        failures: list[tuple[Host, Exception]] = []
        for host in sorted(self._url.hosts, key=lambda one: one != self._used_last):
            try:
                connection = await self._connect_to(host, options)
            except (OSError, asyncpg.PostgresError, asyncpg.InternalClientError) as error:
                failures.append((host, error))
            else:
                if host != self._used_last:
                    log.info("database_host_changed", host=str(host), earlier=str(self._used_last))
                    self._used_last = host
                return connection
        if all(isinstance(error, TimeoutError) for _, error in failures):
            raise TimeoutError
        raise NoHostUsable("; ".join(f"{host}: {_reason(error)}" for host, error in failures))

    def drop_all(self) -> int:
        """Drop every connection without a word to the server; statements under way fail. Returns how many it were."""
        dropped = [connection for connection in self._open if not connection.is_closed()]
        for connection in dropped:
            connection.terminate()
        self._open.clear()
        return len(dropped)

    async def _connect_to(self, host: Host, options: Mapping[str, Any]) -> Any:
        arguments = {**self._url.arguments(host), **options}
        settings = dict(arguments.pop("server_settings", {}))
        if self._pooled.get(host):
            settings = without_session_settings(settings)
        try:
            connection = await asyncpg.connect(**arguments, server_settings=settings)
        except asyncpg.ProtocolViolationError as error:
            if not is_setting_refused(error):
                raise
            self._pooled.pop(host, None)
            settings = without_session_settings(settings)
            connection = await asyncpg.connect(**arguments, server_settings=settings)
        if host not in self._pooled:
            try:
                async with asyncio.timeout(options["timeout"]):
                    self._pooled[host] = await is_through_pooler(connection, str(host))
            except BaseException:
                connection.terminate()
                raise
        self.is_pooled = self._pooled[host]
        return connection


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return "a standby, or read-only"
    return (str(error).splitlines() or [type(error).__name__])[0]
