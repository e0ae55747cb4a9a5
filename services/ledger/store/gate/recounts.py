# SPDX-License-Identifier: Apache-2.0
"""Sums of entries for what caps begin to need, and spends that are written from them."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime

from meshkit.quantity import Credits
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.domain.crossings.watch import OF_SPEND, needed
from services.ledger.domain.gate.hold import Hold
from services.ledger.domain.gate.recounting import PoolPosition, Recount, Steps, Sums
from services.ledger.domain.gate.spend_cap import OWN_KEY, GroupValue, Need, Spend, WindowSpend
from services.ledger.domain.gate.subjects import product_of
from services.ledger.domain.gate.windows import ZONE_DEFAULT, SteppedWindow
from services.ledger.store.connection import Connection, at_most_int64
from services.ledger.store.credits.rows import (
    ACTIVE_WATCHES,
    HOLD_COLUMNS,
    SPEND_COLUMNS,
    WATCH_COLUMNS,
    hold_from_row,
    prefixed,
    spend_from_row,
    watch_from_row,
    window_to_name,
    windows_to_column,
)
from services.ledger.store.gate.caps import Caps
from services.ledger.store.gate.standings import USAGE_ANCHOR

SUM_SECONDS_MAX = 60

_USAGE = """SELECT effective_time, amount_micros, shortfall_micros, product_id, group_values FROM ledger.entries
    WHERE customer_id = $1 AND credit_type_id = $2 AND product_id IS NOT NULL"""
# By time, because it may be most of the history.
_UP_TO = f"({_USAGE} AND sequence <= $3 AND effective_time >= ($4::timestamptz[])[1]) AS e"
# By sequence, because it is little, and the pool is locked.
_AFTER = f"late AS MATERIALIZED ({_USAGE} AND sequence > $3)"
_SUM = f"""
    SELECT {{value}} AS value, ($4::timestamptz[])[width_bucket(e.effective_time, $4::timestamptz[])] AS step,
        {at_most_int64("sum(e.shortfall_micros - e.amount_micros)")} AS micros
    FROM {{entries}} {{join}}
    WHERE e.effective_time >= ($4::timestamptz[])[1] AND {{filter}}
    GROUP BY 1, 2
