# SPDX-License-Identifier: Apache-2.0
"""Lists and sums for operators: grants, entries, holds, usage."""

from datetime import datetime, timedelta

from meshkit.page import Page
from meshkit.period import Period
from meshkit.quantity import INT64_MAX, Credits
from services.ledger.domain.credits.balance import OccupiedSlot
from services.ledger.domain.credits.entry import Entry
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, Grant, GrantId
from services.ledger.domain.credits.seats import slot_id_of
from services.ledger.domain.gate.hold import Hold, HoldId, HoldState
from services.ledger.domain.usage.summary import SummaryWindow, UsageRow
from services.ledger.store.connection import Connection, at_most_int64
from services.ledger.store.credits.rows import (
    ENTRY_COLUMNS,
    GRANT_COLUMNS,
    HOLD_COLUMNS,
    Row,
    entry_from_row,
    grant_from_row,
    hold_from_row,
)
from services.ledger.store.credits.slots import named_seats_from_row

_USAGE = f"""
    SELECT {{window}} AS window_start, product_id, credit_type_id,
        CASE WHEN $4 = '' THEN '' ELSE coalesce(group_values ->> $4, '') END AS group_value,
        {at_most_int64("-sum(amount_micros)")} AS captured_micros,
        {at_most_int64("sum(shortfall_micros)")} AS shortfall_micros,
        count(DISTINCT cause_id) FILTER (WHERE kind NOT IN ('CORRECTION', 'OVERAGE_CORRECTION')) AS captures
    FROM ledger.entries
    WHERE customer_id = $1 AND effective_time >= $2 AND effective_time < $3 AND product_id IS NOT NULL
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
# Those of a customer $1 that are assigned at $2.
_SEATS = """
    SELECT DISTINCT a.subscription_id, a.seat_id, a.slot, s.credit_type_id, u.seat_group_key, u.shared_pool_access,
        u.shared_pool_seat_ids
    FROM ledger.seat_assignments a
    JOIN ledger.subscriptions u USING (customer_id, subscription_id)
    JOIN ledger.grant_schedules s USING (customer_id, subscription_id)
    WHERE a.customer_id = $1 AND a.start_time <= $2 AND (a.end_time IS NULL OR a.end_time > $2)
        AND s.allocation = 'INDIVIDUAL'
