# SPDX-License-Identifier: Apache-2.0
"""One mesh with an edge for the tests of a module; SeatsCo's catalog, and Acme with four seats."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.edge import RunningEdge, Sdk, running_edge
from tests.support.mesh import Acme, acme_of
from tests.support.postgres import PostgresServer, own_database


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningEdge]:
    async with (
        own_database(postgres_server) as databases,
        running_edge(databases, tmp_path_factory.mktemp("edge")) as running,
    ):
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def acme(edge: RunningEdge) -> Acme:
    return await acme_of(edge.stubs)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sdk(edge: RunningEdge) -> AsyncIterator[Sdk]:
    made = edge.sdk()
    yield made
    await made.close()