"""
# What an entry counts for; $5: of the subject.
_VALUE = "(e.group_values ->> $5)"
_OF_KEY = "JOIN ledger.products p ON p.product_id = e.product_id AND $5 = ANY (p.group_keys)"


class Recounts:
    """What one transaction recounts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def needs(self, customer_id: CustomerId) -> tuple[Need, ...]:
        """Return all for which spends of a customer must be counted, in any credit type."""
        caps = await Caps(self._connection).all(customer_id)
        watches = await self._connection.fetch(
            f"SELECT {prefixed('w', WATCH_COLUMNS)} FROM {ACTIVE_WATCHES} w"
            " WHERE (w.customer_id = $1 OR w.customer_id IS NULL) AND w.kind = ANY ($2)",
            customer_id,
            [kind.value for kind in OF_SPEND],
        )
        return needed(caps, map(watch_from_row, watches))

    async def position(self, customer_id: CustomerId, credit_type_id: CreditTypeId) -> PoolPosition | None:
        """Return a pool's position; None if it does not exist, and so has no entries."""
        row = await self._connection.fetchrow(
            f"SELECT p.sequence, u.time_zone, {USAGE_ANCHOR} AS anchor FROM ledger.pools p"
            " JOIN ledger.customers u USING (customer_id) WHERE customer_id = $1 AND credit_type_id = $2",
            customer_id,
            credit_type_id,
        )
        if row is None:
            return None
        return PoolPosition(row["sequence"], row["time_zone"] or ZONE_DEFAULT, row["anchor"])

    async def sum_up_to(
        self,
        customer_id: CustomerId,
        credit_type_id: CreditTypeId,
        recount: Recount,
        steps: Steps,
        sequence: int,
    ) -> dict[str, Sums]:
        """Sum entries by value and step, up to a sequence. It may take a minute: lock nothing meanwhile."""
        await self._connection.execute(f"SET LOCAL statement_timeout = '{SUM_SECONDS_MAX}s'")
        return await self._sum(_SUM, _UP_TO, customer_id, credit_type_id, recount, steps, sequence)

    async def sum_after(
        self,
        customer_id: CustomerId,
        credit_type_id: CreditTypeId,
        recount: Recount,
        steps: Steps,
        sequence: int,
    ) -> dict[str, Sums]:
        """Sum the entries after a sequence. The pool must be locked."""
        question = f"WITH {_AFTER} {_SUM}"
        return await self._sum(question, "late e", customer_id, credit_type_id, recount, steps, sequence)

    async def _sum(
        self,
        question: str,
        entries: str,
        customer_id: CustomerId,
        credit_type_id: CreditTypeId,
        recount: Recount,
        steps: Steps,
        sequence: int,
    ) -> dict[str, Sums]:
        group_key, group_value = recount.subject
        arguments: list[object] = [customer_id, credit_type_id, sequence, list(steps)]
        if group_key != OWN_KEY:
            value, join = _VALUE, _OF_KEY
            which = f"{_VALUE} IS NOT NULL" if not group_value else f"{_VALUE} = $6"
            arguments += [group_key, group_value] if group_value else [group_key]
        elif recount.members is not None:
            value, join, which = "''", _OF_KEY, f"{_VALUE} = ANY ($6::text[])"
            arguments += [recount.members.group_key, sorted(recount.members.values)]
        else:
            value, join, product_id = "''", "", product_of(recount.subject)
            which = "e.product_id = $5" if product_id else "true"
            arguments += [product_id] if product_id else []
        rows = await self._connection.fetch(
            question.format(value=value, entries=entries, join=join, filter=which), *arguments
        )
        sums: dict[str, dict[datetime, Credits]] = defaultdict(dict)
        for row in rows:
            sums[row["value"] or group_value][row["step"]] = Credits(row["micros"])
        return dict(sums)

    async def open_holds(self, customer_id: CustomerId, credit_type_id: CreditTypeId) -> list[Hold]:
        rows = await self._connection.fetch(
            f"SELECT {HOLD_COLUMNS} FROM ledger.holds WHERE customer_id = $1 AND credit_type_id = $2"
            " AND state = 'HELD'",
            customer_id,
            credit_type_id,
        )
        return list(map(hold_from_row, rows))

    async def save_own(
        self, customer_id: CustomerId, credit_type_id: CreditTypeId, subject: GroupValue, spend: Spend
    ) -> None:
        """Write the whole spend of a subject of the Ledger's own. The pool must be locked."""
        await self.forget_own(customer_id, credit_type_id, [subject])
        await self._connection.execute(
            "INSERT INTO ledger.spends (customer_id, credit_type_id, group_key, group_value, held_micros,"
            " period_start, period_spent_micros, period_ahead_micros,"
            " day_start, day_spent_micros, day_ahead_micros, windows)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            customer_id,
            credit_type_id,
            *subject,
            spend.held.micros,
            *_columns(spend.period),
            *_columns(spend.day),
            windows_to_column(spend.windows),
        )

    async def forget_own(
        self, customer_id: CustomerId, credit_type_id: CreditTypeId, subjects: Collection[GroupValue]
    ) -> None:
        """Remove spends of subjects of the Ledger's own that nothing needs any more."""
        await self._connection.execute(
            "DELETE FROM ledger.spends WHERE customer_id = $1 AND credit_type_id = $2 AND group_key = $3"
            " AND group_value = ANY ($4)",
            customer_id,
            credit_type_id,
            OWN_KEY,
            [value for _, value in subjects],
        )

    async def spends_of_key(
        self, customer_id: CustomerId, credit_type_id: CreditTypeId, group_key: str
    ) -> dict[str, Spend]:
        """Return what each value of a key has spent."""
        rows = await self._connection.fetch(
            f"SELECT group_value, {SPEND_COLUMNS} FROM ledger.spends"
            " WHERE customer_id = $1 AND credit_type_id = $2 AND group_key = $3",
            customer_id,
            credit_type_id,
            group_key,
        )
        return {row["group_value"]: spend_from_row(row) for row in rows}

    async def save_windows(
        self,
        customer_id: CustomerId,
        credit_type_id: CreditTypeId,
        group_key: str,
        spends: Mapping[str, Spend],
    ) -> None:
        """Write the windows of group values beside those that they have. The pool must be locked."""
        await self._connection.execute(
            "INSERT INTO ledger.spends AS s (customer_id, credit_type_id, group_key, group_value, held_micros,"
            " period_spent_micros, period_ahead_micros, day_spent_micros, day_ahead_micros, windows)"
            " SELECT $1, $2, $3, d.group_value, 0, 0, 0, 0, 0, d.windows"
            " FROM unnest($4::text[], $5::jsonb[]) AS d (group_value, windows)"
            " ON CONFLICT (customer_id, credit_type_id, group_key, group_value)"
            " DO UPDATE SET windows = coalesce(s.windows, '{}') || excluded.windows",
            customer_id,
            credit_type_id,
            group_key,
            list(spends),
            [windows_to_column(spend.windows) for spend in spends.values()],
        )

    async def forget_window(
        self,
        customer_id: CustomerId,
        credit_type_id: CreditTypeId,
        group_key: str,
        window: SteppedWindow,
        *,
        of: str = "",
        kept: Collection[str] = (),
    ) -> None:
        """Remove a window from what group values have spent. of: one value; empty: all but those that are kept."""
        await self._connection.execute(
            "UPDATE ledger.spends SET windows = nullif(windows - $4, '{}')"
            " WHERE customer_id = $1 AND credit_type_id = $2 AND group_key = $3 AND windows ? $4"
            " AND ($5 = '' OR group_value = $5) AND group_value <> ALL ($6)",
            customer_id,
            credit_type_id,
            group_key,
            window_to_name(window),
            of,
            list(kept),
        )


def _columns(last: WindowSpend | None) -> tuple[object, ...]:
    return (None, 0, 0) if last is None else (last.start, last.spent.micros, last.ahead.micros)
