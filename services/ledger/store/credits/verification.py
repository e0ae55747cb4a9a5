# SPDX-License-Identifier: Apache-2.0
"""The recount: compares every stored figure with the figure recomputed from entries and open holds, on one snapshot.

It works in both directions: if the pool, grant, hold, meter or spend of an entry is missing, its stored figure counts
as 0. What a group value has spent is recounted in its latest windows, from the group keys of the products used.
"""

from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, GrantId
from services.ledger.domain.credits.verification import Discrepancy, Verification
from services.ledger.store.citus import of_one_customer
from services.ledger.store.connection import Connection, at_most_int64
from services.ledger.store.credits.verified_windows import OWN_SPENT, WINDOWS
from services.ledger.store.usage.rollups import BILLED, HOUR_START, PERIOD_START, USES
from services.ledger.store.usage.unrated import METERS_WITH_ENTRIES, unrated

DISCREPANCIES_MAX = 1_000

_GRANTS = """
    WITH stored AS (
        SELECT customer_id, grant_id, credit_type_id, granted_micros, captured_micros, expired_micros, voided_micros,
            held_micros
        FROM ledger.grants WHERE $1::text IS NULL OR customer_id = $1
    ), written AS (
        SELECT customer_id, grant_id, min(credit_type_id) AS entry_credit_type_id,
            sum(amount_micros) FILTER (WHERE kind IN ('GRANT', 'SEAT_ADJUSTMENT')) AS granted,
            -sum(amount_micros) FILTER (WHERE kind IN ('CAPTURE', 'CORRECTION')) AS captured,
            -sum(amount_micros) FILTER (WHERE kind IN ('EXPIRY', 'REINSTATEMENT')) AS expired,
            -sum(amount_micros) FILTER (WHERE kind = 'VOID') AS voided
        FROM ledger.entries WHERE grant_id IS NOT NULL AND ($1::text IS NULL OR customer_id = $1)
        GROUP BY customer_id, grant_id
    ), reserved AS (
        SELECT h.customer_id, d.grant_id, min(h.credit_type_id) AS hold_credit_type_id, sum(d.micros) AS held
        FROM ledger.holds h, unnest(h.draw_grant_ids, h.draw_micros) AS d (grant_id, micros)
        WHERE h.state = 'HELD' AND ($1::text IS NULL OR h.customer_id = $1)
        GROUP BY h.customer_id, d.grant_id
    )
    SELECT customer_id, coalesce(credit_type_id, entry_credit_type_id, hold_credit_type_id) AS credit_type_id,
        grant_id, f.figure, coalesce(f.stored, 0)::bigint AS stored, coalesce(f.recomputed, 0)::bigint AS recomputed
    FROM stored
    FULL JOIN written USING (customer_id, grant_id)
    FULL JOIN reserved USING (customer_id, grant_id)
    CROSS JOIN LATERAL (VALUES
        ('granted_micros', granted_micros, granted),
        ('captured_micros', captured_micros, captured),
        ('expired_micros', expired_micros, expired),
        ('voided_micros', voided_micros, voided),
        ('held_micros', held_micros, held)
    ) AS f (figure, stored, recomputed)
    WHERE coalesce(f.stored, 0) <> coalesce(f.recomputed, 0)
    ORDER BY customer_id, grant_id, f.figure LIMIT $2
"""

