# SPDX-License-Identifier: Apache-2.0
"""A schema "probe" with one table of each kind that meshkit defines."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Column, MetaData, Table, Text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.schema import CreateSchema

from audit import AuditRecorder, audit_events_table
from meshkit.clock import ManualClock
from meshkit.db import open_engine
from meshkit.ids import Ids
from meshkit.outbox import dead_letters_table, outbox_table
from meshkit.requests import requests_table
from sandbox import sandbox_clock_table
from tests.support.postgres import Databases

METADATA = MetaData()
REQUESTS = requests_table(METADATA, "probe")
OUTBOX = outbox_table(METADATA, "probe", key="owner_id")
DEAD_LETTERS = dead_letters_table(METADATA, "probe", key="owner_id")
AUDIT_EVENTS = audit_events_table(METADATA, "probe")
SANDBOX_CLOCK = sandbox_clock_table(METADATA, "probe")
EFFECTS = Table("effects", METADATA, Column("effect", Text), schema="probe")
_WALL = ManualClock(datetime(2025, 6, 1, tzinfo=UTC))
RECORDER = AuditRecorder(AUDIT_EVENTS, wall=_WALL, ids=Ids(_WALL))


@pytest.fixture
async def engine(databases: Databases) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(databases.admin_url, application_name="probe")
    async with engine.begin() as connection:
        await connection.execute(CreateSchema("probe"))
        await connection.run_sync(METADATA.create_all)
    yield engine
    await engine.dispose()


@pytest.fixture
def wall() -> ManualClock:
    return ManualClock(datetime(2025, 6, 1, tzinfo=UTC))
