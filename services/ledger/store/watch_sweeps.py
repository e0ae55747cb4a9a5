# SPDX-License-Identifier: Apache-2.0
"""Which pools a new watch on every customer may be in alarm in, and how far they have been gone through."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.crossings.sweep import Sweep, SweptPage
from services.ledger.domain.crossings.watch import WatchKind
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.gate.windows import CapWindow
from services.ledger.store.citus import of_one_customer
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import (
    ACTIVE_WATCHES,
    IS_OPEN_GRANT,
    WATCH_COLUMNS,
    prefixed,
    watch_from_row,
)

_CUSTOMERS: Final = """
    SELECT customer_id, credit_type_id FROM ledger.pools
    WHERE credit_type_id = $1 AND customer_id > $2 AND ($4::text IS NULL OR customer_id = $4)
    ORDER BY customer_id LIMIT $3
"""
_PAGE: Final = f"""
    WITH page AS ({_CUSTOMERS}), ended AS (
        SELECT s.customer_id, s.group_value FROM page p JOIN ledger.watch_states s USING (customer_id, credit_type_id)
        WHERE s.alert_id = $5 AND s.in_alarm AND s.version < $6
    )
"""
# What an account would have left by its rows; the pool is settled before it is observed.
_LOW: Final = f"""
    {_PAGE}
    SELECT customer_id, NULL AS group_value FROM ended
    UNION SELECT p.customer_id, NULL FROM page p
    WHERE EXISTS (
        SELECT FROM ledger.grants g
        WHERE g.customer_id = p.customer_id AND g.credit_type_id = p.credit_type_id AND g.effective_time <= $8
    ) AND $7 >= (
        SELECT coalesce(sum(g.granted_micros - g.captured_micros - g.expired_micros - g.voided_micros), 0)
        FROM ledger.grants g
        WHERE g.customer_id = p.customer_id AND g.credit_type_id = p.credit_type_id AND g.slot_id IS NULL
            AND (NOT g.is_closed OR g.held_micros > 0) AND g.effective_time <= $8
            AND (g.expire_time IS NULL OR g.expire_time > $8)
    )
"""
# As Account.included, and rounded as measures.percentage_left.
_LOW_PERCENTAGE: Final = f"""
    {_PAGE}, balances AS (
        SELECT p.customer_id,
            sum(g.granted_micros - g.captured_micros - g.expired_micros - g.voided_micros) AS remaining_micros,
            sum(g.granted_micros - g.voided_micros) FILTER (WHERE g.kind = 'INCLUDED' AND NOT g.is_closed)
                AS included_micros
        FROM page p JOIN ledger.grants g USING (customer_id, credit_type_id)
        WHERE g.slot_id IS NULL AND ({IS_OPEN_GRANT}) AND g.effective_time <= $8
            AND (g.expire_time IS NULL OR g.expire_time > $8)
        GROUP BY p.customer_id
    )
    SELECT customer_id, NULL AS group_value FROM ended
    UNION SELECT customer_id, NULL FROM balances
    WHERE included_micros > 0 AND remaining_micros * 100 * 1000000 <= $7::numeric * included_micros
"""
# A pool's shortfall of all times, overage included, is no less than that of a usage period.
_UNCOVERED: Final = f"""
    {_PAGE}
    SELECT customer_id, NULL AS group_value FROM ended
    UNION SELECT customer_id, NULL FROM page JOIN ledger.pools USING (customer_id, credit_type_id)
    WHERE shortfall_micros >= $7
"""
# Also grants that expire later: settling a pool makes it due when they are to be observed.
_EXPIRING: Final = f"""
    {_PAGE}
    SELECT customer_id, NULL AS group_value FROM ended
    UNION SELECT g.customer_id, NULL FROM page JOIN ledger.grants g USING (customer_id, credit_type_id)
    WHERE g.slot_id IS NULL AND NOT g.is_closed AND g.expire_time > $8
        AND g.granted_micros - g.captured_micros - g.expired_micros - g.voided_micros >= $7
"""
# Slots that nobody has named have no rows: their seats have all that was granted to them.
_LOW_SEAT: Final = f"""
    {_PAGE}
    SELECT customer_id, group_value FROM ended
    UNION SELECT a.customer_id, a.seat_id
    FROM page p JOIN ledger.subscriptions u USING (customer_id)
    JOIN ledger.seat_assignments a USING (customer_id, subscription_id)
    JOIN ledger.slots s USING (customer_id, credit_type_id, subscription_id, slot)
    LEFT JOIN ledger.grants g ON g.customer_id = a.customer_id AND g.credit_type_id = p.credit_type_id
        AND g.slot_id = a.subscription_id || '#' || a.slot AND ({IS_OPEN_GRANT})
        AND g.effective_time <= $10 AND (g.expire_time IS NULL OR g.expire_time > $10)
    WHERE u.seat_group_key = $8 AND ($9 = '' OR a.seat_id = $9)
        AND a.start_time <= $10 AND (a.end_time IS NULL OR a.end_time > $10)
    GROUP BY a.customer_id, a.seat_id
    HAVING coalesce(sum(g.granted_micros - g.captured_micros - g.expired_micros - g.voided_micros), 0) <= $7
