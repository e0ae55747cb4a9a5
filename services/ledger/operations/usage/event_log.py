# SPDX-License-Identifier: Apache-2.0
"""The events of a batch that is decided under locks: those stored before, and those to be stored with it."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.unit_of_work import NewEvent, PoolKey
from services.ledger.domain.usage.event import EventResult, RecordEvent, StoredEvent, duplicate_of
from services.ledger.store import Transaction


class EventLog:
    """Knows what was recorded under each transaction_id, of known customers and under unknown customers' names."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._recorded: dict[tuple[str, str], StoredEvent] = {}
        self._uncharged: list[tuple[CustomerId, NewEvent]] = []
        self._unattached: list[tuple[RecordEvent, str]] = []
        self.charged: list[NewEvent] = []

    async def look_up(
        self, tx: Transaction, events: Iterable[RecordEvent], names: Mapping[str, CustomerId]
    ) -> None:
        """Read what was recorded under the ids of these events. names: of the customers that are known."""
        known = {(names[event.customer], event.transaction_id) for event in events if event.customer in names}
        unknown = {(event.customer, event.transaction_id) for event in events if event.customer not in names}
        self._recorded = {**await tx.events.find(known), **await tx.events.find_unattached(unknown)}

    def earlier(self, event: RecordEvent, customer_id: CustomerId | None) -> EventResult | None:
        """Return the result of a duplicate; None for an event that is new."""
        stored = self._recorded.get((customer_id or event.customer, event.transaction_id))
        return None if stored is None else duplicate_of(stored, event.fingerprint)

    def record(
        self,
        event: RecordEvent,
        result: EventResult,
        *,
        customer_id: CustomerId | None,
        key: PoolKey | None,
        subject: str,
    ) -> None:
        """Store an event with the batch.

        customer_id None: unknown; key: a pool that is charged, None: none; subject: of who reported it.
        """
        name = (customer_id or event.customer, event.transaction_id)
        self._recorded[name] = StoredEvent(event.fingerprint, result)
        new = NewEvent(key, event, result, event.receive_time or self._at, subject)
        if customer_id is None:
            self._unattached.append((event, subject))
        elif key is None:
            self._uncharged.append((customer_id, new))
        else:
            self.charged.append(new)

    async def save_uncharged(self, tx: Transaction) -> None:
        """Write the events that change no pool; those that do are written with their pools."""
        if self._uncharged:
            await tx.events.insert_uncharged(self._uncharged)
        if self._unattached:
            await tx.events.insert_unattached(self._unattached, at=self._at)
