# SPDX-License-Identifier: Apache-2.0
"""Adds entries about usage up by hour and by usage period, after they were written. It never waits for the gate.

Each piece of usage counts in the row of all usage, whose group key is empty, and in one per counted group value. The
entries of a pool up to its position are added up. Source: services/ledger/README.md, "Reading usage".
"""

from collections.abc import Iterable
from typing import Any, Final

from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.store.citus import execute_by_customer, fetch_by_customer
from services.ledger.store.connection import Connection, at_most_int64
from services.ledger.store.gate.standings import USAGE_ANCHOR

_LAST_CUSTOMER: Final = "\U0010ffff"
# The start of the usage period of an entry e: anchor + n months, as meshkit/period.py counts them.
PERIOD_START: Final = f"""(
        SELECT CASE WHEN nth.start <= e.effective_time THEN nth.start
            ELSE anchor + make_interval(months => month.n - 1) END
        FROM (SELECT {USAGE_ANCHOR} AS anchor) AS a
        CROSS JOIN LATERAL (SELECT (
            (extract(year FROM e.effective_time) - extract(year FROM anchor)) * 12
            + extract(month FROM e.effective_time) - extract(month FROM anchor)
        )::integer AS n) AS month
        CROSS JOIN LATERAL (SELECT anchor + make_interval(months => month.n) AS start) AS nth
    )"""
HOUR_START: Final = "date_trunc('hour', e.effective_time, 'UTC')"
# What is billed as overage, less what entries of kind CORRECTION take back of it.
BILLED: Final = "('OVERAGE', 'OVERAGE_CORRECTION')"
# What a use leaves: one or more entries of these kinds, one after another among the entries about usage.
USES: Final = "('CAPTURE', 'OVERAGE', 'SHORTFALL', 'UNCHARGED')"

_MAKE_POSITIONS: Final = """
    INSERT INTO ledger.usage_positions (customer_id, credit_type_id, sequence)
    SELECT q.*, 0 FROM unnest($1::text[], $2::text[]) AS q ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
_POSITIONS: Final = """
    SELECT p.customer_id, p.credit_type_id, p.sequence
    FROM unnest($1::text[], $2::text[]) AS q (customer_id, credit_type_id)
    JOIN ledger.usage_positions p USING (customer_id, credit_type_id)
    ORDER BY 1, 2 FOR UPDATE OF p
"""
_MOVE: Final = """
    UPDATE ledger.usage_positions p SET sequence = least(o.sequence, p.sequence + $3)
    FROM unnest($1::text[], $2::text[]) AS q (customer_id, credit_type_id)
    JOIN ledger.pools o USING (customer_id, credit_type_id)
    WHERE p.customer_id = o.customer_id AND p.credit_type_id = o.credit_type_id
    RETURNING p.customer_id, p.credit_type_id, p.sequence, o.sequence AS latest
"""
_BEHIND: Final = """
    SELECT o.customer_id, o.credit_type_id
    FROM ledger.pools o LEFT JOIN ledger.usage_positions p USING (customer_id, credit_type_id)
    WHERE o.customer_id BETWEEN $1 AND $2 AND coalesce(p.sequence, 0) < o.sequence
    ORDER BY 1, 2
"""
_SUM: Final = """
    INSERT INTO ledger.{table} AS r (customer_id, credit_type_id, group_key, group_value, start_time, product_id,
        dimensions_hash, dimension_values, quantity_micros, credits_micros, shortfall_micros, uses)
    SELECT g.customer_id, g.credit_type_id, g.group_key, g.group_value, g.{start}, g.product_id,
        CASE WHEN g.dimension_values = '{{}}' THEN '' ELSE sha256(convert_to(g.dimension_values::text, 'UTF8')) END,
        g.dimension_values, {sums}
    FROM grouped g GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    ON CONFLICT (customer_id, group_key, group_value, start_time, product_id, credit_type_id, dimensions_hash)
    DO UPDATE SET {raised}
