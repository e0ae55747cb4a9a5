# SPDX-License-Identifier: Apache-2.0
"""Reads stored events, and where entries come from: from events to entries and grants, and back."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from meshkit.page import Page
from meshkit.period import period_at
from meshkit.quantity import INT64_MAX, Credits, Quantity
from services.ledger.domain.credits.entry import Entry
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, GrantId
from services.ledger.domain.errors import EntryNotFound
from services.ledger.domain.rating.rate import Rate
from services.ledger.domain.usage.reads import (
    EntryOrigin,
    EventCorrection,
    EventFilter,
    EventPage,
    EventRecord,
    GrantUse,
    MeterPosition,
    ReportedEvent,
)
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import ENTRY_COLUMNS, Row, entry_from_row, prefixed
from services.ledger.store.formats import EVENT_RESULT
from services.ledger.store.gate.standings import USAGE_ANCHOR
from services.ledger.store.rates import RATE_COLUMNS, rate_from_row

# With filters, so many events are looked at for one page.
EVENTS_EXAMINED_MAX = 5_000
ENTRIES_PER_EVENT_MAX = 200
CORRECTIONS_PER_EVENT_MAX = 20

_EVENT_COLUMNS: Final = "transaction_id, event_type, event_time, receive_time, properties, result"
_ENTRIES_OF_EVENTS: Final = f"""
    SELECT e.* FROM unnest($2::text[]) AS q (transaction_id)
    CROSS JOIN LATERAL (
        SELECT credit_type_id, {ENTRY_COLUMNS} FROM ledger.entries
        WHERE customer_id = $1 AND transaction_id = q.transaction_id
        ORDER BY credit_type_id, sequence LIMIT {ENTRIES_PER_EVENT_MAX}
    ) AS e
"""
_CORRECTIONS_OF_EVENTS: Final = f"""
    SELECT c.* FROM unnest($2::text[]) AS q (transaction_id)
    CROSS JOIN LATERAL (
        SELECT source_id, kind, reason, actor, create_time, event_time, properties FROM ledger.usage_corrections
        WHERE customer_id = $1 AND source = 'EVENT' AND source_id = q.transaction_id
        ORDER BY number DESC LIMIT {CORRECTIONS_PER_EVENT_MAX}
    ) AS c
"""
# All entries of one use have its time, its cause, its dimension values and the meter's position after it.
_WHOLE_USE: Final = """
    SELECT sum(quantity_micros)::bigint AS quantity_micros,
        sum(shortfall_micros - amount_micros)::bigint AS credits_micros
    FROM ledger.entries
    WHERE customer_id = $1 AND effective_time = $2 AND product_id IS NOT NULL AND credit_type_id = $3
        AND product_id = $4 AND cause_id = $5 AND transaction_id IS NOT DISTINCT FROM $6
        AND meter_quantity_micros IS NOT DISTINCT FROM $7 AND meter_cost_micros IS NOT DISTINCT FROM $8
        AND dimension_values IS NOT DISTINCT FROM $9
"""
_GRANT_USES: Final = f"""
    SELECT e.credit_type_id, {prefixed("e", ENTRY_COLUMNS)}, v.event_type, v.event_time, v.properties
    FROM ledger.entries e
    LEFT JOIN ledger.usage_events v ON v.customer_id = e.customer_id AND v.transaction_id = e.transaction_id
    WHERE e.customer_id = $1 AND e.grant_id = $2 AND e.sequence < $3 AND e.product_id IS NOT NULL
    ORDER BY e.sequence DESC LIMIT $4
