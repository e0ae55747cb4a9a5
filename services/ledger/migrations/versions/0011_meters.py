# SPDX-License-Identifier: Apache-2.0
"""Entries record the quantity used and the contract that entitled it, and usage that cost nothing has an entry.

Why: usage at price 0 left no entry, so no report counted it; meters and invoices need quantity and contract. Holds keep
their quantity for a capture of everything held. The rows of the guarded write get new types, because the previous
version goes on sending the old ones. Lock: ACCESS EXCLUSIVE on entries and holds, for an instant each. Size: no row is
touched. The new checks are NOT VALID: existing rows satisfied stricter ones, so there is nothing to scan.
"""

from alembic import op

from meshkit.migrations import execute_with_lock_retries

revision = "0011"
down_revision = "0010"

KIND_KNOWN = "kind IN ('GRANT', 'SEAT_ADJUSTMENT', 'CAPTURE', 'EXPIRY', 'VOID', 'SHORTFALL', 'UNCHARGED')"
OF_A_GRANT = "(kind IN ('SHORTFALL', 'UNCHARGED')) = (grant_id IS NULL)"
SIGNED = """
    CASE
        WHEN kind IN ('GRANT', 'SEAT_ADJUSTMENT') THEN amount_micros >= 0
        WHEN kind IN ('SHORTFALL', 'UNCHARGED') THEN amount_micros = 0
        ELSE amount_micros < 0
    END
"""
# Repeatable, as execute_with_lock_retries requires.
ENTRIES = f"""
    ALTER TABLE ledger.entries
        ADD COLUMN IF NOT EXISTS contract_id text COLLATE "C",
        ADD COLUMN IF NOT EXISTS quantity_micros bigint NOT NULL DEFAULT 0,
        ADD COLUMN IF NOT EXISTS root_rate_id text COLLATE "C",
        ADD COLUMN IF NOT EXISTS usage_period_start timestamptz,
        ADD COLUMN IF NOT EXISTS dimension_values jsonb,
        ADD COLUMN IF NOT EXISTS transaction_id text COLLATE "C",
        DROP CONSTRAINT IF EXISTS entries_kind_check,
        DROP CONSTRAINT IF EXISTS entries_check,
        DROP CONSTRAINT IF EXISTS entries_check1,
        DROP CONSTRAINT IF EXISTS entries_kind_known,
        DROP CONSTRAINT IF EXISTS entries_of_a_grant,
        DROP CONSTRAINT IF EXISTS entries_signed,
        ADD CONSTRAINT entries_kind_known CHECK ({KIND_KNOWN}) NOT VALID,
        ADD CONSTRAINT entries_of_a_grant CHECK ({OF_A_GRANT}) NOT VALID,
        ADD CONSTRAINT entries_signed CHECK ({SIGNED}) NOT VALID
"""
HOLDS = """
    ALTER TABLE ledger.holds
        ADD COLUMN IF NOT EXISTS quantity_micros bigint NOT NULL DEFAULT 0,
        ADD COLUMN IF NOT EXISTS rate_type text NOT NULL DEFAULT 'FLAT',
        ADD COLUMN IF NOT EXISTS tiers jsonb,
        ADD COLUMN IF NOT EXISTS conversion jsonb,
        ADD COLUMN IF NOT EXISTS rate_id text COLLATE "C",
        ADD COLUMN IF NOT EXISTS root_rate_id text COLLATE "C",
        ADD COLUMN IF NOT EXISTS dimension_values jsonb
"""
METERS = """
    CREATE TABLE ledger.meters (
        customer_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        root_rate_id text COLLATE "C" NOT NULL,
        period_start timestamptz NOT NULL,
        product_id text COLLATE "C" NOT NULL,
        rate_id text COLLATE "C" NOT NULL,
        quantity_micros bigint NOT NULL CHECK (quantity_micros >= 0),
        cost_micros bigint NOT NULL CHECK (cost_micros >= 0),
        PRIMARY KEY (customer_id, credit_type_id, root_rate_id, period_start)
    )
"""
TYPES = (
    """
    CREATE TYPE ledger.new_entry_11 AS (
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
        transaction_id text
    )
    """,
    """
    CREATE TYPE ledger.new_hold_11 AS (
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
        expire_time timestamptz
    )
    """,
    """
    CREATE TYPE ledger.hold_change_11 AS (
        customer_id text,
        credit_type_id text,
        hold_id text,
        state text,
        quantity_micros bigint,
        draw_grant_ids text[],
        draw_micros bigint[],
        captured_micros bigint,
        expire_time timestamptz
    )
    """,
    """
    CREATE TYPE ledger.meter_change AS (
        customer_id text,
        credit_type_id text,
        root_rate_id text,
        period_start timestamptz,
        product_id text,
        rate_id text,
        quantity_micros bigint,
        cost_micros bigint
    )
    """,
)


def upgrade() -> None:
    execute_with_lock_retries(ENTRIES)
    execute_with_lock_retries(HOLDS)
    for statement in (METERS, *TYPES):
        op.execute(statement)
