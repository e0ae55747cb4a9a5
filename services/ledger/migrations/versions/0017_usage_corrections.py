# SPDX-License-Identifier: Apache-2.0
"""Corrections of usage: entries that correct earlier ones, and what was corrected, why and by whom.

Why: usage that was reported or captured by mistake is taken back without rewriting anything. Lock: ACCESS EXCLUSIVE on
entries, for an instant; the index is built beside the writers. Size: no row is touched; the index reads entries once,
and holds corrections only. The new checks are NOT VALID: existing rows satisfied stricter ones. The previous version
goes on with its own row type.
"""

from alembic import op

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0017"
down_revision = "0016"

KIND_KNOWN = """
    kind IN ('GRANT', 'SEAT_ADJUSTMENT', 'CAPTURE', 'EXPIRY', 'VOID', 'SHORTFALL', 'UNCHARGED', 'REINSTATEMENT',
        'CORRECTION')
"""
OF_A_GRANT = "kind = 'CORRECTION' OR (kind IN ('SHORTFALL', 'UNCHARGED')) = (grant_id IS NULL)"
SIGNED = """
    CASE
        WHEN kind IN ('GRANT', 'SEAT_ADJUSTMENT') THEN amount_micros >= 0
        WHEN kind IN ('SHORTFALL', 'UNCHARGED') THEN amount_micros = 0
        WHEN kind = 'REINSTATEMENT' THEN amount_micros > 0
        WHEN kind = 'CORRECTION' AND grant_id IS NULL THEN amount_micros = 0
        WHEN kind = 'CORRECTION' THEN amount_micros <> 0 AND shortfall_micros = 0
        ELSE amount_micros < 0
    END
"""
# Repeatable, as execute_with_lock_retries requires.
ENTRIES = f"""
    ALTER TABLE ledger.entries
        ADD COLUMN IF NOT EXISTS corrects_sequence bigint,
        DROP CONSTRAINT IF EXISTS entries_kind_known,
        DROP CONSTRAINT IF EXISTS entries_of_a_grant,
        DROP CONSTRAINT IF EXISTS entries_signed,
        DROP CONSTRAINT IF EXISTS entries_shortfall_micros_check,
        DROP CONSTRAINT IF EXISTS entries_shortfall_signed,
        DROP CONSTRAINT IF EXISTS entries_correct_earlier_ones,
        ADD CONSTRAINT entries_kind_known CHECK ({KIND_KNOWN}) NOT VALID,
        ADD CONSTRAINT entries_of_a_grant CHECK ({OF_A_GRANT}) NOT VALID,
        ADD CONSTRAINT entries_signed CHECK ({SIGNED}) NOT VALID,
        ADD CONSTRAINT entries_shortfall_signed CHECK (kind = 'CORRECTION' OR shortfall_micros >= 0) NOT VALID,
        ADD CONSTRAINT entries_correct_earlier_ones CHECK (corrects_sequence < sequence) NOT VALID
"""
# number: of the corrections of one event or hold, from 1. event_time, properties: of an amendment, what is right.
CORRECTIONS = """
    CREATE TABLE ledger.usage_corrections (
        customer_id text COLLATE "C" NOT NULL,
        source text NOT NULL CHECK (source IN ('EVENT', 'HOLD')),
        source_id text COLLATE "C" NOT NULL,
        number integer NOT NULL CHECK (number >= 1),
        kind text NOT NULL CHECK (kind IN ('VOID', 'AMENDMENT')),
        request_id text COLLATE "C" NOT NULL,
        reason text NOT NULL,
        actor text NOT NULL,
        create_time timestamptz NOT NULL,
        event_time timestamptz,
        properties jsonb,
        PRIMARY KEY (customer_id, source, source_id, number),
        CHECK ((kind = 'AMENDMENT') = (properties IS NOT NULL AND event_time IS NOT NULL))
    )
"""
ENTRY_TYPE = """
    CREATE TYPE ledger.new_entry_17 AS (
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
        corrects_sequence bigint
    )
"""


def upgrade() -> None:
    execute_with_lock_retries(ENTRIES)
    build_index(
        "entries_corrects_idx",
        "ledger.entries (customer_id, credit_type_id, corrects_sequence) WHERE corrects_sequence IS NOT NULL",
        schema="ledger",
    )
    for statement in (CORRECTIONS, ENTRY_TYPE):
        op.execute(statement)
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON ledger.usage_corrections FROM CURRENT_USER")
