# SPDX-License-Identifier: Apache-2.0
"""Sets copies back, and records who asked for it and why."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from meshkit.requests import check_same_body
from services.ledger.domain.copy_repair import VERSION_AFTER_REPAIR, CopyKind, RepairCopy, RepairedCopy
from services.ledger.domain.errors import CopyNotFound
from services.ledger.store.audit import Audit
from services.ledger.store.connection import Connection

# Where a copy of each kind may be, and by which column its id finds it.
_TABLES: Final[Mapping[CopyKind, tuple[tuple[str, ...], str]]] = {
    CopyKind.CUSTOMER: (("customers",), "customer_id"),
    CopyKind.PRODUCT: (("products",), "product_id"),
    CopyKind.RATE_CARD: (("rate_cards",), "rate_card_id"),
    CopyKind.CONTRACT: (("contracts",), "contract_id"),
    CopyKind.WATCH: (("watches", "more_watches"), "alert_id"),
}


class CopyRepairs:
    """Repairs of copies, in one transaction."""

    def __init__(self, connection: Connection, audit: Audit) -> None:
        self._connection = connection
        self._audit = audit

    async def find(self, command: RepairCopy) -> RepairedCopy | None:
        """Return what this request has done before; None if it is new. Raises RequestIdReused."""
        row = await self._connection.fetchrow(
            "SELECT body_hash, number_before FROM ledger.copy_repairs WHERE request_id = $1",
            command.request_id,
        )
        if row is None:
            return None
        check_same_body(command, row["body_hash"])
        return RepairedCopy(number_before=row["number_before"])

    async def insert(self, command: RepairCopy, repaired: RepairedCopy, *, at: datetime) -> None:
        """Record a repair. A twin's unique violation ends the transaction."""
        await self._connection.execute(
            "INSERT INTO ledger.copy_repairs (request_id, body_hash, copy_kind, copy_id, customer_id, subscription_id,"
            " number_before, reason, actor, create_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            command.request_id,
            command.fingerprint,
            command.kind.value,
            command.copy_id,
            command.customer_id,
            command.subscription_id,
            repaired.number_before,
            command.reason,
            command.actor,
            at,
        )
        await self._audit.record({"copy_id": command.copy_id})

    async def set_version_back(self, command: RepairCopy) -> int:
        """Set the version of a copy to the lowest; returns what it was. Raises CopyNotFound."""
        tables, column = _TABLES[command.kind]
        of_customer = " AND customer_id = $2" if command.kind is CopyKind.CONTRACT else ""
        key = (command.copy_id, command.customer_id) if of_customer else (command.copy_id,)
        for table in tables:
            before: int | None = await self._connection.fetchval(
                f"SELECT version FROM ledger.{table} WHERE {column} = $1{of_customer} FOR UPDATE", *key
            )
            if before is not None:
                await self._connection.execute(
                    f"UPDATE ledger.{table} SET version = {VERSION_AFTER_REPAIR}"
                    f" WHERE {column} = $1{of_customer}",
                    *key,
                )
                return before
        raise CopyNotFound(copy_kind=command.kind.value, copy_id=command.copy_id)
