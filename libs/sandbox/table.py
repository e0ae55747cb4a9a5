# SPDX-License-Identifier: Apache-2.0
"""Where a service keeps the sandbox time, so that a restart does not turn it back. A migration makes it with:

CREATE TABLE <schema>.sandbox_clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), now_time timestamptz NOT NULL)
"""

from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, Column, DateTime, MetaData, Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from meshkit.clock import ManualClock


def sandbox_clock_table(metadata: MetaData, schema: str) -> Table:
    """Return the table of one row at most."""
    return Table(
        "sandbox_clock",
        metadata,
        Column("only_row", Boolean, CheckConstraint("only_row"), primary_key=True, server_default="true"),
        Column("now_time", DateTime(timezone=True), nullable=False),
        schema=schema,
    )


async def load_sandbox_time(connection: AsyncConnection, table: Table) -> datetime | None:
    """Return the sandbox time kept last, or None when it was never advanced."""
    kept: datetime | None = (await connection.execute(select(table.c.now_time))).scalar_one_or_none()
    return kept


async def save_sandbox_time(connection: AsyncConnection, table: Table, at: datetime) -> None:
    """Keep the sandbox time; an earlier one than that kept changes nothing."""
    kept = insert(table).values(only_row=True, now_time=at)
    later = kept.on_conflict_do_update(
        index_elements=[table.c.only_row],
        set_={"now_time": kept.excluded.now_time},
        where=table.c.now_time < kept.excluded.now_time,
    )
    await connection.execute(later)


async def restore_time(clock: ManualClock, engine: AsyncEngine, table: Table) -> None:
    """Let a sandbox that starts again go on where it stood; a clock that stands later stays."""
    async with engine.connect() as connection:
        kept = await load_sandbox_time(connection, table)
    if kept is not None and kept > clock.now():
        clock.advance_to(kept)
