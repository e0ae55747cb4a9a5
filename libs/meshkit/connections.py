# SPDX-License-Identifier: Apache-2.0
"""The database connections of a process: while the database is silent there are none, and calls fail at once."""

import weakref
from typing import Any

import asyncpg


class DatabaseSilent(ConnectionError):
    """The database accepts no connection and answers nothing, as after a power failure of its host."""


class Connections:
    """Opens connections to one database, and drops them all at once.

    is_silent: whether the database is silent, as DatabaseWatch has found; then no connection is opened.
    """

    def __init__(self) -> None:
        self.is_silent = False
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()

    async def connect(self, *arguments: Any, **options: Any) -> Any:
        """Do what asyncpg.connect does. Raises DatabaseSilent."""
        if self.is_silent:
            raise DatabaseSilent("the database does not answer")
        connection = await asyncpg.connect(*arguments, **options)
        self._open.add(connection)
        return connection

    def drop_all(self) -> int:
        """Drop every connection without a word to the server; statements under way fail. Returns how many it were."""
        dropped = [connection for connection in self._open if not connection.is_closed()]
        for connection in dropped:
            connection.terminate()
        self._open.clear()
        return len(dropped)
