# SPDX-License-Identifier: Apache-2.0
"""Recounts what meters cost: the entries must cost what the rate says, but for what a rerate job has still to do."""

from collections.abc import Mapping
from typing import Any

from meshkit.quantity import Quantity
from services.ledger.domain.rating.price import Pricing, cost_at
from services.ledger.store.connection import Connection
from services.ledger.store.usage.meters import pricings

ROWS_AT_ONCE = 1_000

METERS_WITH_ENTRIES = """
    WITH written AS (
        SELECT customer_id, credit_type_id, root_rate_id, usage_period_start AS period_start,
            sum(quantity_micros)::bigint AS quantity, sum(shortfall_micros - amount_micros)::bigint AS cost
        FROM ledger.entries WHERE root_rate_id IS NOT NULL AND ($1::text IS NULL OR customer_id = $1)
        GROUP BY 1, 2, 3, 4
    )
    SELECT customer_id, credit_type_id, NULL AS grant_id,
        format('unrated_micros of meter %s from %s', root_rate_id, period_start) AS figure, m.rate_id,
        m.unrated_micros, quantity, cost, t.until_sequence IS NOT NULL AS is_in_progress
    FROM written JOIN ledger.meters m USING (customer_id, credit_type_id, root_rate_id, period_start)
    LEFT JOIN ledger.rerate_meters t USING (customer_id, credit_type_id, root_rate_id, period_start)
    WHERE quantity >= 0
    ORDER BY 1, 2, 4
"""


async def unrated(connection: Connection, question: str, *arguments: object) -> list[Mapping[str, Any]]:
    """Return the discrepancies of `unrated_micros`. question: METERS_WITH_ENTRIES. It needs a transaction."""
    found: list[Mapping[str, Any]] = []
    known: dict[str, Pricing] = {}
    rows = await connection.cursor(question, *arguments)
    while page := await rows.fetch(ROWS_AT_ONCE):
        known |= await pricings(connection, {row["rate_id"] for row in page} - known.keys())
        for row in page:
            if row["rate_id"] not in known:
                continue  # without its rate, a meter's cost can be compared with its entries only
            stored = row["unrated_micros"]
            right = row["cost"] - cost_at(known[row["rate_id"]], Quantity(row["quantity"])).micros
            if right == stored and not row["is_in_progress"]:
                right = 0  # nothing will correct the entries any more
            if right != stored:
                found.append({**row, "stored": stored, "recomputed": right})
    return found
