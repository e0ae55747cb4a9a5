# SPDX-License-Identifier: Apache-2.0
"""One mesh whose vendor takes cards, with a portal, for all tests of this folder; each test has its own customer."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.buyer import Buyer, Counter, open_counter
from tests.support.postgres import PostgresServer, own_database


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def counter(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Counter]:
    async with own_database(postgres_server) as databases:
        async with open_counter(databases, tmp_path_factory.mktemp("access")) as opened:
            yield opened


@pytest_asyncio.fixture(loop_scope="package")
async def buyer(counter: Counter) -> AsyncIterator[Buyer]:
    """The administrator of a customer that only this test has."""
    async with counter.buyer() as one:
        yield one
