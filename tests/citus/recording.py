# SPDX-License-Identifier: Apache-2.0
"""Records the SQL that the stores of a run's Ledgers send, and what Citus refused of it."""

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
import pytest

from services.ledger.store.citus import LedgerConnection

# A folder; each process of the run writes a file into it.
STATEMENTS: Final = "PURSER_CITUS_STATEMENTS"


class Recorded(NamedTuple):
    """Statements that a database has run, and those it does not support, with its message."""

    ran: set[str]
    refused: dict[str, str]


_here: Final = Recorded(set(), {})


class RecordingConnection(LedgerConnection):
    """A connection of the Ledger's store that records each statement by its outcome. Other errors are not recorded."""

    __slots__ = ()

    async def fetch(self, query: str, *arguments: Any, **options: Any) -> Any:
        return await _recorded(query, super().fetch(query, *arguments, **options))

    async def fetchrow(self, query: str, *arguments: Any, **options: Any) -> Any:
        return await _recorded(query, super().fetchrow(query, *arguments, **options))

    async def fetchval(self, query: str, *arguments: Any, **options: Any) -> Any:
        return await _recorded(query, super().fetchval(query, *arguments, **options))

    async def execute(self, query: str, *arguments: Any, **options: Any) -> Any:
        return await _recorded(query, super().execute(query, *arguments, **options))

    async def executemany(self, command: str, *arguments: Any, **options: Any) -> Any:
        return await _recorded(command, super().executemany(command, *arguments, **options))

    def cursor(self, query: str, *arguments: Any, **options: Any) -> Any:
        _here.ran.add(query)  # if it is refused, the call that has asked for it fails
        return super().cursor(query, *arguments, **options)


class Recorder:
    """A pytest plugin that makes each pool of the Ledger's store record, and writes a file when the session ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pytest_sessionstart(self) -> None:
        asyncpg.connect = _recording(asyncpg.connect)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if _here.ran:
            self._folder.mkdir(parents=True, exist_ok=True)
            found = {"ran": sorted(_here.ran), "refused": _here.refused}
            (self._folder / f"{os.getpid()}.json").write_text(json.dumps(found), encoding="utf-8")


def read(folder: Path) -> Recorded:
    """Return what all processes of a run have recorded."""
    parts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return Recorded(
        {text for part in parts for text in part["ran"]},
        {text: message for part in parts for text, message in part["refused"].items()},
    )


def _recording(connect: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def recording(*arguments: Any, **options: Any) -> Any:
        if options.get("connection_class") is LedgerConnection:
            options["connection_class"] = RecordingConnection
        return await connect(*arguments, **options)

    return recording


async def _recorded(statement: str, running: Awaitable[Any]) -> Any:
    try:
        found = await running
    except asyncpg.FeatureNotSupportedError as error:
        _here.refused[statement] = str(error)
        raise
    _here.ran.add(statement)
    return found