"""


class UsageHistory:
    """Events and entries of usage, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def events(self, customer_id: CustomerId, asked: EventFilter, page: Page) -> EventPage:
        """Return a page of events, the latest timestamp first.

        If status or product are asked for, at most 5,000 events are looked at: the page may be short.
        """
        arguments: list[object] = [customer_id]
        where = "customer_id = $1"
        if asked.transaction_id is not None:
            arguments.append(asked.transaction_id)
            where += f" AND transaction_id = ${len(arguments)}"
        for comparison, time in ((">=", asked.start), ("<", asked.end)):
            if time is not None:
                arguments.append(time)
                where += f" AND event_time {comparison} ${len(arguments)}"
        if page.after is not None:
            arguments += [datetime.fromisoformat(page.after[0]), page.after[1]]
            where += f" AND (event_time, transaction_id) < (${len(arguments) - 1}, ${len(arguments)})"
        order = "ORDER BY event_time DESC, transaction_id DESC"
        conditions = []
        first_condition = len(arguments) + 1
        if asked.status is not None:
            arguments.append(asked.status.value)
            conditions.append(f"status = ${len(arguments)}")
        if asked.product_id is not None:
            arguments.append([{"product_id": asked.product_id}])
            conditions.append(f"result -> 'lines' @> ${len(arguments)}::jsonb")
        examined = f"SELECT status, {_EVENT_COLUMNS} FROM ledger.usage_events WHERE {where} {order}"
        if not conditions:
            rows = await self._connection.fetch(f"{examined} LIMIT {page.size + 1}", *arguments)
            last = None
        else:
            rows = await self._connection.fetch(
                f"SELECT {_EVENT_COLUMNS} FROM ({examined} LIMIT {EVENTS_EXAMINED_MAX}) AS e"
                f" WHERE {' AND '.join(conditions)} {order} LIMIT {page.size + 1}",
                *arguments,
            )
            last = await self._connection.fetchrow(
                f"SELECT event_time, transaction_id FROM ledger.usage_events WHERE {where} {order}"
                f" OFFSET {EVENTS_EXAMINED_MAX - 1} LIMIT 1",
                *arguments[: first_condition - 1],
            )
        shown = rows[: page.size]
        if len(rows) > page.size:
            last = shown[-1]
        shown_ids = [row["transaction_id"] for row in shown]
        entries = await self._entries(customer_id, shown_ids)
        corrections = await self._corrections(customer_id, shown)
        return EventPage(
            [
                EventRecord(
                    event=_event_from_row(customer_id, row["transaction_id"], row),
                    receive_time=row["receive_time"],
                    result=EVENT_RESULT.decode(row["result"]),
                    entries=entries.get(row["transaction_id"], ()),
                    corrections=corrections.get(row["transaction_id"], ()),
                )
                for row in shown
            ],
            None if last is None else (last["event_time"].isoformat(), last["transaction_id"]),
        )

    async def origin(
        self, customer_id: CustomerId, credit_type_id: CreditTypeId, sequence: int
    ) -> EntryOrigin:
        """Return where an entry comes from. Raises EntryNotFound."""
        row = await self._connection.fetchrow(
            f"SELECT {prefixed('e', ENTRY_COLUMNS)}, {USAGE_ANCHOR} AS anchor"
            " FROM ledger.entries e JOIN ledger.customers u USING (customer_id)"
            " WHERE e.customer_id = $1 AND e.credit_type_id = $2 AND e.sequence = $3",
            customer_id,
            credit_type_id,
            sequence,
        )
        if row is None:
            raise EntryNotFound(credit_type_id=credit_type_id, sequence=sequence)
        entry = entry_from_row(row)
        usage = entry.usage
        if usage is None:
            return EntryOrigin(entry=entry)
        whole = await self._connection.fetchrow(
            _WHOLE_USE,
            customer_id,
            entry.effective_time,
            credit_type_id,
            usage.product_id,
            entry.cause_id,
            row["transaction_id"],
            row["meter_quantity_micros"],
            row["meter_cost_micros"],
            row["dimension_values"],
        )
        quantity, credits = Quantity(whole["quantity_micros"]), Credits(whole["credits_micros"])
        has_event = usage.transaction_id is not None
        return EntryOrigin(
            entry=entry,
            event=await self._event(customer_id, usage.transaction_id or "") if has_event else None,
            quantity=quantity,
            credits=credits,
            meter=_position(entry, quantity, credits, anchor=row["anchor"]),
            rate=await self._rate(customer_id, credit_type_id, entry),
        )

    async def grant_uses(self, customer_id: CustomerId, grant_id: GrantId, page: Page) -> list[GrantUse]:
        """Return a page of what a grant paid for, newest first, and one row more if there is one."""
        rows = await self._connection.fetch(
            _GRANT_USES,
            customer_id,
            grant_id,
            int(page.after[0]) if page.after else INT64_MAX,
            page.size + 1,
        )
        return [
            GrantUse(
                credit_type_id=CreditTypeId(row["credit_type_id"]),
                entry=entry_from_row(row),
                event=None
                if row["event_type"] is None
                else _event_from_row(customer_id, row["transaction_id"], row),
            )
            for row in rows
        ]

    async def _entries(
        self, customer_id: CustomerId, transaction_ids: Sequence[str]
    ) -> dict[str, list[tuple[CreditTypeId, Entry]]]:
        found: dict[str, list[tuple[CreditTypeId, Entry]]] = defaultdict(list)
        if transaction_ids:
            for row in await self._connection.fetch(_ENTRIES_OF_EVENTS, customer_id, transaction_ids):
                entry = CreditTypeId(row["credit_type_id"]), entry_from_row(row)
                found[row["transaction_id"]].append(entry)
        return found

    async def _corrections(
        self, customer_id: CustomerId, events: Sequence[Row]
    ) -> dict[str, list[EventCorrection]]:
        types = {event["transaction_id"]: event["event_type"] for event in events}
        found: dict[str, list[EventCorrection]] = defaultdict(list)
        if types:
            for row in await self._connection.fetch(_CORRECTIONS_OF_EVENTS, customer_id, list(types)):
                name = row["source_id"]
                amended = ReportedEvent(
                    transaction_id=name,
                    customer_id=customer_id,
                    event_type=types[name],
                    timestamp=row["event_time"],
                    properties=row["properties"],
                )
                found[name].append(
                    EventCorrection(
                        event=None if row["kind"] == "VOID" else amended,
                        reason=row["reason"],
                        actor=row["actor"],
                        create_time=row["create_time"],
                    )
                )
        return found

    async def _event(self, customer_id: CustomerId, transaction_id: str) -> ReportedEvent | None:
        row = await self._connection.fetchrow(
            f"SELECT {_EVENT_COLUMNS} FROM ledger.usage_events WHERE customer_id = $1 AND transaction_id = $2",
            customer_id,
            transaction_id,
        )
        return None if row is None else _event_from_row(customer_id, transaction_id, row)

    async def _rate(self, customer_id: CustomerId, credit_type_id: CreditTypeId, entry: Entry) -> Rate | None:
        """Return the rate that costs the meter of an entry."""
        if entry.usage is None or entry.usage.meter_key is None:
            return None
        row = await self._connection.fetchrow(
            f"SELECT {prefixed('r', RATE_COLUMNS)} FROM ledger.meters m JOIN ledger.rates r USING (rate_id)"
            " WHERE m.customer_id = $1 AND m.credit_type_id = $2 AND m.root_rate_id = $3 AND m.period_start = $4",
            customer_id,
            credit_type_id,
            entry.usage.meter_key.root_rate_id,
            entry.usage.meter_key.period_start,
        )
        return None if row is None else rate_from_row(row)


def _event_from_row(customer_id: CustomerId, transaction_id: str, row: Row) -> ReportedEvent:
    return ReportedEvent(
        transaction_id=transaction_id,
        customer_id=customer_id,
        event_type=row["event_type"],
        timestamp=row["event_time"],
        properties=row["properties"],
    )


def _position(
    entry: Entry, quantity: Quantity, credits: Credits, *, anchor: datetime
) -> MeterPosition | None:
    usage = entry.usage
    if usage is None or usage.meter_key is None or usage.meter_position is None or usage.meter_cost is None:
        return None
    return MeterPosition(
        root_rate_id=usage.meter_key.root_rate_id,
        period=period_at(anchor, 1, usage.meter_key.period_start),
        quantity_before=usage.meter_position - quantity,
        quantity_after=usage.meter_position,
        cost_before=usage.meter_cost - credits,
        cost_after=usage.meter_cost,
    )
