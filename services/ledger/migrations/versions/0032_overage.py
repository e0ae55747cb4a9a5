# SPDX-License-Identifier: Apache-2.0
"""Overage: what contracts allow, what holds reserve of it, and entries of what was billed.

Why: usage goes on when the credits of a contract run out, up to its cap, and is billed. Lock: ACCESS EXCLUSIVE on
contracts, holds and entries for an instant each. Size: no row is touched; the new checks are NOT VALID: existing rows
satisfied stricter ones. The previous version goes on with its own row types. It denies what would be overage, and
cannot read an entry of it: agree on overage when all replicas are new.
"""

from alembic import op

from meshkit.migrations import execute_with_lock_retries

revision = "0032"
down_revision = "0031"

CONTRACTS = "ALTER TABLE ledger.contracts ADD COLUMN IF NOT EXISTS overage_caps jsonb NOT NULL DEFAULT '{}'"
HOLDS = "ALTER TABLE ledger.holds ADD COLUMN IF NOT EXISTS overage_micros bigint[]"
KIND_KNOWN = """
    kind IN ('GRANT', 'SEAT_ADJUSTMENT', 'CAPTURE', 'EXPIRY', 'VOID', 'SHORTFALL', 'UNCHARGED', 'REINSTATEMENT',
        'CORRECTION', 'OVERAGE')
"""
OF_A_GRANT = "kind = 'CORRECTION' OR (kind IN ('SHORTFALL', 'OVERAGE', 'UNCHARGED')) = (grant_id IS NULL)"
SIGNED = """
    CASE
        WHEN kind IN ('GRANT', 'SEAT_ADJUSTMENT') THEN amount_micros >= 0
        WHEN kind IN ('SHORTFALL', 'OVERAGE', 'UNCHARGED') THEN amount_micros = 0
        WHEN kind = 'REINSTATEMENT' THEN amount_micros > 0
        WHEN kind = 'CORRECTION' AND grant_id IS NULL THEN amount_micros = 0
        WHEN kind = 'CORRECTION' THEN amount_micros <> 0 AND shortfall_micros = 0
        ELSE amount_micros < 0
    END
"""
# Repeatable, as execute_with_lock_retries requires.
ENTRIES = f"""
    ALTER TABLE ledger.entries
        DROP CONSTRAINT IF EXISTS entries_kind_known,
        DROP CONSTRAINT IF EXISTS entries_of_a_grant,
        DROP CONSTRAINT IF EXISTS entries_signed,
        DROP CONSTRAINT IF EXISTS entries_overage_charged,
        ADD CONSTRAINT entries_kind_known CHECK ({KIND_KNOWN}) NOT VALID,
        ADD CONSTRAINT entries_of_a_grant CHECK ({OF_A_GRANT}) NOT VALID,
        ADD CONSTRAINT entries_signed CHECK ({SIGNED}) NOT VALID,
        ADD CONSTRAINT entries_overage_charged
            CHECK (kind <> 'OVERAGE' OR (shortfall_micros > 0 AND contract_id IS NOT NULL)) NOT VALID
"""
NEW_HOLD = """
    CREATE TYPE ledger.new_hold_32 AS (
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
        overage_micros bigint[],
        subject text
    )
"""
CHANGED_HOLD = """
    CREATE TYPE ledger.hold_change_32 AS (
        customer_id text,
        credit_type_id text,
        hold_id text,
        state text,
        quantity_micros bigint,
        draw_grant_ids text[],
        draw_micros bigint[],
        captured_micros bigint,
        expire_time timestamptz,
        overage_micros bigint[]
    )
"""


def upgrade() -> None:
    for statement in (CONTRACTS, HOLDS, ENTRIES):
        execute_with_lock_retries(statement)
    for composite in (NEW_HOLD, CHANGED_HOLD):
        op.execute(composite)
