# SPDX-License-Identifier: Apache-2.0
"""One mesh with a portal for all tests of a module, whose tests are marked `asyncio(loop_scope="module")`."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.portal import Browser, PortalMesh, open_portal_mesh
from tests.support.postgres import PostgresServer, own_database


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def portal(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PortalMesh]:
    async with own_database(postgres_server) as databases:
        async with open_portal_mesh(databases, tmp_path_factory.mktemp("access")) as opened:
            yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def browser(portal: PortalMesh) -> AsyncIterator[Browser]:
    """Signed in as Acme's administrator."""
    async with portal.browser() as signed_in:
        yield signed_in