"""
# What is counted only because of the watch is not known before it is recounted.
_COUNTED: Final = f"""
    {_PAGE}
    SELECT customer_id, group_value FROM ended
    UNION SELECT customer_id, NULL FROM page JOIN ledger.pools USING (customer_id, credit_type_id) WHERE sequence > 0
"""
_HIGH: Final = f"""
    {_PAGE}
    SELECT customer_id, group_value FROM ended
    UNION SELECT s.customer_id, s.group_value FROM page p JOIN ledger.spends s USING (customer_id, credit_type_id)
    WHERE s.group_key = $8 AND ($9 = '' OR s.group_value = $9)
        AND s.{{window}}_spent_micros + s.{{window}}_ahead_micros >= $7
"""


class WatchSweeps:
    """Sweeps of watches on every customer, and of those on each seat of one, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def next(self) -> Sweep | None:
        """Return a sweep that is not done; None if there is none."""
        row = await self._connection.fetchrow(
            f"SELECT {prefixed('w', WATCH_COLUMNS)},"
            " CASE WHEN s.version = w.version THEN s.swept_to ELSE '' END AS swept_to"
            f" FROM {ACTIVE_WATCHES} w LEFT JOIN ledger.watch_sweeps s USING (alert_id)"
            f" WHERE (w.customer_id IS NULL OR w.kind = '{WatchKind.LOW_SEAT_BALANCE.value}')"
            " AND (s.version = w.version AND s.is_done) IS NOT TRUE"
            " ORDER BY w.alert_id LIMIT 1"
        )
        return None if row is None else Sweep(watch_from_row(row), row["swept_to"])

    async def page(self, sweep: Sweep, *, at: datetime, customers_max: int) -> SweptPage:
        """Return what is to be observed of the next customers. at: the time of the balances."""
        watch = sweep.watch
        of_page = (watch.credit_type_id, sweep.swept_to, customers_max, watch.customer_id)
        last = await self._connection.fetchval(
            f"SELECT max(customer_id) FROM ({_CUSTOMERS}) AS page", *of_page
        )
        about = (*of_page, watch.alert_id, watch.version)
        match watch.kind:
            case WatchKind() if watch.is_counted_for_it:
                rows = await self._observed(_COUNTED, *about)
            case (
                WatchKind.SPEND | WatchKind.SPEND_IN_DAY | WatchKind.SPEND_IN_WEEK | WatchKind.SPEND_IN_MONTH
            ):
                high = _HIGH.format(window="day" if watch.window is CapWindow.DAY else "period")
                of_watch = (watch.threshold.micros, watch.group_key, watch.group_value)
                rows = await self._observed(high, *about, *of_watch)
            case WatchKind.LOW_SEAT_BALANCE:
                of_watch = (watch.threshold.micros, watch.group_key, watch.group_value)
                rows = await self._observed(_LOW_SEAT, *about, *of_watch, at)
            case WatchKind.LOW_PERCENTAGE:
                rows = await self._observed(_LOW_PERCENTAGE, *about, watch.threshold.micros, at)
            case WatchKind.SHORTFALL | WatchKind.OVERAGE:
                rows = await self._observed(_UNCOVERED, *about, watch.threshold.micros)
            case WatchKind.GRANT_EXPIRING:
                rows = await self._observed(_EXPIRING, *about, watch.threshold.micros, at)
            case WatchKind.LOW_BALANCE | WatchKind.TOP_UP_LEVEL:
                rows = await self._observed(_LOW, *about, watch.threshold.micros, at)
        found: dict[CustomerId, set[GroupValue]] = defaultdict(set)
        for row in rows:
            values = found[row["customer_id"]]
            if row["group_value"] is not None:
                values.add((watch.group_key, row["group_value"]))
        return SweptPage({one: frozenset(values) for one, values in found.items()}, last)

    async def _observed(self, statement: str, *arguments: object) -> Sequence[Any]:
        """Return the rows of a page of customers; on Citus of each of them in turn."""
        if not self._connection.is_citus:
            rows: Sequence[Any] = await self._connection.fetch(statement, *arguments)
            return rows
        credit_type_id, _, customers_max, _, *more = arguments
        page = await self._connection.fetch(_CUSTOMERS, *arguments[:4])
        of_one = of_one_customer(self._connection, statement, "$4")
        return [
            row
            for customer in page
            for row in await self._connection.fetch(
                of_one, credit_type_id, "", customers_max, customer["customer_id"], *more
            )
        ]

    async def save(self, sweep: Sweep, last: CustomerId | None) -> None:
        """Record how far a sweep has come. last None: it is done."""
        await self._connection.execute(
            "INSERT INTO ledger.watch_sweeps (alert_id, version, swept_to, is_done) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (alert_id) DO UPDATE SET version = $2, swept_to = $3, is_done = $4"
            " WHERE watch_sweeps.version <= $2",
            sweep.watch.alert_id,
            sweep.watch.version,
            sweep.swept_to if last is None else last,
            last is None,
        )
