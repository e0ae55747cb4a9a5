# SPDX-License-Identifier: Apache-2.0
"""What corrections of usage need: the entries of an event or hold and of its meter, and what was corrected before.

None of it has an index of its own on entries, except for the corrections themselves: corrections are rare, and every
index costs each call of the gate. A hold's entries are searched from the hold's time on, a meter's from the latest.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from meshkit.quantity import INT64_MAX, Credits, Quantity
from services.ledger.domain.credits.entry import Entry
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.errors import HoldNotFound, UsageAlreadyVoided, UsageNotFound
from services.ledger.domain.rating.properties import micros_of
from services.ledger.domain.usage.commands import UsageName, UsageSource, VoidUsage
from services.ledger.domain.usage.corrections import Left, Piece, lefts_of, pieces_of
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import ENTRY_COLUMNS, entry_from_row
from services.ledger.store.usage.meters import pricings

PAGE_SIZE = 500

_OF_METER = f"""
    SELECT {ENTRY_COLUMNS} FROM ledger.entries
    WHERE customer_id = $1 AND credit_type_id = $2 AND sequence < $5 AND root_rate_id = $3
        AND usage_period_start = $4 AND corrects_sequence IS NULL AND shortfall_micros <> amount_micros
    ORDER BY sequence DESC LIMIT {PAGE_SIZE}
"""
_CORRECTING = f"""
    SELECT {ENTRY_COLUMNS} FROM ledger.entries
    WHERE customer_id = $1 AND credit_type_id = $2 AND corrects_sequence = ANY ($3::bigint[])
    ORDER BY sequence
"""
_LARGEST = """
    SELECT max((e.properties ->> $6)::numeric)::text
    FROM (
        SELECT DISTINCT transaction_id FROM ledger.entries
        WHERE customer_id = $1 AND credit_type_id = $2 AND root_rate_id = $3 AND usage_period_start = $4
            AND transaction_id IS NOT NULL AND transaction_id <> $5
    ) AS t JOIN ledger.usage_events e ON e.customer_id = $1 AND e.transaction_id = t.transaction_id
    WHERE NOT EXISTS (
        SELECT FROM ledger.usage_corrections c
        WHERE c.customer_id = $1 AND c.source = 'EVENT' AND c.source_id = t.transaction_id AND c.kind = 'VOID'
    )
