# SPDX-License-Identifier: Apache-2.0
"""The recount of what is counted only because a cap needs it: stepped windows, and subjects of the Ledger's own.

A difference is also what a replica of an earlier version has spent without counting it there; setting the cap again
counts it.
"""

from typing import Final

# The usage e of subjects t of the Ledger's own, and that of the present members m of a group. The names of subjects are
# those of domain/gate/subjects.py.
_OF_OWN: Final = """
    JOIN ledger.entries e USING (customer_id, credit_type_id)
    WHERE e.product_id IS NOT NULL AND t.group_key = ''
        AND (t.group_value = 'customer' OR t.group_value = 'product ' || e.product_id)
"""
# One group after the other: without OFFSET 0 PostgreSQL may join all members with all entries first.
_OF_GROUPS: Final = """
    CROSS JOIN LATERAL (
        SELECT e.effective_time, e.shortfall_micros, e.amount_micros
        FROM ledger.entries e JOIN ledger.products p USING (product_id)
        CROSS JOIN LATERAL jsonb_each_text(e.group_values) AS v
        JOIN ledger.cap_group_values m
            ON m.customer_id = t.customer_id AND m.group_key = v.key AND m.group_value = v.value
        WHERE e.customer_id = t.customer_id AND e.credit_type_id = t.credit_type_id
            AND 'group ' || m.cap_group_id = t.group_value AND v.key = ANY (p.group_keys)
        OFFSET 0
    ) AS e
    WHERE t.group_key = '' AND starts_with(t.group_value, 'group ')
"""

# A tally has all that was spent from its first instant on.
WINDOWS: Final = f"""
    WITH tallies AS (
        SELECT s.customer_id, s.credit_type_id, s.group_key, s.group_value, w.key AS name,
            to_timestamp((w.value ->> 'since')::bigint) AS since,
            (SELECT coalesce(sum(value::bigint), 0) FROM jsonb_each_text(w.value -> 'steps')) AS stored
        FROM ledger.spends s CROSS JOIN LATERAL jsonb_each(s.windows) AS w
        WHERE s.windows IS NOT NULL AND ($1::text IS NULL OR s.customer_id = $1)
    ), spent AS (
        SELECT t.customer_id, t.credit_type_id, t.group_key, t.group_value, t.name,
            e.shortfall_micros - e.amount_micros AS micros
        FROM tallies t JOIN ledger.entries e USING (customer_id, credit_type_id)
        JOIN ledger.products p ON p.product_id = e.product_id AND t.group_key = ANY (p.group_keys)
        WHERE e.effective_time >= t.since AND e.group_values ->> t.group_key = t.group_value
        UNION ALL
        SELECT t.customer_id, t.credit_type_id, t.group_key, t.group_value, t.name,
            e.shortfall_micros - e.amount_micros
        FROM tallies t {_OF_OWN} AND e.effective_time >= t.since
        UNION ALL
        SELECT t.customer_id, t.credit_type_id, t.group_key, t.group_value, t.name,
            e.shortfall_micros - e.amount_micros
        FROM tallies t {_OF_GROUPS} AND e.effective_time >= t.since
    ), summed AS (
        SELECT customer_id, credit_type_id, group_key, group_value, name, sum(micros) AS micros
        FROM spent GROUP BY 1, 2, 3, 4, 5
    )
    SELECT customer_id, credit_type_id, NULL AS grant_id,
        format('%s of %s %s', name, group_key, group_value) AS figure, stored::bigint AS stored,
        coalesce(micros, 0)::bigint AS recomputed
    FROM tallies LEFT JOIN summed USING (customer_id, credit_type_id, group_key, group_value, name)
    WHERE stored <> coalesce(micros, 0)
    ORDER BY 1, 2, 4 LIMIT $2
"""

OWN_SPENT: Final = f"""
    WITH own AS (
        SELECT customer_id, credit_type_id, group_key, group_value, period_start, day_start, held_micros,
            period_spent_micros + period_ahead_micros AS period_spent_micros,
            day_spent_micros + day_ahead_micros AS day_spent_micros
        FROM ledger.spends WHERE group_key = ''
            AND (group_value = 'customer' OR split_part(group_value, ' ', 1) IN ('product', 'group'))
            AND ($1::text IS NULL OR customer_id = $1)
    ), used AS (
        SELECT t.*, e.effective_time, e.shortfall_micros - e.amount_micros AS micros FROM own t {_OF_OWN}
        UNION ALL
        SELECT t.*, e.effective_time, e.shortfall_micros - e.amount_micros FROM own t {_OF_GROUPS}
    ), spent AS (
        SELECT customer_id, credit_type_id, group_value,
            sum(micros) FILTER (WHERE effective_time >= period_start) AS in_period,
            sum(micros) FILTER (WHERE effective_time >= day_start) AS in_day
        FROM used GROUP BY 1, 2, 3
    ), reserved AS (
        SELECT h.customer_id, h.credit_type_id, 'customer' AS group_value,
            sum((SELECT sum(micros) FROM unnest(h.draw_micros || h.overage_micros) AS micros)) AS held
        FROM own t JOIN ledger.holds h USING (customer_id, credit_type_id)
        WHERE t.group_value = 'customer' AND h.state = 'HELD'
        GROUP BY 1, 2
    )
    SELECT customer_id, credit_type_id, NULL AS grant_id, format('%s of %s', f.figure, group_value) AS figure,
        f.stored, coalesce(f.recomputed, 0)::bigint AS recomputed
    FROM own LEFT JOIN spent USING (customer_id, credit_type_id, group_value)
    LEFT JOIN reserved USING (customer_id, credit_type_id, group_value)
    CROSS JOIN LATERAL (VALUES
        ('period_spent_micros', period_spent_micros, in_period),
        ('day_spent_micros', day_spent_micros, in_day),
        ('held_micros', CASE WHEN group_value = 'customer' THEN held_micros ELSE 0 END, held)
    ) AS f (figure, stored, recomputed)
    WHERE f.stored <> coalesce(f.recomputed, 0)
    ORDER BY 1, 2, 4 LIMIT $2
"""
