# SPDX-License-Identifier: Apache-2.0
"""What corrections of usage need: the entries of an event or hold and of its meter, and what was corrected before.

None of it has an index of its own on entries, except for the corrections themselves: corrections are rare, and every
index costs each call of the gate. A hold's entries are searched from the hold's time on, a meter's from the latest.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from meshkit.quantity import INT64_MAX, Credits, Quantity
from services.ledger.domain.credits.entry import Entry
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, Grant, GrantId, ProductId
from services.ledger.domain.credits.seats import SeatName
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.errors import HoldNotFound, UsageAlreadyVoided, UsageNotFound
from services.ledger.domain.rating.properties import micros_of
from services.ledger.domain.usage.commands import (
    AmendUsage,
    PieceName,
    RecordedUsage,
    UsageName,
    UsageSource,
    VoidUsage,
)
from services.ledger.domain.usage.event import RecordEvent
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey
from services.ledger.domain.usage.pieces import Left, Piece, lefts_of, pieces_of, total
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import ENTRY_COLUMNS, entry_from_row
from services.ledger.store.usage.meters import pricings

PAGE_SIZE = 500

_OF_METER = f"""
    SELECT {ENTRY_COLUMNS} FROM ledger.entries
    WHERE customer_id = $1 AND credit_type_id = $2 AND sequence < $3 AND root_rate_id = $4
        AND usage_period_start = $5 AND corrects_sequence IS NULL AND shortfall_micros <> amount_micros
    ORDER BY sequence DESC LIMIT {PAGE_SIZE}
"""
_DRAWS = f"""
    SELECT {ENTRY_COLUMNS} FROM ledger.entries
    WHERE customer_id = $1 AND credit_type_id = $2 AND sequence < $3 AND grant_id = ANY ($4::text[])
        AND effective_time >= $5 AND effective_time < $6 AND product_id IS NOT NULL AND amount_micros < 0
        AND corrects_sequence IS NULL AND ($7::text[] IS NULL OR product_id = ANY ($7))
    ORDER BY sequence DESC LIMIT {PAGE_SIZE}
"""
_DRAWS_OF_SEATS = _DRAWS.replace(
    "ORDER BY",
    "AND EXISTS (SELECT FROM unnest($8::text[], $9::text[]) AS s (group_key, value)"
    " WHERE group_values ->> s.group_key = s.value) ORDER BY",
)
_CORRECTING = f"""
    SELECT {ENTRY_COLUMNS} FROM ledger.entries
    WHERE customer_id = $1 AND credit_type_id = $2 AND corrects_sequence = ANY ($3::bigint[])
    ORDER BY sequence
"""
# A capture draws what the hold had reserved first, and the excess when it is captured, as all of a late capture.
_HELD = """
    SELECT e.sequence, h.create_time
    FROM ledger.entries e JOIN ledger.holds h ON h.customer_id = e.customer_id AND h.hold_id = e.hold_id
    WHERE e.customer_id = $1 AND e.credit_type_id = $2 AND e.sequence = ANY ($3::bigint[])
        AND e.kind = 'CAPTURE' AND e.create_time < h.expire_time
        AND (
            SELECT coalesce(-sum(b.amount_micros), 0) FROM ledger.entries b
            WHERE b.customer_id = e.customer_id AND b.credit_type_id = e.credit_type_id
                AND b.effective_time = e.effective_time AND b.product_id IS NOT NULL AND b.hold_id = e.hold_id
                AND b.kind = 'CAPTURE' AND b.sequence < e.sequence
        ) < (SELECT sum(micros) FROM unnest(h.draw_micros) AS micros)
