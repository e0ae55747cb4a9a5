# SPDX-License-Identifier: Apache-2.0
"""A customer's accounts as last committed: one statement, so one snapshot, and no lock."""

from datetime import datetime
from itertools import groupby
from operator import itemgetter

from access import current_caller
from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, Owed
from services.ledger.domain.errors import CustomerNotFound
from services.ledger.domain.gate.overage import OVERAGE_KEY
from services.ledger.domain.gate.spend_cap import GroupValue, Spend, WindowSpend
from services.ledger.store.citus import of_one_customer
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import GRANT_COLUMNS, IS_OPEN_GRANT, Row, grant_from_row
from services.ledger.store.gate.standings import CUSTOMER_ID, USAGE_ANCHOR

# A customer without pools gives one row, and so does a pool without grants.
_ACCOUNTS = f"""
    SELECT u.customer_id, {USAGE_ANCHOR} AS usage_anchor, p.credit_type_id, p.version, p.sequence, p.shortfall_micros,
        p.next_due_time, p.settled_time, o.overage_caps, o.overage_totals, o.owed, {GRANT_COLUMNS}
    FROM ledger.customers u
    LEFT JOIN ledger.pools p ON p.customer_id = u.customer_id AND ($2::text IS NULL OR p.credit_type_id = $2)
    LEFT JOIN LATERAL (
        SELECT (
            SELECT jsonb_object_agg(k.contract_id, k.overage_caps -> p.credit_type_id) FROM ledger.contracts k
            WHERE k.customer_id = p.customer_id AND k.overage_caps ? p.credit_type_id
        ) AS overage_caps, (
            SELECT jsonb_agg(to_jsonb(s)) FROM ledger.spends s
            WHERE s.customer_id = p.customer_id AND s.credit_type_id = p.credit_type_id
                AND s.group_key = '{OVERAGE_KEY}'
        ) AS overage_totals, (
            SELECT jsonb_agg(
                jsonb_build_array(b.to_void_micros - b.voided_micros, b.granted_micros, b.cost_basis_micros)
            )
            FROM ledger.grants b
            WHERE b.customer_id = p.customer_id AND b.credit_type_id = p.credit_type_id
                AND b.to_void_micros IS NOT NULL AND b.to_void_micros > b.voided_micros
        ) AS owed
    ) o ON true
    LEFT JOIN ledger.grants g
        ON g.customer_id = p.customer_id AND g.credit_type_id = p.credit_type_id AND g.slot_id IS NULL
        AND ({IS_OPEN_GRANT})
    WHERE u.customer_id = {CUSTOMER_ID.format(name="$1")}
    ORDER BY p.credit_type_id
"""


_NAMED = f"SELECT {CUSTOMER_ID.format(name='$1')}"


async def read_snapshot(
    connection: Connection, customer: str, credit_type_id: CreditTypeId | None
) -> list[Account]:
    """Return a customer's accounts (or one of them) with their grants, by credit type, up to date or not.

    customer: id or alias. Raises CustomerNotFound, also for one that the present caller may not see.
    """
    if connection.is_citus:
        customer = await connection.fetchval(_NAMED, customer) or customer
    rows = await connection.fetch(of_one_customer(connection, _ACCOUNTS), customer, credit_type_id)
    if not rows or not current_caller().may_see(rows[0]["customer_id"]):
        raise CustomerNotFound(customer=customer)
    pools = groupby(rows, key=itemgetter("credit_type_id"))
    return [_account(list(of_pool)) for pool, of_pool in pools if pool is not None]


def _account(rows: list[Row]) -> Account:
    pool = rows[0]
    grants = [grant_from_row(row) for row in rows if row["grant_id"] is not None]
    return Account(
        customer_id=CustomerId(pool["customer_id"]),
        credit_type_id=CreditTypeId(pool["credit_type_id"]),
        version=pool["version"],
        usage_anchor=pool["usage_anchor"],
        overage_caps={
            contract_id: None if micros is None else Credits(micros)
            for contract_id, micros in (pool["overage_caps"] or {}).items()
        },
        spends=dict(map(_overage_total, pool["overage_totals"] or ())),
        sequence=pool["sequence"],
        shortfall=Credits(pool["shortfall_micros"]),
        owed=tuple(
            Owed.of(Credits(owed), granted=Credits(granted), cost_basis_micros=cost_basis_micros)
            for owed, granted, cost_basis_micros in pool["owed"] or ()
        ),
        next_due_time=pool["next_due_time"],
        settled_time=pool["settled_time"],
        grants={grant.grant_id: grant for grant in grants},
    )


def _overage_total(spend: Row) -> tuple[GroupValue, Spend]:
    """spend: a row as JSON."""
    start = spend["period_start"]
    return (spend["group_key"], spend["group_value"]), Spend(
        held=Credits(spend["held_micros"]),
        period=None
        if start is None
        else WindowSpend(datetime.fromisoformat(start), Credits(spend["period_spent_micros"])),
    )
