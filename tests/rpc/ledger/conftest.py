# SPDX-License-Identifier: Apache-2.0
from collections.abc import AsyncIterator

import pytest

from tests.support.ledger import RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.recording_alert import RecordingAlert
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


@pytest.fixture
async def alert() -> AsyncIterator[RecordingAlert]:
    async with RecordingAlert() as listening:
        yield listening


@pytest.fixture
async def watched(databases: Databases, alert: RecordingAlert) -> AsyncIterator[RunningLedger]:
    """Acme's Ledger, which tells its crossings to `alert`."""
    async with running_ledger(databases, alert_address=alert.address) as running:
        await running.sell_assistant()
        await running.sign_acme()
        yield running