"""
# An amended event counts on the meter if one of its present pieces does.
_LARGEST = """
    SELECT max((coalesce(c.properties, e.properties) ->> $6)::numeric)::text
    FROM (
        SELECT DISTINCT transaction_id FROM ledger.entries
        WHERE customer_id = $1 AND credit_type_id = $2 AND root_rate_id = $3 AND usage_period_start = $4
            AND transaction_id IS NOT NULL AND transaction_id <> $5
    ) AS t JOIN ledger.usage_events e ON e.customer_id = $1 AND e.transaction_id = t.transaction_id
    LEFT JOIN LATERAL (
        SELECT kind, properties, piece_credit_type_ids, piece_sequences FROM ledger.usage_corrections
        WHERE customer_id = $1 AND source = 'EVENT' AND source_id = t.transaction_id ORDER BY number DESC LIMIT 1
    ) AS c ON true
    WHERE c.kind IS NULL OR (c.kind = 'AMENDMENT' AND EXISTS (
        SELECT FROM unnest(c.piece_credit_type_ids, c.piece_sequences) AS p (credit_type_id, sequence)
        JOIN ledger.entries x ON x.customer_id = $1 AND x.credit_type_id = p.credit_type_id AND x.sequence = p.sequence
        WHERE p.credit_type_id = $2 AND x.root_rate_id = $3 AND x.usage_period_start = $4
    ))
