# SPDX-License-Identifier: Apache-2.0
"""Adds up usage in entries that the previous version wrote: the gaps in a pool's rollups, under the pool's lock."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from services.ledger.domain.credits.entry import Entry
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import ENTRY_COLUMNS, entry_from_row, prefixed
from services.ledger.store.gate.standings import USAGE_ANCHOR
from services.ledger.store.usage.rollups import ROLLUP_SQL, add_up

_BEHIND: Final = """
    SELECT customer_id, credit_type_id FROM ledger.pools WHERE customer_id = ANY ($1) AND rolled_sequence < sequence
    UNION SELECT customer_id, credit_type_id FROM ledger.rollup_gaps WHERE customer_id = ANY ($1)
    ORDER BY 1, 2
"""
_LOCKED: Final = f"""
    SELECT p.sequence, p.rolled_sequence, {USAGE_ANCHOR} AS anchor
    FROM ledger.pools p JOIN ledger.customers u USING (customer_id)
    WHERE p.customer_id = $1 AND p.credit_type_id = $2 FOR UPDATE OF p
"""
# The new version makes cached accounts, which know the old rolled_sequence, outdated.
_CAUGHT_UP: Final = """
    UPDATE ledger.pools SET rolled_sequence = sequence, version = version + 1
    WHERE customer_id = $1 AND credit_type_id = $2
"""
_ENTRIES: Final = f"""
    SELECT {prefixed("e", ENTRY_COLUMNS)}, p.group_keys
    FROM ledger.entries e LEFT JOIN ledger.products p USING (product_id)
    WHERE e.customer_id = $1 AND e.credit_type_id = $2 AND e.sequence BETWEEN $3 AND $4 AND e.product_id IS NOT NULL
    ORDER BY e.sequence
"""
# All entries of one use have one effective_time, and nothing but entries that are not about usage is between them.
_CONTINUES: Final = """
    SELECT EXISTS (
        SELECT FROM ledger.entries
        WHERE customer_id = $1 AND effective_time = $3 AND product_id IS NOT NULL AND credit_type_id = $2
            AND product_id = $4 AND cause_id = $5 AND transaction_id IS NOT DISTINCT FROM $6 AND sequence < $7
            AND kind IN ('CAPTURE', 'SHORTFALL', 'UNCHARGED')
    )
"""


class RollupGaps:
    """The gaps of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def pools_behind(self, customer_ids: Sequence[CustomerId]) -> list[PoolKey]:
        """Return those pools of these customers in which some usage is not added up."""
        rows = await self._connection.fetch(_BEHIND, list(customer_ids))
        return [(row["customer_id"], row["credit_type_id"]) for row in rows]

    async def close_some(self, key: PoolKey, *, entries_max: int) -> bool:
        """Lock a pool, and add up the first entries of its first gap; returns whether there was a gap."""
        pool = await self._connection.fetchrow(_LOCKED, *key)
        if pool is None:
            return False
        if pool["rolled_sequence"] < pool["sequence"]:
            await self._connection.execute(
                "INSERT INTO ledger.rollup_gaps (customer_id, credit_type_id, first_sequence, last_sequence)"
                " VALUES ($1, $2, $3, $4)",
                *key,
                pool["rolled_sequence"] + 1,
                pool["sequence"],
            )
            await self._connection.execute(_CAUGHT_UP, *key)
        gap = await self._connection.fetchrow(
            "SELECT first_sequence, last_sequence FROM ledger.rollup_gaps"
            " WHERE customer_id = $1 AND credit_type_id = $2 ORDER BY first_sequence LIMIT 1",
            *key,
        )
        if gap is None:
            return False
        first, end = gap["first_sequence"], gap["last_sequence"]
        last = min(end, first + entries_max - 1)
        entries = await self._entries(key, first, last)
        if entries:
            continues = await self._continues(key, entries[0], first)
            added = add_up(key, entries, anchor=pool["anchor"], continues=continues)
            for table, rows in zip(("usage_hours", "usage_periods"), added, strict=True):
                source = (
                    "unnest($1::ledger.rollup_change[]) AS d WHERE true"  # or ON would be read as of a join
                )
                await self._connection.execute(ROLLUP_SQL.format(table=table, source=source), rows)
        if last == end:
            await self._connection.execute(
                "DELETE FROM ledger.rollup_gaps WHERE customer_id = $1 AND credit_type_id = $2 AND first_sequence = $3",
                *key,
                first,
            )
        else:
            await self._connection.execute(
                "UPDATE ledger.rollup_gaps SET first_sequence = $4"
                " WHERE customer_id = $1 AND credit_type_id = $2 AND first_sequence = $3",
                *key,
                first,
                last + 1,
            )
        return True

    async def _entries(self, key: PoolKey, first: int, last: int) -> list[Entry]:
        """Return the entries about usage from `first` to `last`, with the group values that count."""
        found = []
        for row in await self._connection.fetch(_ENTRIES, *key, first, last):
            entry = entry_from_row(row)
            assert entry.usage is not None
            counted = {
                name: value
                for name, value in entry.usage.group_values.items()
                if name in (row["group_keys"] or ())
            }
            found.append(replace(entry, usage=replace(entry.usage, counted_group_values=counted)))
        return found

    async def _continues(self, key: PoolKey, entry: Entry, first: int) -> bool:
        """Return whether an entry is not the first one of its use."""
        assert entry.usage is not None
        continues: bool = await self._connection.fetchval(
            _CONTINUES,
            *key,
            entry.effective_time,
            entry.usage.product_id,
            entry.cause_id,
            entry.usage.transaction_id,
            first,
        )
        return continues
