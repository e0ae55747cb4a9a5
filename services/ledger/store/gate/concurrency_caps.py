# SPDX-License-Identifier: Apache-2.0
"""Concurrency caps set by operators, and the open holds that they count."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from meshkit.page import Page
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.in_flight import Caps, ConcurrencyCap, InFlight, counted_subjects
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.store.connection import Connection
from services.ledger.store.credits.pools import POOLS
from services.ledger.store.credits.rows import concurrency_cap_from_row

_COLUMNS = "concurrency_cap_id, credit_type_id, subject_key, subject_value, holds_max, create_time, is_shadow"
_OPEN_HOLDS = f"""
    SELECT h.customer_id, h.credit_type_id, h.hold_id, h.expire_time, h.counted_group_values,
        CASE WHEN h.lines IS NULL THEN ARRAY[h.product_id]
            ELSE ARRAY(SELECT line ->> 'product_id' FROM jsonb_array_elements(h.lines) AS line) END AS product_ids
    FROM {POOLS}
    JOIN ledger.holds h USING (customer_id, credit_type_id)
    WHERE h.state = 'HELD'
"""


class ConcurrencyCaps:
    """The concurrency caps of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def set(self, customer_id: CustomerId, cap: ConcurrencyCap) -> ConcurrencyCap:
        """Set a cap. A cap on the same subject is replaced, and keeps its id and create_time."""
        row = await self._connection.fetchrow(
            f"INSERT INTO ledger.concurrency_caps (customer_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            " ON CONFLICT (customer_id, credit_type_id, subject_key, subject_value) WHERE lift_time IS NULL"
            f" DO UPDATE SET holds_max = $6, is_shadow = $8 RETURNING {_COLUMNS}",
            customer_id,
            cap.concurrency_cap_id,
            cap.credit_type_id,
            *cap.subject,
            cap.holds_max,
            cap.create_time,
            cap.is_shadow,
        )
        assert row is not None
        return concurrency_cap_from_row(row)

    async def lift(self, customer_id: CustomerId, concurrency_cap_id: str, *, at: datetime) -> bool:
        """Remove a cap; returns whether it exists or existed once. Removing it again changes nothing."""
        found: bool = await self._connection.fetchval(
            "WITH lifted AS (UPDATE ledger.concurrency_caps SET lift_time = coalesce(lift_time, $3)"
            " WHERE customer_id = $1 AND concurrency_cap_id = $2 RETURNING true) SELECT EXISTS (SELECT FROM lifted)",
            customer_id,
            concurrency_cap_id,
            at,
        )
        return found

    async def list(self, customer_id: CustomerId, page: Page) -> list[ConcurrencyCap]:
        """Return a page, and one row more if there is one, ordered by credit type and subject."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM ledger.concurrency_caps WHERE customer_id = $1 AND lift_time IS NULL"
            " AND ($2::text[] IS NULL OR (credit_type_id, subject_key, subject_value) > ($2[1], $2[2], $2[3]))"
            " ORDER BY credit_type_id, subject_key, subject_value LIMIT $3",
            customer_id,
            list(page.after) if page.after else None,
            page.size + 1,
        )
        return list(map(concurrency_cap_from_row, rows))


async def read_in_flight(connection: Connection, caps: Mapping[PoolKey, Caps]) -> dict[PoolKey, InFlight]:
    """Return the open holds of pools with concurrency caps, expired ones that are not written yet among them."""
    keys = list(caps)
    if not keys:
        return {}
    found: dict[PoolKey, dict[GroupValue, dict[HoldId, datetime]]] = {key: defaultdict(dict) for key in keys}
    rows = await connection.fetch(
        _OPEN_HOLDS,
        [customer_id for customer_id, _ in keys],
        [credit_type_id for _, credit_type_id in keys],
    )
    for row in rows:
        key = (row["customer_id"], row["credit_type_id"])
        for subject in counted_subjects(caps[key], row["counted_group_values"], row["product_ids"]):
            found[key][subject][row["hold_id"]] = row["expire_time"]
    return {key: dict(of_pool) for key, of_pool in found.items()}