# A grant that is closed, or past its expiry with nothing due any more, has no rest. A voided grant of seats has at most
# what seats brought since: whatever was drawn or held before the void is voided when it returns.
_RESTS = """
    SELECT customer_id, credit_type_id, grant_id, 'rest_micros' AS figure, rest AS stored, rest_max AS recomputed
    FROM ledger.grants g JOIN ledger.pools o USING (customer_id, credit_type_id)
    CROSS JOIN LATERAL (SELECT
        granted_micros - captured_micros - held_micros - expired_micros - voided_micros AS rest,
        is_closed OR (expire_time <= settled_time AND expire_time < coalesce(
            CASE WHEN slot_id IS NULL THEN next_due_time ELSE (
                SELECT s.next_due_time FROM ledger.slots s WHERE s.customer_id = g.customer_id
                    AND s.credit_type_id = g.credit_type_id AND s.subscription_id || '#' || s.slot = g.slot_id
            ) END, 'infinity'
        )) AS is_over
    ) AS f
    CROSS JOIN LATERAL (SELECT CASE WHEN is_over THEN 0 ELSE (
        SELECT coalesce(sum(e.amount_micros), 0)::bigint FROM ledger.entries e
        WHERE e.customer_id = g.customer_id AND e.grant_id = g.grant_id AND e.kind = 'SEAT_ADJUSTMENT'
            AND e.create_time >= g.void_time
    ) END AS rest_max) AS m
    WHERE (is_over OR void_time IS NOT NULL) AND rest > rest_max AND ($1::text IS NULL OR customer_id = $1)
    ORDER BY customer_id, grant_id LIMIT $2
"""

# The VOID entries that name the grant's own schedule as their cause.
_TAKEN_BACK = """
    WITH voided AS (
        SELECT customer_id, grant_id, cause_id, -sum(amount_micros) AS micros
        FROM ledger.entries WHERE kind = 'VOID' AND ($1::text IS NULL OR customer_id = $1)
        GROUP BY customer_id, grant_id, cause_id
    )
    SELECT g.customer_id, g.credit_type_id, g.grant_id, 'taken_back_micros' AS figure, g.taken_back_micros AS stored,
        coalesce(v.micros, 0)::bigint AS recomputed
    FROM ledger.grants g LEFT JOIN voided v
        ON v.customer_id = g.customer_id AND v.grant_id = g.grant_id AND v.cause_id = g.schedule_id
    WHERE g.taken_back_micros <> coalesce(v.micros, 0) AND ($1::text IS NULL OR g.customer_id = $1)
    ORDER BY g.customer_id, g.grant_id LIMIT $2
"""

# What debts say shall be voided of a grant.
_TO_VOID = """
    WITH written AS (
        SELECT customer_id, grant_id, min(credit_type_id) AS entry_credit_type_id, sum(to_void_micros) AS micros
        FROM ledger.debt_entries WHERE $1::text IS NULL OR customer_id = $1
        GROUP BY customer_id, grant_id
    ), stored AS (
        SELECT customer_id, grant_id, credit_type_id, to_void_micros
        FROM ledger.grants WHERE to_void_micros IS NOT NULL AND ($1::text IS NULL OR customer_id = $1)
    )
    SELECT customer_id, coalesce(credit_type_id, entry_credit_type_id) AS credit_type_id, grant_id,
        'to_void_micros' AS figure, coalesce(to_void_micros, 0) AS stored, coalesce(micros, 0)::bigint AS recomputed
    FROM stored FULL JOIN written USING (customer_id, grant_id)
    WHERE coalesce(to_void_micros, 0) <> coalesce(micros, 0)
    ORDER BY customer_id, grant_id LIMIT $2
"""

# What grants paid for debts, as VOID entries that name the grant which is owed as their cause.
_TAKEN = """
    WITH written AS (
        SELECT customer_id, other_grant_id AS grant_id, grant_id AS cause_id, min(credit_type_id) AS credit_type_id,
            sum(taken_micros) AS taken
        FROM ledger.debt_entries WHERE kind = 'RECOVERY' AND ($1::text IS NULL OR customer_id = $1)
        GROUP BY 1, 2, 3
    )
    SELECT w.customer_id, w.credit_type_id, w.grant_id, 'taken_micros for ' || w.cause_id AS figure,
        w.taken::bigint AS stored, f.voided AS recomputed
    FROM written w CROSS JOIN LATERAL (
        SELECT coalesce(-sum(e.amount_micros), 0)::bigint AS voided FROM ledger.entries e
        WHERE e.customer_id = w.customer_id AND e.grant_id = w.grant_id AND e.kind = 'VOID'
            AND e.cause_id = w.cause_id
    ) AS f
    WHERE f.voided <> w.taken
    ORDER BY w.customer_id, w.grant_id LIMIT $2
"""

