# SPDX-License-Identifier: Apache-2.0
"""Spend caps set by operators."""

from datetime import datetime

from meshkit.page import Page
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.gate.spend_cap import SpendCap
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import cap_from_row

_COLUMNS = "spend_cap_id, credit_type_id, group_key, group_value, limit_micros, cap_window, create_time"


class Caps:
    """The spend caps of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def set(self, customer_id: CustomerId, cap: SpendCap) -> SpendCap:
        """Set a cap. A cap on the same value is replaced, and keeps its id and create_time."""
        row = await self._connection.fetchrow(
            f"INSERT INTO ledger.spend_caps (customer_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            " ON CONFLICT (customer_id, credit_type_id, group_key, group_value)"
            f" DO UPDATE SET limit_micros = $6, cap_window = $7 RETURNING {_COLUMNS}",
            customer_id,
            cap.spend_cap_id,
            cap.credit_type_id,
            cap.group_key,
            cap.group_value,
            cap.limit.micros,
            cap.window.value,
            cap.create_time,
        )
        assert row is not None
        return cap_from_row(row)

    async def lift(self, customer_id: CustomerId, spend_cap_id: str, *, at: datetime) -> bool:
        """Remove a cap; returns whether it exists or existed once. Removing it again changes nothing."""
        found: bool = await self._connection.fetchval(
            "WITH gone AS (DELETE FROM ledger.spend_caps WHERE customer_id = $1 AND spend_cap_id = $2 RETURNING true),"
            " kept AS (INSERT INTO ledger.lifted_spend_caps (customer_id, spend_cap_id, lift_time)"
            " SELECT $1, $2, $3 FROM gone)"
            " SELECT EXISTS (SELECT FROM gone)",
            customer_id,
            spend_cap_id,
            at,
        )
        return found or await self._was_lifted(customer_id, spend_cap_id)

    async def _was_lifted(self, customer_id: CustomerId, spend_cap_id: str) -> bool:
        # A separate statement: it sees what a concurrent removal has written, for which the first statement waited.
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT FROM ledger.lifted_spend_caps WHERE customer_id = $1 AND spend_cap_id = $2)",
            customer_id,
            spend_cap_id,
        )
        return found

    async def list(self, customer_id: CustomerId, page: Page) -> list[SpendCap]:
        """Return a page, and one row more if there is one, ordered by credit type, group key and value."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM ledger.spend_caps WHERE customer_id = $1"
            " AND ($2::text[] IS NULL OR (credit_type_id, group_key, group_value) > ($2[1], $2[2], $2[3]))"
            " ORDER BY credit_type_id, group_key, group_value LIMIT $3",
            customer_id,
            list(page.after) if page.after else None,
            page.size + 1,
        )
        return list(map(cap_from_row, rows))
