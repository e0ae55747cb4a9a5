# SPDX-License-Identifier: Apache-2.0
from collections.abc import AsyncIterator

import pytest

from tests.support.catalog import CatalogStub, Shop, running_catalog
from tests.support.postgres import Databases
from tests.support.shared_database import databases, shared_database

__all__ = ["databases", "shared_database"]


@pytest.fixture
async def catalog(databases: Databases) -> AsyncIterator[CatalogStub]:
    """A Catalog whose Ledger is away."""
    async with running_catalog(databases) as running:
        yield running.stub


@pytest.fixture
def shop(catalog: CatalogStub) -> Shop:
    return Shop(catalog)
