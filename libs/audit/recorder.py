# SPDX-License-Identifier: Apache-2.0
"""Writes records in the transactions of their effects."""

from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.event import PREFIX, AuditEvent, due_event, present_event
from audit.table import row_of
from meshkit.clock import Clock
from meshkit.ids import Ids


class AuditRecorder:
    """Inserts into one service's table. wall: dates the records; sandbox time must not affect them."""

    def __init__(self, table: Table, *, wall: Clock, ids: Ids) -> None:
        self._table = table
        self._wall = wall
        self._ids = ids

    async def record(self, connection: AsyncConnection, effect: object) -> None:
        """Record the write of the present call. effect: plain data with the ids of what it made or changed."""
        event = present_event(effect, event_id=self._ids.new(PREFIX), at=self._wall.now())
        await self.insert(connection, event)

    async def record_due(self, connection: AsyncConnection, work: str, effect: object) -> None:
        """Record what fell due by the clock, whoever's call noticed it."""
        event = due_event(work, effect, event_id=self._ids.new(PREFIX), at=self._wall.now())
        await self.insert(connection, event)

    async def insert(self, connection: AsyncConnection, event: AuditEvent) -> None:
        """Insert one record."""
        await connection.execute(insert(self._table).values(row_of(event)))