"""


class Corrections:
    """Recorded usage and its corrections, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def pools_of(self, customer_id: CustomerId, usage: UsageName) -> list[CreditTypeId]:
        """Return the credit types of the pools that usage was charged to. Raises HoldNotFound, UsageNotFound."""
        if usage.source is UsageSource.HOLD:
            return [await self._pool_of_hold(customer_id, usage)]
        rows = await self._connection.fetch(
            "SELECT DISTINCT credit_type_id FROM ledger.entries WHERE customer_id = $1 AND transaction_id = $2"
            " ORDER BY credit_type_id",
            customer_id,
            usage.usage_id,
        )
        return [CreditTypeId(row["credit_type_id"]) for row in rows]

    async def find(self, customer_id: CustomerId, usage: UsageName) -> RecordedUsage:
        """Lock an event, and return recorded usage as corrected so far. Raises UsageNotFound, UsageAlreadyVoided."""
        event = None if usage.source is UsageSource.HOLD else await self._event(customer_id, usage.usage_id)
        last = await self._connection.fetchrow(
            "SELECT number, kind, event_time, properties, piece_credit_type_ids, piece_sequences"
            " FROM ledger.usage_corrections"
            " WHERE customer_id = $1 AND source = $2 AND source_id = $3 ORDER BY number DESC LIMIT 1",
            customer_id,
            usage.source.value,
            usage.usage_id,
        )
        if last is None:
            return RecordedUsage(event=event, corrections=0, pieces=None)
        if last["kind"] == "VOID":
            raise UsageAlreadyVoided(usage_id=usage.usage_id)
        assert event is not None  # holds are not amended
        return RecordedUsage(
            event=replace(event, timestamp=last["event_time"], properties=last["properties"]),
            corrections=last["number"],
            pieces=frozenset(zip(last["piece_credit_type_ids"], last["piece_sequences"], strict=True)),
        )

    async def insert(
        self,
        customer_id: CustomerId,
        command: VoidUsage | AmendUsage,
        *,
        number: int,
        at: datetime,
        event: RecordEvent | None = None,
        pieces: Sequence[PieceName] = (),
    ) -> None:
        """Store that usage was corrected, why and by whom. event, pieces: of an amendment, what it is now."""
        await self._connection.execute(
            "INSERT INTO ledger.usage_corrections (customer_id, source, source_id, number, kind, request_id, reason,"
            " actor, create_time, event_time, properties, piece_credit_type_ids, piece_sequences)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            customer_id,
            command.usage.source.value,
            command.usage.usage_id,
            number,
            "VOID" if event is None else "AMENDMENT",
            command.request_id,
            command.reason,
            command.actor,
            at,
            event.timestamp if event else None,
            dict(event.properties) if event else None,
            [credit_type_id for credit_type_id, _ in pieces],
            [sequence for _, sequence in pieces],
        )

    async def pieces_of(self, key: PoolKey, usage: UsageName, recorded: RecordedUsage) -> tuple[Piece, ...]:
        """Return what usage comes to in one pool, by product, as corrected so far."""
        entries = (
            await self.entries_of_hold(key, usage.usage_id)
            if usage.source is UsageSource.HOLD
            else await self._entries_of_event(key, usage.usage_id)
        )
        pieces = pieces_of(entries, await self.corrections_of(key, entries), await self.held(key, entries))
        if recorded.pieces is None:
            return pieces
        return tuple(
            piece
            for piece in pieces
            if any((key[1], left.entry.sequence) in recorded.pieces for left in piece.lefts)
        )

    async def latest_of_meter(
        self, key: PoolKey, meter_key: MeterKey, amount: Credits, *, without: Piece
    ) -> list[Left]:
        """Return the latest entries of a meter of which `amount` is left in total, newest first. without: left out."""
        own = {left.entry.sequence for left in without.lefts}
        meter = meter_key.root_rate_id, meter_key.period_start
        return await self._latest(_OF_METER, key, meter, amount, without=own)

    async def draws_in_time_of(
        self,
        key: PoolKey,
        grant: Grant,
        later: Sequence[GrantId],
        amount: Credits,
        *,
        of: Sequence[SeatName] | None = None,
    ) -> list[Left]:
        """Return what other grants paid for usage dated in the life of a grant and in its scope, newest first.

        later: the other grants. amount: it stops when so much is left of the draws in total. of: only usage with one of
        these group values; None: any.
        """
        if not later:
            return []
        scope = sorted(grant.scope_product_ids) or None
        arguments = list(later), grant.effective_time, grant.expire_time, scope
        if of is None:
            return await self._latest(_DRAWS, key, arguments, amount)
        names = [group_key for group_key, _ in of], [value for _, value in of]
        return await self._latest(_DRAWS_OF_SEATS, key, (*arguments, *names), amount)

    async def _latest(
        self,
        question: str,
        key: PoolKey,
        arguments: tuple[object, ...],
        amount: Credits,
        *,
        without: Collection[int] = (),
    ) -> list[Left]:
        """Return entries newest first, until `amount` is left of them in total. without: sequences to leave out."""
        found: list[Left] = []
        missing, before = amount.micros, INT64_MAX
        while missing > 0:
            rows = await self._connection.fetch(question, *key, before, *arguments)
            entries = [entry_from_row(row) for row in rows if row["sequence"] not in without]
            page = lefts_of(entries, await self.corrections_of(key, entries), await self.held(key, entries))
            found += page
            missing -= total(page).micros
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

    async def _event(self, customer_id: CustomerId, transaction_id: str) -> RecordEvent:
        row = await self._connection.fetchrow(
            "SELECT body_hash, event_type, event_time, properties FROM ledger.usage_events"
            " WHERE customer_id = $1 AND transaction_id = $2 FOR UPDATE",
            customer_id,
            transaction_id,
        )
        if row is None:
            raise UsageNotFound(usage_id=transaction_id)
        return RecordEvent(
            transaction_id=transaction_id,
            fingerprint=row["body_hash"],
            customer=customer_id,
            event_type=row["event_type"],
            timestamp=row["event_time"],
            properties=row["properties"],
        )

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

    async def entries_of_hold(self, key: PoolKey, hold_id: str) -> list[Entry]:
        """Return the entries of a hold's capture, without corrections."""
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

    async def corrections_of(self, key: PoolKey, entries: Sequence[Entry]) -> list[Entry]:
        """Return all corrections of these entries."""
        if not entries:
            return []
        rows = await self._connection.fetch(_CORRECTING, *key, [entry.sequence for entry in entries])
        return list(map(entry_from_row, rows))

    async def held(self, key: PoolKey, entries: Sequence[Entry]) -> dict[int, datetime]:
        """Return, by sequence, the times of the holds that had reserved what these entries captured."""
        sequences = [
            one.sequence for one in entries if one.usage is not None and one.usage.hold_id is not None
        ]
        if not sequences:
            return {}
        rows = await self._connection.fetch(_HELD, *key, sequences)
        return {row["sequence"]: row["create_time"] for row in rows}
