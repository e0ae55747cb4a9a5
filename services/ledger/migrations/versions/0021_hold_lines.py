# SPDX-License-Identifier: Apache-2.0
"""Holds of several lines: the lines of a hold in one nullable column, which a hold of one line leaves empty.

Why: one call may use several products, such as input and output tokens. Lock: ACCESS EXCLUSIVE on holds, for an
instant. Size: no row is touched. The previous version goes on with its own row type. It knows nothing of lines, but
draw_grant_ids, draw_micros and counted_group_values are those of all lines, so it releases and expires such holds
rightly; it captures them as if they had been held in credits.
"""

from alembic import op

from meshkit.migrations import execute_with_lock_retries

revision = "0021"
down_revision = "0019"

# Repeatable, as execute_with_lock_retries requires.
HOLDS = "ALTER TABLE ledger.holds ADD COLUMN IF NOT EXISTS lines jsonb"
HOLD_TYPE = """
    CREATE TYPE ledger.new_hold_21 AS (
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
        lines jsonb
    )
"""


def upgrade() -> None:
    execute_with_lock_retries(HOLDS)
    op.execute(HOLD_TYPE)