# The grants that name it as the one they continue.
_ROLLED_OVER = """
    WITH rolled AS (
        SELECT customer_id, rolled_from, sum(granted_micros) AS micros
        FROM ledger.grants WHERE rolled_from IS NOT NULL AND ($1::text IS NULL OR customer_id = $1)
        GROUP BY customer_id, rolled_from
    )
    SELECT g.customer_id, g.credit_type_id, g.grant_id, 'rolled_over_micros' AS figure, g.rolled_over_micros AS stored,
        coalesce(r.micros, 0)::bigint AS recomputed
    FROM ledger.grants g LEFT JOIN rolled r ON r.customer_id = g.customer_id AND r.rolled_from = g.grant_id
    WHERE g.rolled_over_micros <> coalesce(r.micros, 0) AND ($1::text IS NULL OR g.customer_id = $1)
    ORDER BY g.customer_id, g.grant_id LIMIT $2
"""

_POOLS = """
    WITH stored AS (
        SELECT customer_id, credit_type_id, sequence, shortfall_micros
        FROM ledger.pools WHERE $1::text IS NULL OR customer_id = $1
    ), written AS (
        SELECT customer_id, credit_type_id, count(*) AS lines, max(sequence) AS last,
            sum(shortfall_micros) AS shortfall, sum(amount_micros) AS net
        FROM ledger.entries WHERE $1::text IS NULL OR customer_id = $1
        GROUP BY customer_id, credit_type_id
    ), owned AS (
        SELECT customer_id, credit_type_id,
            sum(granted_micros - captured_micros - expired_micros - voided_micros) AS remaining
        FROM ledger.grants WHERE $1::text IS NULL OR customer_id = $1
        GROUP BY customer_id, credit_type_id
    )
    SELECT customer_id, credit_type_id, NULL AS grant_id, f.figure, coalesce(f.stored, 0)::bigint AS stored,
        coalesce(f.recomputed, 0)::bigint AS recomputed
    FROM stored
    FULL JOIN written USING (customer_id, credit_type_id)
    FULL JOIN owned USING (customer_id, credit_type_id)
    CROSS JOIN LATERAL (VALUES
        ('sequence', sequence, last),
        ('entry_count', sequence, lines),
        ('shortfall_micros', shortfall_micros, shortfall),
        ('remaining_micros', remaining, net)
    ) AS f (figure, stored, recomputed)
    WHERE coalesce(f.stored, 0) <> coalesce(f.recomputed, 0)
    ORDER BY customer_id, credit_type_id, f.figure LIMIT $2
"""

# An old hold may have been dropped (domain/retention.py) although its entries are kept. What a hold has captured stays
# as it was when usage is corrected.
_HOLDS = """
    WITH stored AS (
        SELECT customer_id, hold_id, credit_type_id, captured_micros
        FROM ledger.holds WHERE $1::text IS NULL OR customer_id = $1
    ), written AS (
        SELECT customer_id, hold_id, min(credit_type_id) AS entry_credit_type_id,
            sum(CASE kind WHEN 'OVERAGE' THEN shortfall_micros ELSE -amount_micros END) AS captured
        FROM ledger.entries
        WHERE hold_id IS NOT NULL AND kind NOT IN ('CORRECTION', 'OVERAGE_CORRECTION')
            AND ($1::text IS NULL OR customer_id = $1)
        GROUP BY customer_id, hold_id
    )
    SELECT customer_id, coalesce(credit_type_id, entry_credit_type_id) AS credit_type_id, NULL AS grant_id,
        'captured_micros of hold ' || hold_id AS figure, coalesce(captured_micros, 0) AS stored,
        coalesce(captured, 0)::bigint AS recomputed
    FROM stored FULL JOIN written USING (customer_id, hold_id)
    WHERE coalesce(captured_micros, 0) <> coalesce(captured, 0)
        AND (stored.hold_id IS NOT NULL OR hold_id >= $3)
    ORDER BY customer_id, hold_id LIMIT $2
"""

