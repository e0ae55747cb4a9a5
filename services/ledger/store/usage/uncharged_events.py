# SPDX-License-Identifier: Apache-2.0
"""Events that were stored without a charge, because no contract was in force at their time."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.usage.event import EventResult, EventStatus, RecordEvent
from services.ledger.domain.usage.rerate_job import EventPosition, RerateScope
from services.ledger.store.connection import Connection

_START = datetime.min.replace(tzinfo=UTC)

# The condition on the status must match the partial index's predicate exactly.
_PAGE = """
    SELECT customer_id, transaction_id, body_hash, event_type, event_time, properties FROM ledger.usage_events
    WHERE status = 'NO_CONTRACT' AND (customer_id, event_time, transaction_id) > ($1, $2, $3)
        AND event_type = $4 AND event_time >= $5 AND event_time < $6 {of_customer}
    ORDER BY customer_id, event_time, transaction_id LIMIT $7
"""
# One that was corrected is right as it is: AmendUsage charges what an event reports then.
_LOCK = """
    SELECT e.transaction_id FROM ledger.usage_events e
    WHERE e.customer_id = $1 AND e.transaction_id = ANY ($2) AND e.status = 'NO_CONTRACT'
        AND NOT EXISTS (
            SELECT FROM ledger.usage_corrections c
            WHERE c.customer_id = e.customer_id AND c.source = 'EVENT' AND c.source_id = e.transaction_id
        )
    ORDER BY e.transaction_id FOR UPDATE OF e
"""


class UnchargedEvents:
    """Events without a charge, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def page(
        self, scope: RerateScope, event_type: str, *, after: EventPosition, events_max: int
    ) -> list[RecordEvent]:
        """Return the next events in the scope of a job; their customer is its id."""
        arguments: list[object] = [
            after.customer_id,
            after.time or _START,
            after.transaction_id,
            event_type,
            scope.start_time,
            scope.end_time,
            events_max,
        ]
        if scope.customer_id is not None:
            arguments.append(scope.customer_id)
        of_customer = "" if scope.customer_id is None else "AND customer_id = $8"
        rows = await self._connection.fetch(_PAGE.format(of_customer=of_customer), *arguments)
        return [
            RecordEvent(
                transaction_id=row["transaction_id"],
                fingerprint=row["body_hash"],
                customer=row["customer_id"],
                event_type=row["event_type"],
                timestamp=row["event_time"],
                properties=row["properties"],
            )
            for row in rows
        ]

    async def lock(self, customer_id: CustomerId, transaction_ids: Collection[str]) -> set[str]:
        """Lock those of these events that are not charged and were not corrected, and return them."""
        # Two statements: the condition is then seen as it is under the locks.
        await self._connection.fetch(_LOCK, customer_id, sorted(transaction_ids))
        rows = await self._connection.fetch(_LOCK, customer_id, sorted(transaction_ids))
        return {row["transaction_id"] for row in rows}

    async def charge(self, customer_id: CustomerId, results: Mapping[str, EventResult]) -> None:
        """Store the results of locked events that are charged now."""
        await self._connection.executemany(
            "UPDATE ledger.usage_events SET status = $3, result = $4"
            " WHERE customer_id = $1 AND transaction_id = $2 AND status = 'NO_CONTRACT'",
            [
                (customer_id, transaction_id, EventStatus.ACCEPTED.value, result)
                for transaction_id, result in results.items()
            ],
        )
