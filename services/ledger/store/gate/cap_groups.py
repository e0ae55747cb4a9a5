# SPDX-License-Identifier: Apache-2.0
"""Groups of values that share caps."""

from collections.abc import Collection, Mapping

from meshkit.page import Page
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.gate.cap_group import CapGroup
from services.ledger.domain.gate.recounting import GroupMembers
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.gate.subjects import group_of, of_group
from services.ledger.store.citus import fetch_by_customer
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import Row

_COLUMNS = "cap_group_id, name, group_key, create_time"
_SIZE = """(SELECT count(*) FROM ledger.cap_group_values v
    WHERE v.customer_id = g.customer_id AND v.cap_group_id = g.cap_group_id) AS size"""


class CapGroups:
    """The groups of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, customer_id: CustomerId, cap_group_id: str) -> CapGroup | None:
        row = await self._connection.fetchrow(
            f"SELECT {_COLUMNS}, {_SIZE} FROM ledger.cap_groups g WHERE customer_id = $1 AND cap_group_id = $2",
            customer_id,
            cap_group_id,
        )
        return None if row is None else _group_from_row(row)

    async def values(self, customer_id: CustomerId, cap_group_id: str) -> list[str]:
        """Return the values of a group, in order."""
        rows = await self._connection.fetch(
            "SELECT group_value FROM ledger.cap_group_values WHERE customer_id = $1 AND cap_group_id = $2"
            " ORDER BY group_value",
            customer_id,
            cap_group_id,
        )
        return [row["group_value"] for row in rows]

    async def members_of(self, customer_id: CustomerId, subject: GroupValue) -> GroupMembers | None:
        """Return the members of the group that a subject is; None for any other subject."""
        cap_group_id = group_of(subject)
        if not cap_group_id:
            return None
        group = await self.find(customer_id, cap_group_id)
        if group is None:
            return GroupMembers("", frozenset())
        return GroupMembers(group.group_key, frozenset(await self.values(customer_id, cap_group_id)))

    async def in_other_group(
        self, customer_id: CustomerId, group: CapGroup, values: Collection[str]
    ) -> tuple[str, str] | None:
        """Return one of these values that is in another group, and that group."""
        row = await self._connection.fetchrow(
            "SELECT group_value, cap_group_id FROM ledger.cap_group_values WHERE customer_id = $1 AND group_key = $2"
            " AND group_value = ANY ($3) AND cap_group_id <> $4 ORDER BY group_value LIMIT 1",
            customer_id,
            group.group_key,
            list(values),
            group.cap_group_id,
        )
        return None if row is None else (row["group_value"], row["cap_group_id"])

    async def set(self, customer_id: CustomerId, group: CapGroup, values: Collection[str]) -> None:
        """Write a group, with exactly these values. The customer must be locked."""
        await self._connection.execute(
            f"INSERT INTO ledger.cap_groups (customer_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (customer_id, cap_group_id) DO UPDATE SET name = $3",
            customer_id,
            group.cap_group_id,
            group.name,
            group.group_key,
            group.create_time,
        )
        await self._connection.execute(
            "DELETE FROM ledger.cap_group_values WHERE customer_id = $1 AND cap_group_id = $2"
            " AND group_value <> ALL ($3)",
            customer_id,
            group.cap_group_id,
            list(values),
        )
        await self._connection.execute(
            "INSERT INTO ledger.cap_group_values (customer_id, group_key, group_value, cap_group_id)"
            " SELECT $1, $2, v, $4 FROM unnest($3::text[]) AS v"
            " ON CONFLICT (customer_id, group_key, group_value) DO NOTHING",
            customer_id,
            group.group_key,
            list(values),
            group.cap_group_id,
        )

    async def remove(self, customer_id: CustomerId, cap_group_id: str) -> None:
        for table in ("cap_group_values", "cap_groups"):
            await self._connection.execute(
                f"DELETE FROM ledger.{table} WHERE customer_id = $1 AND cap_group_id = $2",
                customer_id,
                cap_group_id,
            )

    async def list(self, customer_id: CustomerId, page: Page) -> list[CapGroup]:
        """Return a page, and one more if there is one, by group key, name and id."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS}, {_SIZE} FROM ledger.cap_groups g WHERE customer_id = $1 AND ($2::text[] IS NULL"
            " OR (group_key, name, cap_group_id) > ($2[1], $2[2], $2[3]))"
            " ORDER BY group_key, name, cap_group_id LIMIT $3",
            customer_id,
            list(page.after) if page.after else None,
            page.size + 1,
        )
        return list(map(_group_from_row, rows))


async def read_groups(
    connection: Connection, wanted: Mapping[PoolKey, Collection[GroupValue]]
) -> dict[PoolKey, dict[GroupValue, GroupValue | None]]:
    """Return which group each of these values is in, by pool; None: in none."""
    found: dict[PoolKey, dict[GroupValue, GroupValue | None]] = {
        key: dict.fromkeys(values) for key, values in wanted.items()
    }
    asked = [(key, value) for key, values in wanted.items() for value in values]
    if not asked:
        return found
    rows = await fetch_by_customer(
        connection,
        "SELECT q.customer_id, q.credit_type_id, q.group_key, q.group_value, v.cap_group_id"
        " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])"
        " AS q (customer_id, credit_type_id, group_key, group_value)"
        " JOIN ledger.cap_group_values v USING (customer_id, group_key, group_value)",
        [customer_id for (customer_id, _), _ in asked],
        [credit_type_id for (_, credit_type_id), _ in asked],
        [group_key for _, (group_key, _) in asked],
        [group_value for _, (_, group_value) in asked],
    )
    for row in rows:
        key = (row["customer_id"], row["credit_type_id"])
        found[key][row["group_key"], row["group_value"]] = of_group(row["cap_group_id"])
    return found


def _group_from_row(row: Row) -> CapGroup:
    return CapGroup(
        cap_group_id=row["cap_group_id"],
        name=row["name"],
        group_key=row["group_key"],
        create_time=row["create_time"],
        size=row["size"],
    )