_SPENDS = """
    WITH stored AS (
        SELECT customer_id, credit_type_id, group_key, group_value, held_micros
        FROM ledger.spends WHERE group_key <> '' AND ($1::text IS NULL OR customer_id = $1)
    ), reserved AS (
        SELECT h.customer_id, h.credit_type_id, v.key AS group_key, v.value AS group_value,
            sum((SELECT sum(micros) FROM unnest(h.draw_micros || h.overage_micros) AS micros)) AS held
        FROM ledger.holds h, jsonb_each_text(h.counted_group_values) AS v
        WHERE h.state = 'HELD' AND ($1::text IS NULL OR h.customer_id = $1)
        GROUP BY 1, 2, 3, 4
    )
    SELECT customer_id, credit_type_id, NULL AS grant_id,
        format('held_micros of %s %s', group_key, group_value) AS figure,
        coalesce(held_micros, 0) AS stored, coalesce(held, 0)::bigint AS recomputed
    FROM stored FULL JOIN reserved USING (customer_id, credit_type_id, group_key, group_value)
    WHERE coalesce(held_micros, 0) <> coalesce(held, 0)
    ORDER BY 1, 2, 4 LIMIT $2
"""

# An entry counts in the windows that contain its effective_time; later ones count in the latest window.
_SPENT = """
    WITH used AS (
        SELECT e.customer_id, e.credit_type_id, v.key AS group_key, v.value AS group_value, e.effective_time,
            e.shortfall_micros - e.amount_micros AS micros
        FROM ledger.entries e JOIN ledger.products p USING (product_id)
        CROSS JOIN LATERAL jsonb_each_text(e.group_values) AS v
        WHERE v.key = ANY (p.group_keys) AND ($1::text IS NULL OR e.customer_id = $1)
    ), spent AS (
        SELECT u.customer_id, u.credit_type_id, u.group_key, u.group_value,
            sum(u.micros) FILTER (WHERE u.effective_time >= s.period_start) AS in_period,
            sum(u.micros) FILTER (WHERE u.effective_time >= s.day_start) AS in_day
        FROM used u LEFT JOIN ledger.spends s USING (customer_id, credit_type_id, group_key, group_value)
        GROUP BY 1, 2, 3, 4
    ), stored AS (
        SELECT customer_id, credit_type_id, group_key, group_value,
            period_spent_micros + period_ahead_micros AS period_spent_micros,
            day_spent_micros + day_ahead_micros AS day_spent_micros
        FROM ledger.spends WHERE group_key <> '' AND ($1::text IS NULL OR customer_id = $1)
    )
    SELECT customer_id, credit_type_id, NULL AS grant_id,
        format('%s of %s %s', f.figure, group_key, group_value) AS figure, coalesce(f.stored, 0) AS stored,
        coalesce(f.recomputed, 0)::bigint AS recomputed
    FROM stored FULL JOIN spent USING (customer_id, credit_type_id, group_key, group_value)
    CROSS JOIN LATERAL (VALUES
        ('period_spent_micros', period_spent_micros, in_period),
        ('day_spent_micros', day_spent_micros, in_day)
    ) AS f (figure, stored, recomputed)
    WHERE coalesce(f.stored, 0) <> coalesce(f.recomputed, 0)
    ORDER BY 1, 2, 4 LIMIT $2
"""

