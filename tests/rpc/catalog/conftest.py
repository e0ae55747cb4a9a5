# SPDX-License-Identifier: Apache-2.0
from collections.abc import AsyncIterator

import pytest

from tests.support.catalog import CatalogStub, RunningCatalog, Shop, running_catalog
from tests.support.postgres import Databases
from tests.support.shared_database import databases, shared_database

__all__ = ["databases", "shared_database"]


@pytest.fixture
async def running(databases: Databases) -> AsyncIterator[RunningCatalog]:
    """A Catalog whose Ledger is away."""
    async with running_catalog(databases) as catalog:
        yield catalog


@pytest.fixture
def catalog(running: RunningCatalog) -> CatalogStub:
    return running.stub


@pytest.fixture
def shop(catalog: CatalogStub) -> Shop:
    return Shop(catalog)
