# SPDX-License-Identifier: Apache-2.0
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.clock import ManualClock
from meshkit.db import open_engine
from meshkit.ids import Ids
from services.alert.store import PostgresStore
from tests.support.alert import JUNE, a_keyring
from tests.support.postgres import Databases
from tests.support.shared_database import databases, shared_database

__all__ = ["databases", "shared_database"]


@pytest.fixture
async def engine(databases: Databases) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(databases.url("alert"), application_name="alert-store-test")
    yield engine
    await engine.dispose()


@pytest.fixture
def wall() -> ManualClock:
    return ManualClock(JUNE)


@pytest.fixture
def store(engine: AsyncEngine, wall: ManualClock) -> PostgresStore:
    return PostgresStore(engine, wall=wall, ids=Ids(wall), keyring=a_keyring())
