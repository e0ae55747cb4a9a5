# SPDX-License-Identifier: Apache-2.0
from collections.abc import AsyncIterator

import pytest

from tests.support.cutting_proxy import CuttingProxy
from tests.support.failing_front import FailingFront, failing_front
from tests.support.ledger import RunningLedger, running_ledger
from tests.support.postgres import Databases
from tests.support.shared_database import databases, shared_database

__all__ = ["databases", "shared_database"]


@pytest.fixture
async def ledger(databases: Databases) -> AsyncIterator[RunningLedger]:
    """On 1 June: acme's 4 seats bring 400 credits a month, an assistant unit costs 12. At the end it must add up."""
    async with running_ledger(databases) as running:
        await running.sell_assistant()
        await running.sign_acme()
        yield running
        await running.assert_adds_up()


@pytest.fixture
async def front(ledger: RunningLedger) -> AsyncIterator[FailingFront]:
    """A server in front of the Ledger that fails on demand."""
    async with failing_front(ledger.gate) as running:
        yield running


@pytest.fixture
async def proxy(ledger: RunningLedger) -> AsyncIterator[CuttingProxy]:
    """A proxy in front of the Ledger that cuts connections on demand."""
    async with CuttingProxy.before(ledger.address) as running:
        yield running
