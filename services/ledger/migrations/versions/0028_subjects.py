# SPDX-License-Identifier: Apache-2.0
"""Entries, holds and usage events carry the subject of the caller who caused them.

Why: they are the audit records of the gate and of reported usage. Lock: ACCESS EXCLUSIVE on each table for an instant.
Size: no row is touched, because a constant default is not written to them. The previous version goes on with its own
row types and leaves the columns empty.
"""

from alembic import op

from meshkit.migrations import execute_with_lock_retries

revision = "0028"
down_revision = "0027"

TABLES = ("entries", "holds", "usage_events", "unattached_events")
ENTRY_TYPE = """
    CREATE TYPE ledger.new_entry_28 AS (
        customer_id text,
        credit_type_id text,
        sequence bigint,
        kind text,
        grant_id text,
        amount_micros bigint,
        shortfall_micros bigint,
        effective_time timestamptz,
        create_time timestamptz,
        cause_id text,
        hold_id text,
        product_id text,
        group_values jsonb,
        contract_id text,
        quantity_micros bigint,
        root_rate_id text,
        usage_period_start timestamptz,
        dimension_values jsonb,
        transaction_id text,
        meter_quantity_micros bigint,
        meter_cost_micros bigint,
        corrects_sequence bigint,
        subject text
    )
"""
HOLD_TYPE = """
    CREATE TYPE ledger.new_hold_28 AS (
        customer_id text,
        credit_type_id text,
        hold_id text,
        product_id text,
        contract_id text,
        anchor_time timestamptz,
        rate_type text,
        price_micros bigint,
        per_micros bigint,
        tiers jsonb,
        conversion jsonb,
        rate_id text,
        root_rate_id text,
        dimension_values jsonb,
        quantity_micros bigint,
        group_values jsonb,
        counted_group_values jsonb,
        state text,
        draw_grant_ids text[],
        draw_micros bigint[],
        captured_micros bigint,
        create_time timestamptz,
        expire_time timestamptz,
        lines jsonb,
        subject text
    )
"""
EVENT_TYPE = """
    CREATE TYPE ledger.new_event_28 AS (
        customer_id text,
        credit_type_id text,
        transaction_id text,
        body_hash bytea,
        event_type text,
        event_time timestamptz,
        receive_time timestamptz,
        properties jsonb,
        status text,
        result jsonb,
        subject text
    )
"""


def upgrade() -> None:
    for table in TABLES:
        execute_with_lock_retries(
            f"ALTER TABLE ledger.{table} ADD COLUMN IF NOT EXISTS subject text NOT NULL DEFAULT ''"
        )
    for composite in (ENTRY_TYPE, HOLD_TYPE, EVENT_TYPE):
        op.execute(composite)
