# SPDX-License-Identifier: Apache-2.0
"""The duration of statements as their sender sees it, without EXPLAIN."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class Stopwatch:
    """The durations of the statements that passed through since the last reset."""

    def __init__(self) -> None:
        self._took: list[tuple[str, float]] = []

    def reset(self) -> None:
        self._took.clear()

    def add(self, statement: str, seconds: float) -> None:
        self._took.append((statement, seconds))

    def seconds(self, about: str = "") -> float:
        """Return the sum for all statements whose text contains `about`."""
        return sum(seconds for statement, seconds in self._took if about in statement)

    def by_statement(self) -> dict[str, float]:
        """Return each statement's milliseconds, by the beginning of its text."""
        return {" ".join(text.split())[:80]: round(seconds * 1_000, 3) for text, seconds in self._took}


class TimedConnection:
    """A connection that times its queries and nothing else."""

    def __init__(self, connection: Any, stopwatch: Stopwatch) -> None:
        self._connection = connection
        self._stopwatch = stopwatch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def fetch(self, statement: str, *arguments: object) -> Any:
        return await self._timed(self._connection.fetch, statement, *arguments)

    async def fetchrow(self, statement: str, *arguments: object) -> Any:
        return await self._timed(self._connection.fetchrow, statement, *arguments)

    async def fetchval(self, statement: str, *arguments: object) -> Any:
        return await self._timed(self._connection.fetchval, statement, *arguments)

    async def execute(self, statement: str, *arguments: object) -> Any:
        return await self._timed(self._connection.execute, statement, *arguments)

    async def _timed(self, ask: Any, statement: str, *arguments: object) -> Any:
        began = time.perf_counter()
        try:
            return await ask(statement, *arguments)
        finally:
            self._stopwatch.add(statement, time.perf_counter() - began)


class TimedPool:
    """A pool of such connections."""

    def __init__(self, pool: Any, stopwatch: Stopwatch) -> None:
        self._pool = pool
        self._stopwatch = stopwatch

    def get_max_size(self) -> int:
        size: int = self._pool.get_max_size()
        return size

    @asynccontextmanager
    async def acquire(self, **how: Any) -> AsyncIterator[TimedConnection]:
        async with self._pool.acquire(**how) as connection:
            yield TimedConnection(connection, self._stopwatch)
