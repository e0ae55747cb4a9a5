# SPDX-License-Identifier: Apache-2.0
"""Drops rows past their retention, a bounded number at a time."""

from collections.abc import Sequence
from datetime import date, datetime

from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.gate.hold import HoldId
from services.ledger.store.citus import execute_by_customer
from services.ledger.store.connection import Connection

# While a statement waits for a table lock, all later statements on the table wait behind it.
TRUNCATE_LOCK_TIMEOUT_MS = 100

_CLAIM = """
    INSERT INTO ledger.chores AS c (chore, due_time) VALUES ($1, $3)
    ON CONFLICT (chore) DO UPDATE SET due_time = $3 WHERE c.due_time <= $2 RETURNING true
"""
# The bound is in the text, not a parameter: a generic plan would estimate it as a tenth of the table.
# A customer's hold ids of one kind are in order of creation, so this reads little more than what it drops.
_OLD_HOLDS = """
    DELETE FROM ledger.holds h USING (
        SELECT o.customer_id, o.hold_id FROM unnest($1::text[]) AS c (customer_id) CROSS JOIN LATERAL (
            SELECT customer_id, hold_id FROM ledger.holds
            WHERE customer_id = c.customer_id AND hold_id >= $4 AND hold_id < $2 AND state <> 'HELD'
                AND expire_time < $3
            ORDER BY hold_id LIMIT {rows_max}
        ) o LIMIT {rows_max}
    ) d
    WHERE h.customer_id = d.customer_id AND h.hold_id = d.hold_id
"""
_DELIVERED_NOTICES = """
    DELETE FROM ledger.outbox o USING (
        SELECT customer_id, notice_id FROM ledger.outbox WHERE sent_time < $1 ORDER BY sent_time LIMIT {rows_max}
    ) d
    WHERE o.customer_id = d.customer_id AND o.notice_id = d.notice_id
"""


_OLD_SHADOW_DENIALS = """
    DELETE FROM ledger.shadow_denials s USING (
        SELECT o.customer_id, o.day FROM unnest($1::text[]) AS c (customer_id) CROSS JOIN LATERAL (
            SELECT DISTINCT customer_id, day FROM ledger.shadow_denials
            WHERE customer_id = c.customer_id AND day < $2 LIMIT {rows_max}
        ) o LIMIT {rows_max}
    ) d
    WHERE s.customer_id = d.customer_id AND s.day = d.day
"""


class Retention:
    """Drops rows in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(self, chore: str, *, at: datetime, due_again: datetime) -> bool:
        """Claim a chore that is due; False if another replica has claimed it, or it is not due yet."""
        taken = await self._connection.fetchval(_CLAIM, chore, at, due_again)
        return taken is not None

    async def prolong(self, chore: str, *, due_again: datetime) -> None:
        """Keep a chore that this replica has claimed."""
        await self._connection.execute(
            "UPDATE ledger.chores SET due_time = $2 WHERE chore = $1", chore, due_again
        )

    async def customers_after(self, customer_id: str, customers_max: int) -> Sequence[CustomerId]:
        """Return the next customers after `customer_id` in order of their ids."""
        rows = await self._connection.fetch(
            "SELECT customer_id FROM ledger.customers WHERE customer_id > $1 ORDER BY customer_id LIMIT $2",
            customer_id,
            customers_max,
        )
        return [CustomerId(row["customer_id"]) for row in rows]

    async def drop_holds(
        self,
        customer_ids: Sequence[CustomerId],
        *,
        made_before: HoldId,
        expired_before: datetime,
        rows_max: int,
    ) -> int:
        """Drop ended holds of these customers, each customer's oldest first; returns how many.

        made_before: only holds of its kind are dropped (leases are another): the first id that is kept.
        """
        return _count(
            *await execute_by_customer(
                self._connection,
                _OLD_HOLDS.format(rows_max=int(rows_max)),
                list(customer_ids),
                made_before,
                expired_before,
                made_before.partition("_")[0],
            )
        )

    async def drop_shadow_denials(
        self, customer_ids: Sequence[CustomerId], *, before: date, days_max: int
    ) -> int:
        """Drop the lines of these customers' reports of days before `before`, of a number of days; returns how many."""
        return _count(
            *await execute_by_customer(
                self._connection,
                _OLD_SHADOW_DENIALS.format(rows_max=int(days_max)),
                list(customer_ids),
                before,
            )
        )

    async def drop_notices(self, *, sent_before: datetime, rows_max: int) -> int:
        """Drop delivered notices, the oldest first; returns how many."""
        return _count(
            await self._connection.execute(_DELIVERED_NOTICES.format(rows_max=int(rows_max)), sent_before)
        )

    async def empty_slot(self, slot: int, *, generation: int) -> bool:
        """Empty a slot of stored responses for a coming generation; returns False if that has been done.

        Raises a lock timeout, which fault_of maps to TransactionConflict, if the slot is in use for over 0.1 s.
        """
        is_ours = await self._connection.fetchval(
            "UPDATE ledger.request_slots SET generation = $2 WHERE slot = $1 AND generation < $2 RETURNING true",
            slot,
            generation,
        )
        if is_ours is None:
            return False
        await self._connection.execute(f"SET LOCAL lock_timeout = {TRUNCATE_LOCK_TIMEOUT_MS}")
        await self._connection.execute(f"TRUNCATE ledger.requests_{int(slot)}")
        return True


def _count(*statuses: str) -> int:
    """Return how many rows statements changed, from their statuses, such as "DELETE 7"."""
    return sum(int(status.rpartition(" ")[2]) for status in statuses)
