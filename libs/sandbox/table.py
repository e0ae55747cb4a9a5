# SPDX-License-Identifier: Apache-2.0
"""The table in which a service stores the sandbox time, so that a restart does not set it back. A migration runs:

CREATE TABLE <schema>.sandbox_clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), now_time timestamptz NOT NULL)
"""

from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, Column, DateTime, MetaData, Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from meshkit.clock import ManualClock


def sandbox_clock_table(metadata: MetaData, schema: str) -> Table:
    """Return the table, which has at most one row."""
    return Table(
        "sandbox_clock",
        metadata,
        Column("only_row", Boolean, CheckConstraint("only_row"), primary_key=True, server_default="true"),
        Column("now_time", DateTime(timezone=True), nullable=False),
        schema=schema,
    )


async def load_sandbox_time(connection: AsyncConnection, table: Table) -> datetime | None:
    """Return the stored sandbox time, or None when it was never advanced."""
    stored: datetime | None = (await connection.execute(select(table.c.now_time))).scalar_one_or_none()
    return stored


async def save_sandbox_time(connection: AsyncConnection, table: Table, at: datetime) -> bool:
    """Store the sandbox time; returns whether it is later than the stored one, which stays otherwise."""
    row = insert(table).values(only_row=True, now_time=at)
    upsert = row.on_conflict_do_update(
        index_elements=[table.c.only_row],
        set_={"now_time": row.excluded.now_time},
        where=table.c.now_time < row.excluded.now_time,
    )
    return (await connection.execute(upsert)).rowcount == 1


async def restore_time(clock: ManualClock, engine: AsyncEngine, table: Table) -> None:
    """Advance the clock to the stored time after a restart. A clock that is later is left unchanged."""
    async with engine.connect() as connection:
        stored = await load_sandbox_time(connection, table)
    if stored is not None and stored > clock.now():
        clock.advance_to(stored)
