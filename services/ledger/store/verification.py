# SPDX-License-Identifier: Apache-2.0
"""The recount: every stored figure against what entries and open holds say, in one snapshot."""

from services.ledger.domain.grant import CreditTypeId, CustomerId, GrantId
from services.ledger.domain.report import Discrepancy, Verification
from services.ledger.store.connection import Connection

DISCREPANCIES_MAX = 1_000

_GRANTS = """
    WITH written AS (
        SELECT customer_id, grant_id,
            coalesce(sum(amount_micros) FILTER (WHERE kind IN ('GRANT', 'SEAT_ADJUSTMENT')), 0) AS granted,
            -coalesce(sum(amount_micros) FILTER (WHERE kind = 'CAPTURE'), 0) AS captured,
            -coalesce(sum(amount_micros) FILTER (WHERE kind = 'EXPIRY'), 0) AS expired,
            -coalesce(sum(amount_micros) FILTER (WHERE kind = 'VOID'), 0) AS voided
        FROM ledger.entries WHERE grant_id IS NOT NULL AND ($1::text IS NULL OR customer_id = $1)
        GROUP BY customer_id, grant_id
    ), reserved AS (
        SELECT h.customer_id, d.grant_id, sum(d.micros) AS held
        FROM ledger.holds h, unnest(h.draw_grant_ids, h.draw_micros) AS d (grant_id, micros)
        WHERE h.state = 'HELD' AND ($1::text IS NULL OR h.customer_id = $1)
        GROUP BY h.customer_id, d.grant_id
    ), figures AS (
        SELECT g.customer_id, g.credit_type_id, g.grant_id, f.figure, f.stored, f.recomputed
        FROM ledger.grants g
        LEFT JOIN written w USING (customer_id, grant_id)
        LEFT JOIN reserved r USING (customer_id, grant_id)
        CROSS JOIN LATERAL (VALUES
            ('granted_micros', g.granted_micros, coalesce(w.granted, 0)),
            ('captured_micros', g.captured_micros, coalesce(w.captured, 0)),
            ('expired_micros', g.expired_micros, coalesce(w.expired, 0)),
            ('voided_micros', g.voided_micros, coalesce(w.voided, 0)),
            ('held_micros', g.held_micros, coalesce(r.held, 0))
        ) AS f (figure, stored, recomputed)
        WHERE $1::text IS NULL OR g.customer_id = $1
    )
    SELECT customer_id, credit_type_id, grant_id, figure, stored::bigint, recomputed::bigint
    FROM figures WHERE stored <> recomputed ORDER BY customer_id, grant_id, figure LIMIT $2
"""

# An entry or a hold of a grant that is not there is found as a pool's lines not matching its grants' lines.
_POOLS = """
    WITH written AS (
        SELECT customer_id, credit_type_id, count(*) AS lines, max(sequence) AS last,
            sum(shortfall_micros) AS shortfall, sum(amount_micros) AS net
        FROM ledger.entries WHERE $1::text IS NULL OR customer_id = $1
        GROUP BY customer_id, credit_type_id
    ), owned AS (
        SELECT customer_id, credit_type_id,
            sum(granted_micros - captured_micros - expired_micros - voided_micros) AS net
        FROM ledger.grants WHERE $1::text IS NULL OR customer_id = $1
        GROUP BY customer_id, credit_type_id
    ), figures AS (
        SELECT p.customer_id, p.credit_type_id, f.figure, f.stored, f.recomputed
        FROM ledger.pools p
        LEFT JOIN written w USING (customer_id, credit_type_id)
        LEFT JOIN owned o USING (customer_id, credit_type_id)
        CROSS JOIN LATERAL (VALUES
            ('sequence', p.sequence, coalesce(w.last, 0)),
            ('entry_count', p.sequence, coalesce(w.lines, 0)),
            ('shortfall_micros', p.shortfall_micros, coalesce(w.shortfall, 0)),
            ('remaining_micros', coalesce(o.net, 0), coalesce(w.net, 0))
        ) AS f (figure, stored, recomputed)
        WHERE $1::text IS NULL OR p.customer_id = $1
    )
    SELECT customer_id, credit_type_id, NULL AS grant_id, figure, stored::bigint, recomputed::bigint
    FROM figures WHERE stored <> recomputed ORDER BY customer_id, credit_type_id, figure LIMIT $2
"""

_SPENDS = """
    WITH reserved AS (
        SELECT h.customer_id, h.credit_type_id, v.key AS group_key, v.value AS group_value,
            sum((SELECT sum(micros) FROM unnest(h.draw_micros) AS micros)) AS held
        FROM ledger.holds h, jsonb_each_text(h.counted_group_values) AS v
        WHERE h.state = 'HELD' AND ($1::text IS NULL OR h.customer_id = $1)
        GROUP BY 1, 2, 3, 4
    )
    SELECT s.customer_id, s.credit_type_id, NULL AS grant_id,
        format('held_micros of %s %s', s.group_key, s.group_value) AS figure,
        s.held_micros AS stored, coalesce(r.held, 0)::bigint AS recomputed
    FROM ledger.spends s LEFT JOIN reserved r USING (customer_id, credit_type_id, group_key, group_value)
    WHERE ($1::text IS NULL OR s.customer_id = $1) AND s.held_micros <> coalesce(r.held, 0)
    ORDER BY 1, 2, 4 LIMIT $2
"""

_COUNTS = """
    SELECT (SELECT count(*) FROM ledger.pools WHERE $1::text IS NULL OR customer_id = $1) AS pools,
        (SELECT count(*) FROM ledger.grants WHERE $1::text IS NULL OR customer_id = $1) AS grants,
        (SELECT count(*) FROM ledger.entries WHERE $1::text IS NULL OR customer_id = $1) AS entries,
        (SELECT count(*) FROM ledger.holds WHERE state = 'HELD' AND ($1::text IS NULL OR customer_id = $1)) AS holds
"""


async def verify(connection: Connection, customer_id: CustomerId | None) -> Verification:
    """Recount one customer's figures, or everybody's; at most 1,000 discrepancies are told.

    The connection must be in a REPEATABLE READ transaction, or the recount may see half of a concurrent write.
    """
    found = []
    for question in (_POOLS, _GRANTS, _SPENDS):
        found += await connection.fetch(question, customer_id, DISCREPANCIES_MAX)
    counts = await connection.fetchrow(_COUNTS, customer_id)
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