# The totals of overage are spends without a group key (domain/gate/overage.py).
_OVERAGE_HELD = """
    WITH stored AS (
        SELECT customer_id, credit_type_id, group_value AS contract_id, held_micros
        FROM ledger.spends
        WHERE group_key = '' AND starts_with(group_value, 'con_') AND ($1::text IS NULL OR customer_id = $1)
    ), reserved AS (
        SELECT h.customer_id, h.credit_type_id,
            coalesce(h.lines -> (o.line - 1)::integer ->> 'contract_id', h.contract_id) AS contract_id,
            sum(o.micros) AS held
        FROM ledger.holds h CROSS JOIN LATERAL unnest(h.overage_micros) WITH ORDINALITY AS o (micros, line)
        WHERE h.state = 'HELD' AND ($1::text IS NULL OR h.customer_id = $1)
        GROUP BY 1, 2, 3
    )
    SELECT customer_id, credit_type_id, NULL AS grant_id,
        'overage held_micros of ' || contract_id AS figure,
        coalesce(held_micros, 0) AS stored, coalesce(held, 0)::bigint AS recomputed
    FROM stored FULL JOIN reserved USING (customer_id, credit_type_id, contract_id)
    WHERE coalesce(held_micros, 0) <> coalesce(held, 0)
    ORDER BY 1, 2, 4 LIMIT $2
"""
_OVERAGE = f"""
    WITH stored AS (
        SELECT customer_id, credit_type_id, substr(group_value, strpos(group_value, ' ') + 1) AS contract_id,
            period_start, period_spent_micros
        FROM ledger.spends
        WHERE group_key = '' AND starts_with(split_part(group_value, ' ', 2), 'con_')
            AND ($1::text IS NULL OR customer_id = $1)
    ), billed AS (
        SELECT e.customer_id, e.credit_type_id, e.contract_id, {PERIOD_START} AS period_start,
            sum(e.shortfall_micros) AS micros
        FROM ledger.entries e JOIN ledger.customers u USING (customer_id)
        LEFT JOIN ledger.entries o ON o.customer_id = e.customer_id AND o.credit_type_id = e.credit_type_id
            AND o.sequence = e.corrects_sequence
        WHERE (e.kind IN {BILLED} OR o.kind IN {BILLED})
            AND ($1::text IS NULL OR e.customer_id = $1)
        GROUP BY 1, 2, 3, 4
    )
    SELECT customer_id, credit_type_id, NULL AS grant_id,
        format('overage of %s from %s', contract_id, period_start) AS figure,
        coalesce(period_spent_micros, 0) AS stored, coalesce(micros, 0)::bigint AS recomputed
    FROM stored FULL JOIN billed USING (customer_id, credit_type_id, contract_id, period_start)
    WHERE coalesce(period_spent_micros, 0) <> coalesce(micros, 0)
    ORDER BY 1, 2, 4 LIMIT $2
"""

_METERS = """
    WITH stored AS (
        SELECT customer_id, credit_type_id, root_rate_id, period_start, quantity_micros, cost_micros
        FROM ledger.meters WHERE $1::text IS NULL OR customer_id = $1
    ), written AS (
        SELECT customer_id, credit_type_id, root_rate_id, usage_period_start AS period_start,
            sum(quantity_micros) AS quantity, sum(shortfall_micros - amount_micros) AS cost
        FROM ledger.entries WHERE root_rate_id IS NOT NULL AND ($1::text IS NULL OR customer_id = $1)
        GROUP BY 1, 2, 3, 4
    )
    SELECT customer_id, credit_type_id, NULL AS grant_id,
        format('%s of meter %s from %s', f.figure, root_rate_id, period_start) AS figure,
        coalesce(f.stored, 0) AS stored, coalesce(f.recomputed, 0)::bigint AS recomputed
    FROM stored FULL JOIN written USING (customer_id, credit_type_id, root_rate_id, period_start)
    CROSS JOIN LATERAL (VALUES
        ('quantity_micros', quantity_micros, quantity),
        ('cost_micros', cost_micros, cost)
    ) AS f (figure, stored, recomputed)
    WHERE coalesce(f.stored, 0) <> coalesce(f.recomputed, 0)
    ORDER BY 1, 2, 4 LIMIT $2
"""

