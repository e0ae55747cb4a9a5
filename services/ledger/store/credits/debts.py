# SPDX-License-Identifier: Apache-2.0
"""Statements about debts. Whoever writes an entry has locked the pool of the grant that it is about."""

from collections.abc import Sequence
from typing import Final

from meshkit.ids import Ids
from meshkit.page import Page
from meshkit.quantity import Credits
from services.ledger.domain.credits.debt import Debt, DebtEntry, DebtHistory, DebtKind
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, GrantId
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import GRANT_COLUMNS, Row, grant_from_row, prefixed

_COLUMNS: Final = """
    kind, grant_id, credit_type_id, refund_id, currency_code, create_time, to_void_micros, refunded_micros,
    recovered_micros, taken_micros, given_back_micros, other_grant_id
"""
# The oldest debt first.
_OPEN: Final = f"""
    SELECT g.credit_type_id, e.currency_code, {prefixed("g", GRANT_COLUMNS)}
    FROM ledger.grants g CROSS JOIN LATERAL (
        SELECT d.debt_entry_id, d.currency_code FROM ledger.debt_entries d
        WHERE d.customer_id = g.customer_id AND d.grant_id = g.grant_id
        ORDER BY d.debt_entry_id LIMIT 1
    ) AS e
    WHERE g.customer_id = $1 AND g.to_void_micros IS NOT NULL AND g.to_void_micros > g.voided_micros
    ORDER BY e.debt_entry_id
"""


class Debts:
    """The debts, seen from one transaction."""

    def __init__(self, connection: Connection, ids: Ids) -> None:
        self._connection = connection
        self._ids = ids

    async def open_of(self, customer_id: CustomerId) -> list[Debt]:
        """Return what a customer owes, the oldest debt first."""
        rows = await self._connection.fetch(_OPEN, customer_id)
        return [
            Debt(
                grant=grant_from_row(row),
                credit_type_id=CreditTypeId(row["credit_type_id"]),
                currency_code=row["currency_code"],
            )
            for row in rows
        ]

    async def history(self, customer_id: CustomerId, grant_id: GrantId) -> DebtHistory:
        """Return what was written about the debt of a grant, and what it has paid for others'."""
        rows = await self._connection.fetch(
            f"SELECT {_COLUMNS} FROM ledger.debt_entries WHERE customer_id = $1 AND grant_id = $2"
            " ORDER BY debt_entry_id",
            customer_id,
            grant_id,
        )
        paid = await self._connection.fetchval(
            "SELECT coalesce(sum(taken_micros), 0)::bigint FROM ledger.debt_entries"
            " WHERE customer_id = $1 AND other_grant_id = $2 AND kind = 'RECOVERY'",
            customer_id,
            grant_id,
        )
        return DebtHistory(entries=tuple(map(_from_row, rows)), paid_for_others=Credits(paid))

    async def refunded_grant(self, customer_id: CustomerId, refund_id: str) -> GrantId | None:
        """Return the grant that a refund with a debt was of; None if there is no such refund."""
        grant_id: GrantId | None = await self._connection.fetchval(
            "SELECT grant_id FROM ledger.debt_entries WHERE customer_id = $1 AND refund_id = $2 AND kind = 'REFUND'",
            customer_id,
            refund_id,
        )
        return grant_id

    async def insert(self, customer_id: CustomerId, entries: Sequence[DebtEntry]) -> None:
        """Write entries in this order."""
        await self._connection.executemany(
            f"INSERT INTO ledger.debt_entries (customer_id, debt_entry_id, {_COLUMNS})"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            [(customer_id, self._ids.new("dbt"), *_to_row(entry)) for entry in entries],
        )

    async def listed(self, customer_id: CustomerId, page: Page) -> list[tuple[str, DebtEntry]]:
        """Return a page of entries with their ids, newest first, and one more if there is one."""
        rows = await self._connection.fetch(
            f"SELECT debt_entry_id, {_COLUMNS} FROM ledger.debt_entries WHERE customer_id = $1"
            " AND ($2::text IS NULL OR debt_entry_id < $2) ORDER BY debt_entry_id DESC LIMIT $3",
            customer_id,
            page.after[0] if page.after else None,
            page.size + 1,
        )
        return [(row["debt_entry_id"], _from_row(row)) for row in rows]


def _to_row(entry: DebtEntry) -> tuple[object, ...]:
    """Return the values in the order of _COLUMNS."""
    return (
        entry.kind.value,
        entry.grant_id,
        entry.credit_type_id,
        entry.refund_id or None,
        entry.currency_code,
        entry.create_time,
        entry.to_void.micros,
        entry.refunded.micros,
        entry.recovered.micros,
        entry.taken.micros,
        entry.given_back.micros,
        entry.other_grant_id,
    )


def _from_row(row: Row) -> DebtEntry:
    return DebtEntry(
        kind=DebtKind(row["kind"]),
        grant_id=GrantId(row["grant_id"]),
        credit_type_id=CreditTypeId(row["credit_type_id"]),
        refund_id=row["refund_id"] or "",
        currency_code=row["currency_code"],
        create_time=row["create_time"],
        to_void=Credits(row["to_void_micros"]),
        refunded=Credits(row["refunded_micros"]),
        recovered=Credits(row["recovered_micros"]),
        taken=Credits(row["taken_micros"]),
        given_back=Credits(row["given_back_micros"]),
        other_grant_id=None if row["other_grant_id"] is None else GrantId(row["other_grant_id"]),
    )