"""
_WINDOW_STARTS = {
    SummaryWindow.PERIOD: "$2::timestamptz",
    SummaryWindow.DAY: "date_trunc('day', effective_time, 'UTC')",
    SummaryWindow.HOUR: "date_trunc('hour', effective_time, 'UTC')",
}
_WINDOW_LENGTHS = {SummaryWindow.DAY: timedelta(days=1), SummaryWindow.HOUR: timedelta(hours=1)}


class Reports:
    """Reads for operators, in one transaction. Lists return a page, and one row more if there is one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def grants(
        self, customer_id: CustomerId, credit_type_id: CreditTypeId | None, page: Page
    ) -> list[tuple[CreditTypeId, Grant]]:
        """Return grants in order of creation, closed ones too."""
        rows = await self._connection.fetch(
            f"SELECT credit_type_id, {GRANT_COLUMNS} FROM ledger.grants WHERE customer_id = $1"
            " AND ($2::text IS NULL OR credit_type_id = $2) AND ($3::text IS NULL OR grant_id > $3)"
            " ORDER BY grant_id LIMIT $4",
            customer_id,
            credit_type_id,
            page.after[0] if page.after else None,
            page.size + 1,
        )
        return [(CreditTypeId(row["credit_type_id"]), grant_from_row(row)) for row in rows]

    async def seats_named(
        self, customer_id: CustomerId, credit_type_id: CreditTypeId | None, seat_id: str, *, at: datetime
    ) -> list[OccupiedSlot]:
        """Return the slots that a seat id has at `at`, by subscription and credit type."""
        rows = await self._connection.fetch(
            f"{_SEATS} AND a.seat_id = $3 AND ($4::text IS NULL OR s.credit_type_id = $4)"
            " ORDER BY a.subscription_id, s.credit_type_id",
            customer_id,
            at,
            seat_id,
            credit_type_id,
        )
        return list(map(_seat_from_row, rows))

    async def seats(
        self, customer_id: CustomerId, subscription_id: str | None, page: Page, *, at: datetime
    ) -> list[OccupiedSlot]:
        """Return the slots that are assigned at `at`, by subscription, seat id and credit type."""
        rows = await self._connection.fetch(
            f"{_SEATS} AND ($3::text IS NULL OR a.subscription_id = $3)"
            " AND ($4::text[] IS NULL OR (a.subscription_id, a.seat_id, s.credit_type_id) > ($4[1], $4[2], $4[3]))"
            " ORDER BY a.subscription_id, a.seat_id, s.credit_type_id LIMIT $5",
            customer_id,
            at,
            subscription_id,
            list(page.after) if page.after else None,
            page.size + 1,
        )
        return list(map(_seat_from_row, rows))

    async def entries(
        self, customer_id: CustomerId, credit_type_id: CreditTypeId, grant_id: GrantId | None, page: Page
    ) -> list[Entry]:
        """Return entries, newest first."""
        # A generic plan serves all arguments alike, so each case has its own statement, and so its own index.
        whose = (
            "credit_type_id = $2" if grant_id is None else "grant_id = $5 AND (credit_type_id = $2) IS TRUE"
        )
        rows = await self._connection.fetch(
            f"SELECT {ENTRY_COLUMNS} FROM ledger.entries WHERE customer_id = $1 AND {whose} AND sequence < $3"
            " ORDER BY sequence DESC LIMIT $4",
            customer_id,
            credit_type_id,
            int(page.after[0]) if page.after else INT64_MAX,
            page.size + 1,
            *(() if grant_id is None else (grant_id,)),
        )
        return list(map(entry_from_row, rows))

    async def holds(
        self,
        customer_id: CustomerId,
        state: HoldState | None,
        hold_id: HoldId | None,
        page: Page,
        *,
        at: datetime,
    ) -> list[tuple[CreditTypeId, Hold, str]]:
        """Return holds, newest first, with the subjects of those who asked for them.

        One whose expire_time is at or before `at` counts as EXPIRED, written or not.
        """
        rows = await self._connection.fetch(
            f"SELECT credit_type_id, {HOLD_COLUMNS}, subject FROM ledger.holds WHERE customer_id = $1"
            " AND ($2::text IS NULL OR $2 = CASE WHEN state = 'HELD' AND expire_time <= $3 THEN 'EXPIRED'"
            " ELSE state END) AND ($4::text IS NULL OR hold_id < $4)"
            f"{'' if hold_id is None else ' AND hold_id = $6'} ORDER BY hold_id DESC LIMIT $5",
            customer_id,
            state.value if state else None,
            at,
            page.after[0] if page.after else None,
            page.size + 1,
            *(() if hold_id is None else (hold_id,)),
        )
        return [(CreditTypeId(row["credit_type_id"]), hold_from_row(row), row["subject"]) for row in rows]

    async def usage(
        self, customer_id: CustomerId, span: Period, *, group_key: str, window: SummaryWindow
    ) -> list[UsageRow]:
        """Sum captures and shortfalls by window, product and group value. The first and last window may be cut."""
        rows = await self._connection.fetch(
            _USAGE.format(window=_WINDOW_STARTS[window]), customer_id, span.start, span.end, group_key
        )
        return [
            UsageRow(
                window=_window(span, row["window_start"], window),
                product_id=row["product_id"],
                credit_type_id=CreditTypeId(row["credit_type_id"]),
                group_value=row["group_value"],
                captured=Credits(row["captured_micros"]),
                shortfall=Credits(row["shortfall_micros"]),
                captures=row["captures"],
            )
            for row in rows
        ]


def _seat_from_row(row: Row) -> OccupiedSlot:
    return OccupiedSlot(
        subscription_id=row["subscription_id"],
        seat_id=row["seat_id"],
        slot_id=slot_id_of(row["subscription_id"], row["slot"]),
        credit_type_id=CreditTypeId(row["credit_type_id"]),
        draws_shared_pool=named_seats_from_row(row).shares_pool_with(row["seat_id"]),
    )


def _window(span: Period, start: datetime, window: SummaryWindow) -> Period:
    if window is SummaryWindow.PERIOD:
        return span
    return Period(max(span.start, start), min(span.end, start + _WINDOW_LENGTHS[window]))
