# SPDX-License-Identifier: Apache-2.0
"""Records of administrative writes. The gate's entries and holds, and usage events, carry the caller's subject."""

from typing import Final

from audit import insert_sql, present_event, row_of
from meshkit.clock import Clock
from meshkit.ids import Ids
from services.ledger.store.connection import Connection
from services.ledger.tables import audit_events

_INSERT: Final = insert_sql(audit_events)


class Audit:
    """Writes records, within one transaction. wall: dates them; sandbox time must not affect them."""

    def __init__(self, connection: Connection, *, wall: Clock, ids: Ids) -> None:
        self._connection = connection
        self._wall = wall
        self._ids = ids

    async def record(self, effect: object) -> None:
        """Record the write of the present call. effect: plain data with the ids of what it made or changed."""
        event = present_event(effect, event_id=self._ids.new("aud"), at=self._wall.now())
        await self._connection.execute(_INSERT, *row_of(event).values())
