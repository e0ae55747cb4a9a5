# SPDX-License-Identifier: Apache-2.0
"""How many payments the provider is still asked about, for /metrics."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.contract.tables import invoice_charges, payments

KINDS: Final[dict[str, Table]] = {"top_up": payments, "invoice": invoice_charges}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPayments:
    """kind: top_up or invoice. by_state: how many. due_time: when the first of them was or is to be asked about."""

    kind: str
    by_state: dict[str, int]
    due_time: datetime | None


async def open_payments(connection: AsyncConnection) -> list[OpenPayments]:
    """Return what is open of each kind. The indexes on due_time hold open payments only."""
    found = []
    for kind, table in KINDS.items():
        counted = (
            select(table.c.state, func.count().label("count"), func.min(table.c.due_time).label("due_time"))
            .where(table.c.due_time.is_not(None))
            .group_by(table.c.state)
        )
        rows = (await connection.execute(counted)).all()
        found.append(
            OpenPayments(
                kind=kind,
                by_state={row.state: row._mapping["count"] for row in rows},
                due_time=min((row.due_time for row in rows), default=None),
            )
        )
    return found
