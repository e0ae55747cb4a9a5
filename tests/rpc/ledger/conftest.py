# SPDX-License-Identifier: Apache-2.0
from collections.abc import AsyncIterator

import pytest

from tests.support.ledger import RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.shared_database import databases, shared_database

__all__ = ["databases", "shared_database"]


@pytest.fixture
async def ledger(databases: Databases) -> AsyncIterator[RunningLedger]:
    """On 1 June: acme's 4 seats bring 400 credits a month, an assistant unit costs 12. All peers are away."""
    async with running_ledger(databases) as running:
        await running.sell_assistant()
        await running.sign_acme()
        yield running


@pytest.fixture
async def sql(databases: Databases) -> AsyncIterator[Sql]:
    async with Sql.connected(databases.admin_url) as connection:
        yield connection
