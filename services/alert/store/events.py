# SPDX-License-Identifier: Apache-2.0
"""Statements about events and the numbers of each customer's events."""

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alert.domain.alert import CustomerId
from services.alert.domain.event import Event, EventId
from services.alert.tables import customer_sequences, events


class StoredEvents:
    """An event never changes; it only gets its position (feed.py)."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def has(self, event_id: EventId) -> bool:
        wanted = select(events.c.event_id).where(events.c.event_id == event_id)
        return (await self._connection.execute(wanted)).first() is not None

    async def next_sequence(self, customer_id: CustomerId) -> int:
        """Return the number of a customer's next event, which must be inserted. Locks the number until the commit.

        Call it before an endpoint is locked.
        """
        first = upsert(customer_sequences).values(customer_id=customer_id, last_sequence=1)
        grown = first.on_conflict_do_update(
            index_elements=[customer_sequences.c.customer_id],
            set_={"last_sequence": customer_sequences.c.last_sequence + 1},
        ).returning(customer_sequences.c.last_sequence)
        sequence: int = (await self._connection.execute(grown)).scalar_one()
        return sequence

    async def insert(self, event: Event) -> None:
        await self._connection.execute(
            insert(events).values(
                event_id=event.event_id,
                event_type=event.event_type.value,
                customer_id=event.customer_id,
                customer_sequence=event.customer_sequence,
                is_internal=event.is_internal,
                create_time=event.create_time,
                payload=event.payload,
                alert_id=None if event.edge is None else event.edge.alert_id,
                group_value="" if event.edge is None else event.edge.group_value,
                edge_sequence=0 if event.edge is None else event.edge.sequence,
            )
        )

    async def hold_sequence(self, customer_id: CustomerId) -> None:
        """Lock the number of a customer's events until the commit, before it is known whether there will be one."""
        new = upsert(customer_sequences).values(customer_id=customer_id, last_sequence=0)
        await self._connection.execute(new.on_conflict_do_nothing())
        held = select(customer_sequences).where(customer_sequences.c.customer_id == customer_id)
        await self._connection.execute(held.with_for_update())
