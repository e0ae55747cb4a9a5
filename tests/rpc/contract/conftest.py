# SPDX-License-Identifier: Apache-2.0
from collections.abc import AsyncIterator

import pytest

from tests.support.catalog import CatalogStub, RunningCatalog, Shop, running_catalog
from tests.support.contract import ContractStub, Desk, RunningContract, assorted, running_contract
from tests.support.ledger_peer import RecordingLedger, recording_ledger
from tests.support.postgres import Databases
from tests.support.shared_database import databases, shared_database

__all__ = ["databases", "shared_database"]


@pytest.fixture
async def ledger() -> AsyncIterator[RecordingLedger]:
    async with recording_ledger() as recording:
        yield recording


@pytest.fixture
async def running_catalog_service(databases: Databases) -> AsyncIterator[RunningCatalog]:
    async with running_catalog(databases) as running:
        yield running


@pytest.fixture
def catalog(running_catalog_service: RunningCatalog) -> CatalogStub:
    return running_catalog_service.stub


@pytest.fixture
async def running(
    databases: Databases, running_catalog_service: RunningCatalog, ledger: RecordingLedger
) -> AsyncIterator[RunningContract]:
    async with running_contract(
        databases, catalog_address=running_catalog_service.address, ledger_address=ledger.address
    ) as service:
        yield service


@pytest.fixture
def contract(running: RunningContract) -> ContractStub:
    return running.stub


@pytest.fixture
def shop(catalog: CatalogStub) -> Shop:
    return Shop(catalog)


@pytest.fixture
async def desk(contract: ContractStub, catalog: CatalogStub, shop: Shop) -> Desk:
    return Desk(contract, await assorted(catalog, shop))
