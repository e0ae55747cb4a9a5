# SPDX-License-Identifier: Apache-2.0
"""Records each distinct statement that the Ledger's store runs in a run of tests, with the first arguments it had.

A pytest plugin: `pytest -p tests.support.statements --statements FILE tests/store/ledger`. Every worker of a run appends
to the file; `read` returns each statement once.
"""

import pickle
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.ledger.store.citus import LedgerConnection


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--statements", type=Path, required=True, help="the file that statements are appended to")


def pytest_configure(config: pytest.Config) -> None:
    record = _Recorder(config.getoption("statements").absolute())
    connect = asyncpg.connect

    async def connect_and_record(*arguments: Any, **options: Any) -> Any:
        connection = await connect(*arguments, **options)
        if isinstance(connection, LedgerConnection):
            connection.add_query_logger(record)
        return connection

    asyncpg.connect = connect_and_record


class _Recorder:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: set[str] = set()

    def __call__(self, ran: Any) -> None:
        if ran.query not in self._seen:
            self._seen.add(ran.query)
            with self._file.open("ab") as file:
                pickle.dump((ran.query, ran.args), file)


def read(file: Path) -> dict[str, Any]:
    """Return the arguments of each statement: a tuple, or a list of them for one that ran for many."""
    found: dict[str, Any] = {}
    with file.open("rb") as recorded:
        while recorded.peek(1):
            statement, arguments = pickle.load(recorded)
            found.setdefault(statement, arguments)
    return found
