# SPDX-License-Identifier: Apache-2.0
"""Usage events: what was recorded under a transaction_id, and events that are stored without a charge.

The unique key settles who was first: a twin that comes between find and insert fails on it, and is run again.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.unit_of_work import NewEvent
from services.ledger.domain.usage.event import EventResult, EventStatus, RecordEvent, StoredEvent
from services.ledger.store.citus import fetch_by_customer
from services.ledger.store.connection import Connection
from services.ledger.store.formats import EVENT_RESULT

EventName = tuple[str, str]  # a customer_id, or an unknown customer's name; and a transaction_id


class UsageEvents:
    """The usage events of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, asked: Collection[tuple[CustomerId, str]]) -> dict[EventName, StoredEvent]:
        """Return what was recorded, by customer and transaction_id."""
        if not asked:
            return {}
        pairs = sorted(asked)
        rows = await fetch_by_customer(
            self._connection,
            "SELECT e.customer_id, e.transaction_id, e.body_hash, e.result"
            " FROM unnest($1::text[], $2::text[]) AS q (customer_id, transaction_id)"
            " JOIN ledger.usage_events e USING (customer_id, transaction_id)",
            [customer_id for customer_id, _ in pairs],
            [transaction_id for _, transaction_id in pairs],
        )
        return {
            (row["customer_id"], row["transaction_id"]): StoredEvent(
                row["body_hash"], EVENT_RESULT.decode(row["result"])
            )
            for row in rows
        }

    async def find_unattached(self, asked: Collection[EventName]) -> dict[EventName, StoredEvent]:
        """Return what waits under unknown customers' names."""
        if not asked:
            return {}
        pairs = sorted(asked)
        rows = await self._connection.fetch(
            "SELECT e.customer_name, e.transaction_id, e.body_hash"
            " FROM unnest($1::text[], $2::text[]) AS q (customer_name, transaction_id)"
            " JOIN ledger.unattached_events e USING (customer_name, transaction_id)",
            [name for name, _ in pairs],
            [transaction_id for _, transaction_id in pairs],
        )
        unattached = EventResult(status=EventStatus.UNATTACHED)
        return {
            (row["customer_name"], row["transaction_id"]): StoredEvent(row["body_hash"], unattached)
            for row in rows
        }

    async def insert_uncharged(self, events: Sequence[tuple[CustomerId, NewEvent]]) -> None:
        """Store events that cost nothing because nothing was measured."""
        await self._connection.executemany(
            "INSERT INTO ledger.usage_events (customer_id, transaction_id, body_hash, event_type, event_time,"
            " receive_time, properties, status, result, subject) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            [(customer_id, *event_to_row(new)) for customer_id, new in events],
        )

    async def insert_unattached(self, events: Sequence[tuple[RecordEvent, str]], *, at: datetime) -> None:
        """Store events under the names of unknown customers, with the subjects of those who reported them."""
        await self._connection.executemany(
            "INSERT INTO ledger.unattached_events (customer_name, transaction_id, body_hash, event_type, event_time,"
            " receive_time, properties, subject) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            [
                (
                    event.customer,
                    event.transaction_id,
                    event.fingerprint,
                    event.event_type,
                    event.timestamp,
                    at,
                    event.properties,
                    subject,
                )
                for event, subject in events
            ],
        )

    async def waiting(self, name: str, *, tried_before: datetime, events_max: int) -> list[RecordEvent]:
        """Return events that wait under a name and were not tried since, in the order in which they came."""
        rows = await self._connection.fetch(
            "SELECT transaction_id, body_hash, event_type, event_time, receive_time, properties, subject"
            " FROM ledger.unattached_events"
            " WHERE customer_name = $1 AND (attempt_time IS NULL OR attempt_time < $2)"
            " ORDER BY receive_time, transaction_id LIMIT $3",
            name,
            tried_before,
            events_max,
        )
        return [
            RecordEvent(
                transaction_id=row["transaction_id"],
                fingerprint=row["body_hash"],
                customer=name,
                event_type=row["event_type"],
                timestamp=row["event_time"],
                properties=row["properties"],
                receive_time=row["receive_time"],
                subject=row["subject"],
            )
            for row in rows
        ]

    async def settle_waiting(
        self, name: str, *, done: Sequence[str], tried: Sequence[str], at: datetime
    ) -> None:
        """Remove events that are recorded, and note for the others that they were tried. Both: transaction_ids."""
        await self._connection.execute(
            "DELETE FROM ledger.unattached_events WHERE customer_name = $1 AND transaction_id = ANY ($2)",
            name,
            list(done),
        )
        await self._connection.execute(
            "UPDATE ledger.unattached_events SET attempt_time = $3"
            " WHERE customer_name = $1 AND transaction_id = ANY ($2)",
            name,
            list(tried),
            at,
        )

    async def names_to_attach(self, names_max: int) -> list[str]:
        """Return names of known customers under which events wait."""
        rows = await self._connection.fetch(
            "SELECT n.name FROM (SELECT alias AS name FROM ledger.customer_aliases UNION ALL"
            " SELECT customer_id FROM ledger.customers) n"
            " WHERE EXISTS (SELECT FROM ledger.unattached_events u WHERE u.customer_name = n.name) LIMIT $1",
            names_max,
        )
        return [row["name"] for row in rows]

    async def drop_unattached(self, *, received_before: datetime, rows_max: int) -> int:
        """Drop events that waited in vain; returns how many."""
        status: str = await self._connection.execute(
            "DELETE FROM ledger.unattached_events u USING (SELECT customer_name, transaction_id"
            " FROM ledger.unattached_events WHERE receive_time < $1 LIMIT $2) d"
            " WHERE u.customer_name = d.customer_name AND u.transaction_id = d.transaction_id",
            received_before,
            rows_max,
        )
        return int(status.rpartition(" ")[2])


def event_to_row(new: NewEvent) -> tuple[object, ...]:
    """Return the values from transaction_id to subject."""
    event = new.event
    return (
        event.transaction_id,
        event.fingerprint,
        event.event_type,
        event.timestamp,
        new.receive_time,
        event.properties,
        new.result.status.value,
        new.result,
        new.subject,
    )