# Usage after the pool's position is not added up yet.
_ROLLUPS = """
    WITH used AS (
        SELECT e.customer_id, e.credit_type_id, e.product_id, coalesce(e.dimension_values, '{{}}') AS dimension_values,
            {start} AS start_time, e.quantity_micros, e.shortfall_micros,
            e.shortfall_micros - e.amount_micros AS credits,
            CASE WHEN e.kind IN {uses} THEN (e.cause_id, e.transaction_id) END AS use,
            e.group_values, c.group_keys
        FROM ledger.entries e
        JOIN ledger.usage_positions p USING (customer_id, credit_type_id)
        JOIN ledger.customers u USING (customer_id)
        LEFT JOIN ledger.products c USING (product_id)
        WHERE e.product_id IS NOT NULL AND e.sequence <= p.sequence AND ($1::text IS NULL OR e.customer_id = $1)
    ), grouped AS (
        SELECT '' AS group_key, '' AS group_value, used.* FROM used
        UNION ALL
        SELECT v.key, v.value, used.* FROM used CROSS JOIN LATERAL jsonb_each_text(group_values) AS v
        WHERE v.key = ANY (group_keys)
    ), written AS (
        SELECT customer_id, credit_type_id, group_key, group_value, start_time, product_id, dimension_values,
            {quantity} AS quantity, {credits} AS credits, {shortfall} AS shortfall, count(DISTINCT use) AS times
        FROM grouped GROUP BY 1, 2, 3, 4, 5, 6, 7
    ), stored AS (
        SELECT customer_id, credit_type_id, group_key, group_value, start_time, product_id, dimension_values,
            quantity_micros, credits_micros, shortfall_micros, uses
        FROM ledger.{table} WHERE $1::text IS NULL OR customer_id = $1
    )
    SELECT customer_id, credit_type_id, NULL AS grant_id,
        format('%s of {table} %s %s %s %s %s', f.figure, group_key, group_value, product_id, dimension_values,
            start_time) AS figure,
        coalesce(f.stored, 0) AS stored, coalesce(f.recomputed, 0)::bigint AS recomputed
    FROM stored FULL JOIN written
        USING (customer_id, credit_type_id, group_key, group_value, start_time, product_id, dimension_values)
    CROSS JOIN LATERAL (VALUES
        ('quantity_micros', quantity_micros, quantity),
        ('credits_micros', credits_micros, credits),
        ('shortfall_micros', shortfall_micros, shortfall),
        ('uses', uses, times)
    ) AS f (figure, stored, recomputed)
    WHERE coalesce(f.stored, 0) <> coalesce(f.recomputed, 0)
    ORDER BY 1, 2, 4 LIMIT $2
"""
# Sums of usage stay at the maximum of a bigint (store/usage/rollups.py).
_CUT = {
    "quantity": at_most_int64("sum(quantity_micros)"),
    "credits": at_most_int64("sum(credits)"),
    "shortfall": at_most_int64("sum(shortfall_micros)"),
}
_HOUR_ROLLUPS = _ROLLUPS.format(table="usage_by_hour", start=HOUR_START, uses=USES, **_CUT)
_PERIOD_ROLLUPS = _ROLLUPS.format(table="usage_by_period", start=PERIOD_START, uses=USES, **_CUT)

# Two seats that have one slot at one time.
_SEATS = """
    SELECT a.customer_id, '' AS credit_type_id, NULL AS grant_id,
        format('seats in slot %s of %s', a.slot, a.subscription_id) AS figure, 2::bigint AS stored,
        1::bigint AS recomputed
    FROM ledger.seat_assignments a JOIN ledger.seat_assignments b
        ON b.customer_id = a.customer_id AND b.subscription_id = a.subscription_id AND b.slot = a.slot
        AND (b.seat_id, b.start_time) > (a.seat_id, a.start_time)
    WHERE a.start_time < coalesce(b.end_time, 'infinity') AND b.start_time < coalesce(a.end_time, 'infinity')
        AND ($1::text IS NULL OR a.customer_id = $1)
    ORDER BY 1, 4 LIMIT $2
"""