"""


class Corrections:
    """Recorded usage and its corrections, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def pools_of(self, customer_id: CustomerId, usage: UsageName) -> list[CreditTypeId]:
        """Return the credit types of the pools that usage was charged to. Raises UsageNotFound, HoldNotFound."""
        if usage.source is UsageSource.HOLD:
            return [await self._pool_of_hold(customer_id, usage)]
        await self.properties_of(customer_id, usage)
        rows = await self._connection.fetch(
            "SELECT DISTINCT credit_type_id FROM ledger.entries WHERE customer_id = $1 AND transaction_id = $2"
            " ORDER BY credit_type_id",
            customer_id,
            usage.usage_id,
        )
        return [CreditTypeId(row["credit_type_id"]) for row in rows]

    async def properties_of(self, customer_id: CustomerId, usage: UsageName) -> Mapping[str, str]:
        """Return what an event reported; nothing for a hold. Raises UsageNotFound."""
        if usage.source is UsageSource.HOLD:
            return {}
        properties: Mapping[str, str] | None = await self._connection.fetchval(
            "SELECT properties FROM ledger.usage_events WHERE customer_id = $1 AND transaction_id = $2",
            customer_id,
            usage.usage_id,
        )
        if properties is None:
            raise UsageNotFound(usage_id=usage.usage_id)
        return properties

    async def next_number(self, customer_id: CustomerId, usage: UsageName) -> int:
        """Return the number of the next correction of usage. Raises UsageAlreadyVoided."""
        last = await self._connection.fetchrow(
            "SELECT number, kind FROM ledger.usage_corrections"
            " WHERE customer_id = $1 AND source = $2 AND source_id = $3 ORDER BY number DESC LIMIT 1",
            customer_id,
            usage.source.value,
            usage.usage_id,
        )
        if last is None:
            return 1
        if last["kind"] == "VOID":
            raise UsageAlreadyVoided(usage_id=usage.usage_id)
        number: int = last["number"] + 1
        return number

    async def insert_void(
        self, customer_id: CustomerId, command: VoidUsage, *, number: int, at: datetime
    ) -> None:
        """Store that usage was voided, why and by whom."""
        await self._connection.execute(
            "INSERT INTO ledger.usage_corrections (customer_id, source, source_id, number, kind, request_id, reason,"
            " actor, create_time) VALUES ($1, $2, $3, $4, 'VOID', $5, $6, $7, $8)",
            customer_id,
            command.usage.source.value,
            command.usage.usage_id,
            number,
            command.request_id,
            command.reason,
            command.actor,
            at,
        )

    async def pieces_of(self, key: PoolKey, usage: UsageName) -> tuple[Piece, ...]:
        """Return what usage came to in one pool, by product, as corrected so far."""
        entries = (
            await self._entries_of_hold(key, usage.usage_id)
            if usage.source is UsageSource.HOLD
            else await self._entries_of_event(key, usage.usage_id)
        )
        return pieces_of(entries, await self._corrections_of(key, entries))

    async def latest_of_meter(
        self, key: PoolKey, meter_key: MeterKey, amount: Credits, *, without: Piece
    ) -> list[Left]:
        """Return the latest entries of a meter of which `amount` is left in total, newest first. without: left out."""
        own = {left.entry.sequence for left in without.lefts}
        found: list[Left] = []
        missing, before = amount.micros, INT64_MAX
        while missing > 0:
            rows = await self._connection.fetch(
                _OF_METER, *key, meter_key.root_rate_id, meter_key.period_start, before
            )
            entries = [entry_from_row(row) for row in rows if row["sequence"] not in own]
            page = lefts_of(entries, await self._corrections_of(key, entries))
            found += page
            missing -= sum(left.credits.micros for left in page)
            if len(rows) < PAGE_SIZE:
                break
            before = rows[-1]["sequence"]
        return found

    async def price_of(self, key: PoolKey, meter_key: MeterKey) -> MeteredPrice:
        """Return the price by which a stored meter is costed."""
        row = await self._connection.fetchrow(
            "SELECT product_id, rate_id FROM ledger.meters WHERE customer_id = $1 AND credit_type_id = $2"
            " AND root_rate_id = $3 AND period_start = $4",
            *key,
            meter_key.root_rate_id,
            meter_key.period_start,
        )
        assert row is not None  # entries name it
        known = await pricings(self._connection, [row["rate_id"]])
        return MeteredPrice(
            meter_key=meter_key,
            product_id=ProductId(row["product_id"]),
            rate_id=row["rate_id"],
            pricing=known[row["rate_id"]],
        )

    async def largest_reported(
        self, key: PoolKey, meter_key: MeterKey, property_name: str, *, without: str
    ) -> Quantity:
        """Return the largest value that the events of a meter report, but for one of them; 0 if there is no other."""
        largest: str | None = await self._connection.fetchval(
            _LARGEST, *key, meter_key.root_rate_id, meter_key.period_start, without, property_name
        )
        return Quantity(0 if largest is None else micros_of({property_name: largest}, property_name))

    async def _pool_of_hold(self, customer_id: CustomerId, usage: UsageName) -> CreditTypeId:
        row = await self._connection.fetchrow(
            "SELECT credit_type_id, state FROM ledger.holds WHERE customer_id = $1 AND hold_id = $2",
            customer_id,
            usage.usage_id,
        )
        if row is None:
            raise HoldNotFound(hold_id=usage.usage_id)
        if row["state"] != "CAPTURED":
            raise UsageNotFound(usage_id=usage.usage_id)
        return CreditTypeId(row["credit_type_id"])

    async def _entries_of_event(self, key: PoolKey, transaction_id: str) -> list[Entry]:
        rows = await self._connection.fetch(
            f"SELECT {ENTRY_COLUMNS} FROM ledger.entries WHERE customer_id = $1 AND credit_type_id = $2"
            " AND transaction_id = $3 AND corrects_sequence IS NULL ORDER BY sequence",
            *key,
            transaction_id,
        )
        return list(map(entry_from_row, rows))

    async def _entries_of_hold(self, key: PoolKey, hold_id: str) -> list[Entry]:
        # All entries of a capture have one effective_time, at or after the hold's own time.
        used_time = await self._connection.fetchval(
            "SELECT e.effective_time FROM ledger.holds h JOIN ledger.entries e ON e.customer_id = h.customer_id"
            " AND e.product_id IS NOT NULL AND e.effective_time >= h.create_time AND e.hold_id = h.hold_id"
            " WHERE h.customer_id = $1 AND h.hold_id = $2 ORDER BY e.effective_time LIMIT 1",
            key[0],
            hold_id,
        )
        rows = await self._connection.fetch(
            f"SELECT {ENTRY_COLUMNS} FROM ledger.entries WHERE customer_id = $1 AND credit_type_id = $2"
            " AND effective_time = $3 AND product_id IS NOT NULL AND hold_id = $4 AND corrects_sequence IS NULL"
            " ORDER BY sequence",
            *key,
            used_time,
            hold_id,
        )
        return list(map(entry_from_row, rows))

    async def _corrections_of(self, key: PoolKey, entries: Sequence[Entry]) -> list[Entry]:
        if not entries:
            return []
        rows = await self._connection.fetch(_CORRECTING, *key, [entry.sequence for entry in entries])
        return list(map(entry_from_row, rows))
