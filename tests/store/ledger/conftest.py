# SPDX-License-Identifier: Apache-2.0
from collections.abc import AsyncIterator

import pytest

from tests.support.ledger_sql import Sql
from tests.support.ledger_store import Books, open_books
from tests.support.postgres import Databases
from tests.support.shared_database import databases, shared_database

__all__ = ["databases", "shared_database"]


@pytest.fixture
async def books(databases: Databases) -> AsyncIterator[Books]:
    """Acme's books on 1 June: 4 seats have brought 400 credits."""
    async with open_books(databases) as opened:
        await opened.sign()
        yield opened


@pytest.fixture
async def sql(databases: Databases) -> AsyncIterator[Sql]:
    async with Sql.connected(databases.admin_url) as connection:
        yield connection