_COUNTS = """
    SELECT (SELECT count(*) FROM ledger.pools WHERE $1::text IS NULL OR customer_id = $1) AS pools,
        (SELECT count(*) FROM ledger.grants WHERE $1::text IS NULL OR customer_id = $1) AS grants,
        (SELECT count(*) FROM ledger.entries WHERE $1::text IS NULL OR customer_id = $1) AS entries,
        (SELECT count(*) FROM ledger.holds WHERE state = 'HELD' AND ($1::text IS NULL OR customer_id = $1)) AS holds
"""


async def verify(
    connection: Connection, customer_id: CustomerId | None, *, holds_kept_from: str
) -> Verification:
    """Recount the figures of one customer or of all; returns at most 1,000 discrepancies.

    holds_kept_from: holds with ids before it may have been dropped. The connection must be in a REPEATABLE READ
    transaction, or the recount may see half of a concurrent write.
    """
    if customer_id is None and connection.is_citus:
        return await _verify_each(connection, holds_kept_from)
    found = []
    for question, *more in (
        (_POOLS,),
        (_GRANTS,),
        (_RESTS,),
        (_TAKEN_BACK,),
        (_ROLLED_OVER,),
        (_TO_VOID,),
        (_TAKEN,),
        (_HOLDS, holds_kept_from),
        (_SEATS,),
        (_SPENDS,),
        (_SPENT,),
        (WINDOWS,),
        (OWN_SPENT,),
        (_OVERAGE_HELD,),
        (_OVERAGE,),
        (_METERS,),
        (_HOUR_ROLLUPS,),
        (_PERIOD_ROLLUPS,),
    ):
        found += await connection.fetch(
            _of(connection, customer_id, question), customer_id, DISCREPANCIES_MAX, *more
        )
    found += await unrated(connection, _of(connection, customer_id, METERS_WITH_ENTRIES), customer_id)
    counts = await connection.fetchrow(_of(connection, customer_id, _COUNTS), customer_id)
    assert counts is not None
    return Verification(
        discrepancies=tuple(
            Discrepancy(
                customer_id=CustomerId(row["customer_id"]),
                credit_type_id=CreditTypeId(row["credit_type_id"]),
                grant_id=GrantId(row["grant_id"]) if row["grant_id"] else None,
                figure=row["figure"],
                stored_micros=row["stored"],
                recomputed_micros=row["recomputed"],
            )
            for row in found[:DISCREPANCIES_MAX]
        ),
        pools=counts["pools"],
        grants=counts["grants"],
        entries=counts["entries"],
        holds=counts["holds"],
    )


async def _verify_each(connection: Connection, holds_kept_from: str) -> Verification:
    """Recount customer by customer: Citus cannot recount all at once."""
    customers = await connection.fetch("SELECT customer_id FROM ledger.customers ORDER BY customer_id")
    each = [
        await verify(connection, row["customer_id"], holds_kept_from=holds_kept_from) for row in customers
    ]
    return Verification(
        discrepancies=tuple(one for of_one in each for one in of_one.discrepancies)[:DISCREPANCIES_MAX],
        pools=sum(one.pools for one in each),
        grants=sum(one.grants for one in each),
        entries=sum(one.entries for one in each),
        holds=sum(one.holds for one in each),
    )


def _of(connection: Connection, customer_id: CustomerId | None, question: str) -> str:
    """Return the query; for one customer without the `$1 IS NULL` branch, so that its generic plan uses an index."""
    if customer_id is None:
        return question
    return of_one_customer(connection, question.replace("$1::text IS NULL OR ", ""))
