# SPDX-License-Identifier: Apache-2.0
"""Spend caps, in two tables.

ledger.spend_caps has what the previous version can read and replace: of each group value, at most one cap of the
vendor, by usage period or day. ledger.caps has all others. While the previous version still serves, it knows none of
those, and its SetSpendCap may put a second cap of the same identity into ledger.spend_caps: until it is set again, the
stricter one holds. A later release can move everything into ledger.caps.
"""

from datetime import datetime
from typing import Final

from meshkit.page import Page
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.gate.spend_cap import OWN_KEY, CapOwner, SpendCap
from services.ledger.domain.gate.windows import ZONE_DEFAULT, CapWindow
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import Row, cap_from_row

# What ledger.spend_caps says of a cap of its own accord.
_IMPLIED = "'VENDOR' AS owner, 0::smallint AS window_hours"
_COLUMNS = (
    "spend_cap_id, credit_type_id, group_key, group_value, limit_micros, cap_window, create_time, is_shadow"
)
_OWN_COLUMNS = f"{_COLUMNS}, owner, window_hours"
_ALL: Final = f"""(
    SELECT customer_id, {_COLUMNS}, {_IMPLIED} FROM ledger.spend_caps WHERE customer_id = $1
    UNION ALL
    SELECT customer_id, {_OWN_COLUMNS} FROM ledger.caps WHERE customer_id = $1
) AS c"""
_PLAIN_WINDOWS: Final = frozenset({CapWindow.BILLING_PERIOD, CapWindow.DAY})


class Caps:
    """The spend caps of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def set(self, customer_id: CustomerId, cap: SpendCap) -> SpendCap:
        """Set a cap. One of the same identity is replaced, and keeps its id and create_time.

        The customer must be locked.
        """
        row = await self._replace(customer_id, cap)
        if row is None and _is_plain(cap):
            row = await self._set_plain(customer_id, cap)
        if row is None:
            row = await self._connection.fetchrow(
                f"INSERT INTO ledger.caps (customer_id, {_OWN_COLUMNS})"
                f" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING {_OWN_COLUMNS}",
                customer_id,
                cap.spend_cap_id,
                cap.credit_type_id,
                cap.group_key,
                cap.group_value,
                cap.limit.micros,
                cap.window.value,
                cap.create_time,
                cap.is_shadow,
                cap.owner.value,
                cap.hours,
            )
        assert row is not None
        return cap_from_row(row)

    async def _replace(self, customer_id: CustomerId, cap: SpendCap) -> Row | None:
        """Replace a cap of ledger.caps; what the previous version has put beside it goes."""
        row: Row | None = await self._connection.fetchrow(
            "UPDATE ledger.caps SET limit_micros = $8, is_shadow = $9 WHERE customer_id = $1 AND credit_type_id = $2"
            " AND owner = $3 AND group_key = $4 AND group_value = $5 AND cap_window = $6 AND window_hours = $7"
            f" RETURNING {_OWN_COLUMNS}",
            customer_id,
            cap.credit_type_id,
            cap.owner.value,
            cap.group_key,
            cap.group_value,
            cap.window.value,
            cap.hours,
            cap.limit.micros,
            cap.is_shadow,
        )
        if row is not None and _is_plain(cap):
            await self._connection.execute(
                "DELETE FROM ledger.spend_caps WHERE customer_id = $1 AND credit_type_id = $2 AND group_key = $3"
                " AND group_value = $4 AND cap_window = $5",
                customer_id,
                cap.credit_type_id,
                cap.group_key,
                cap.group_value,
                cap.window.value,
            )
        return row

    async def _set_plain(self, customer_id: CustomerId, cap: SpendCap) -> Row | None:
        """Set a cap in ledger.spend_caps; None if that has a cap on the same value in another window."""
        row: Row | None = await self._connection.fetchrow(
            f"INSERT INTO ledger.spend_caps AS c (customer_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            " ON CONFLICT (customer_id, credit_type_id, group_key, group_value)"
            " DO UPDATE SET limit_micros = $6, is_shadow = $9 WHERE c.cap_window = $7"
            f" RETURNING {_COLUMNS}, {_IMPLIED}",
            customer_id,
            cap.spend_cap_id,
            cap.credit_type_id,
            cap.group_key,
            cap.group_value,
            cap.limit.micros,
            cap.window.value,
            cap.create_time,
            cap.is_shadow,
        )
        return row

    async def find(self, customer_id: CustomerId, spend_cap_id: str) -> SpendCap | None:
        row = await self._connection.fetchrow(
            f"SELECT {_OWN_COLUMNS} FROM {_ALL} WHERE spend_cap_id = $2", customer_id, spend_cap_id
        )
        return None if row is None else cap_from_row(row)

    async def all(self, customer_id: CustomerId) -> list[SpendCap]:
        rows = await self._connection.fetch(f"SELECT {_OWN_COLUMNS} FROM {_ALL}", customer_id)
        return list(map(cap_from_row, rows))

    async def time_zone(self, customer_id: CustomerId) -> str:
        zone: str | None = await self._connection.fetchval(
            "SELECT time_zone FROM ledger.customers WHERE customer_id = $1", customer_id
        )
        return zone or ZONE_DEFAULT

    async def set_time_zone(self, customer_id: CustomerId, zone: str) -> None:
        await self._connection.execute(
            "UPDATE ledger.customers SET time_zone = $2 WHERE customer_id = $1", customer_id, zone
        )

    async def lift(self, customer_id: CustomerId, spend_cap_id: str, *, at: datetime) -> bool:
        """Remove a cap; returns whether it exists or existed once. Removing it again changes nothing."""
        found: bool = await self._connection.fetchval(
            "WITH gone AS (DELETE FROM ledger.spend_caps WHERE customer_id = $1 AND spend_cap_id = $2 RETURNING true),"
            " also AS (DELETE FROM ledger.caps WHERE customer_id = $1 AND spend_cap_id = $2 RETURNING true),"
            " either AS (SELECT true FROM gone UNION ALL SELECT true FROM also),"
            " kept AS (INSERT INTO ledger.lifted_spend_caps (customer_id, spend_cap_id, lift_time)"
            " SELECT $1, $2, $3 FROM either)"
            " SELECT EXISTS (SELECT FROM either)",
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
        """Return a page, and one row more if there is one, ordered by credit type, group key, value and id."""
        rows = await self._connection.fetch(
            f"SELECT {_OWN_COLUMNS} FROM {_ALL} WHERE ($2::text[] IS NULL"
            " OR (credit_type_id, group_key, group_value, spend_cap_id) > ($2[1], $2[2], $2[3], $2[4]))"
            " ORDER BY credit_type_id, group_key, group_value, spend_cap_id LIMIT $3",
            customer_id,
            list(page.after) if page.after else None,
            page.size + 1,
        )
        return list(map(cap_from_row, rows))


def _is_plain(cap: SpendCap) -> bool:
    """Whether the previous version knows caps of this kind."""
    return cap.owner is CapOwner.VENDOR and cap.group_key != OWN_KEY and cap.window in _PLAIN_WINDOWS
