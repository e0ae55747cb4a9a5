# SPDX-License-Identifier: Apache-2.0
"""How the worker processes of `make test` share one PostgreSQL server."""

from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.postgres import PostgresServer, open_server


class Controller:
    """A pytest plugin of the process that starts the workers: opens the server before the first, closes it at the end.

    A worker that crashes takes nothing with it; the worker that replaces it gets the same server.
    """

    def __init__(self) -> None:
        self._open = ExitStack()
        self._server: PostgresServer | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        if self._server is None:
            self._server = self._open.enter_context(open_server())
        node.workerinput["postgres_server"] = self._server.for_worker(node.gateway.id)

    def pytest_unconfigure(self) -> None:
        self._open.close()