"""
_SUMMED: Final = ("quantity_micros", "credits_micros", "shortfall_micros", "uses")
# A sum of many meters may exceed int64. It stays at the maximum then, because the sums of others must not wait for it.
_SUMS: Final = ", ".join(f"{at_most_int64(f'sum(g.{column})')}" for column in _SUMMED)
_RAISED: Final = ", ".join(
    f"{column} = {at_most_int64(f'r.{column}::numeric + excluded.{column}')}" for column in _SUMMED
)
# A use counts at its first entry. The entry before the first one of a span may be of the same use.
_ADD: Final = f"""
    WITH written AS (
        SELECT e.*, (e.kind IN {USES}) AS is_use, s.first_sequence,
            (e.cause_id, e.transaction_id, e.product_id, e.dimension_values, e.effective_time) AS use
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
            AS s (customer_id, credit_type_id, first_sequence, last_sequence)
        JOIN ledger.entries e USING (customer_id, credit_type_id)
        WHERE e.product_id IS NOT NULL AND e.sequence BETWEEN s.first_sequence AND s.last_sequence
    ), used AS (
        SELECT e.customer_id, e.credit_type_id, e.product_id, coalesce(e.dimension_values, '{{}}') AS dimension_values,
            {HOUR_START} AS hour, {PERIOD_START} AS period, e.quantity_micros, e.shortfall_micros,
            e.shortfall_micros - e.amount_micros AS credits_micros, e.group_values, p.group_keys,
            (is_use AND CASE WHEN row_number() OVER in_order > 1 THEN use IS DISTINCT FROM lag(use) OVER in_order
                ELSE NOT EXISTS (
                    SELECT FROM (
                        SELECT b.* FROM ledger.entries b
                        WHERE b.customer_id = e.customer_id AND b.credit_type_id = e.credit_type_id
                            AND b.sequence < e.first_sequence AND b.product_id IS NOT NULL
                        ORDER BY b.sequence DESC LIMIT 1
                    ) AS b
                    WHERE (b.cause_id, b.transaction_id, b.product_id, b.dimension_values, b.effective_time)
                        IS NOT DISTINCT FROM e.use AND b.kind IN {USES}
                ) END)::integer AS uses
        FROM written e
        JOIN ledger.customers u USING (customer_id)
        LEFT JOIN ledger.products p USING (product_id)
        WINDOW in_order AS (PARTITION BY e.customer_id, e.credit_type_id ORDER BY e.sequence)
    ), grouped AS (
        SELECT '' AS group_key, '' AS group_value, used.* FROM used
        UNION ALL
        SELECT v.key, v.value, used.* FROM used CROSS JOIN LATERAL jsonb_each_text(group_values) AS v
        WHERE v.key = ANY (group_keys)
    ), hours AS ({_SUM.format(table="usage_by_hour", start="hour", sums=_SUMS, raised=_RAISED)})
    {_SUM.format(table="usage_by_period", start="period", sums=_SUMS, raised=_RAISED)}
"""


class Rollups:
    """The sums of usage, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def behind(self, first: str, last: str | None) -> list[PoolKey]:
        """Return the pools with entries after their position, of the customers from `first` to `last` (None: all)."""
        rows = await self._connection.fetch(_BEHIND, first, last or _LAST_CUSTOMER)
        return [(row["customer_id"], row["credit_type_id"]) for row in rows]

    async def add_up(self, keys: Iterable[PoolKey], *, entries_max: int) -> set[PoolKey]:
        """Add up the next entries of each of these pools; returns those that are added up to the end now.

        entries_max: per pool.
        """
        pools = sorted(set(keys))
        names = [key[0] for key in pools], [key[1] for key in pools]
        # What a crash loses is added up again, so nobody needs to wait for the disk.
        await self._connection.execute("SET LOCAL synchronous_commit = off")
        await execute_by_customer(self._connection, _MAKE_POSITIONS, *names)
        before = {
            _key(row): row["sequence"]
            for row in await fetch_by_customer(self._connection, _POSITIONS, *names)
        }
        moved = await fetch_by_customer(self._connection, _MOVE, *names, entries_max)
        await execute_by_customer(
            self._connection,
            _ADD,
            [row["customer_id"] for row in moved],
            [row["credit_type_id"] for row in moved],
            [before[_key(row)] + 1 for row in moved],
            [row["sequence"] for row in moved],
        )
        return {_key(row) for row in moved if row["sequence"] == row["latest"]}


def _key(row: Any) -> PoolKey:
    return row["customer_id"], row["credit_type_id"]
