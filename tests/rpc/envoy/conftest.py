# SPDX-License-Identifier: Apache-2.0
"""One mesh with two Ledgers behind a real Envoy, for the tests of a module; Acme is its customer."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.envoy import Front, running_front
from tests.support.postgres import PostgresServer, own_database


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def front(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Front]:
    async with (
        own_database(postgres_server) as databases,
        running_front(databases, tmp_path_factory.mktemp("envoy")) as running,
    ):
        yield running
