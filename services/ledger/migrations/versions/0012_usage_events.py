# SPDX-License-Identifier: Apache-2.0
"""Usage events, the values that UNIQUE metrics have seen, and what is spent ahead of the present windows.

Why: usage that is reported after the fact is stored, charged once, and counted in the windows of its own time. Lock:
ACCESS EXCLUSIVE on entries, meters and spends, for an instant each; the indexes are built beside the writers. Size: no
row is touched; the indexes read entries and grants once. The new checks of entries are NOT VALID: existing rows
satisfied stricter ones. The previous version goes on with its own row types, and leaves the amounts ahead as they are.
"""

from alembic import op

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0012"
down_revision = "0011"

KIND_KNOWN = """
    kind IN ('GRANT', 'SEAT_ADJUSTMENT', 'CAPTURE', 'EXPIRY', 'VOID', 'SHORTFALL', 'UNCHARGED', 'REINSTATEMENT')
"""
SIGNED = """
    CASE
        WHEN kind IN ('GRANT', 'SEAT_ADJUSTMENT') THEN amount_micros >= 0
        WHEN kind IN ('SHORTFALL', 'UNCHARGED') THEN amount_micros = 0
        WHEN kind = 'REINSTATEMENT' THEN amount_micros > 0
        ELSE amount_micros < 0
    END
"""
# Repeatable, as execute_with_lock_retries requires.
ALTERATIONS = (
    f"""
    ALTER TABLE ledger.entries
        DROP CONSTRAINT IF EXISTS entries_kind_known,
        DROP CONSTRAINT IF EXISTS entries_signed,
        ADD CONSTRAINT entries_kind_known CHECK ({KIND_KNOWN}) NOT VALID,
        ADD CONSTRAINT entries_signed CHECK ({SIGNED}) NOT VALID
    """,
    "ALTER TABLE ledger.meters ADD COLUMN IF NOT EXISTS largest_micros bigint NOT NULL DEFAULT 0",
    """
    ALTER TABLE ledger.spends
        ADD COLUMN IF NOT EXISTS period_ahead_micros bigint NOT NULL DEFAULT 0,
        ADD COLUMN IF NOT EXISTS day_ahead_micros bigint NOT NULL DEFAULT 0
    """,
)
TABLES = (
    """
    CREATE TABLE ledger.usage_events (
        customer_id text COLLATE "C" NOT NULL,
        transaction_id text COLLATE "C" NOT NULL,
        body_hash bytea NOT NULL,
        event_type text NOT NULL,
        event_time timestamptz NOT NULL,
        receive_time timestamptz NOT NULL,
        properties jsonb NOT NULL,
        status text NOT NULL CHECK (status IN ('ACCEPTED', 'NO_MATCH', 'NO_CONTRACT')),
        result jsonb NOT NULL,
        PRIMARY KEY (customer_id, transaction_id)
    )
    """,
    # Until a customer has the name: no customer_id yet. The name is what it is distributed by.
    """
    CREATE TABLE ledger.unattached_events (
        customer_name text COLLATE "C" NOT NULL,
        transaction_id text COLLATE "C" NOT NULL,
        body_hash bytea NOT NULL,
        event_type text NOT NULL,
        event_time timestamptz NOT NULL,
        receive_time timestamptz NOT NULL,
        properties jsonb NOT NULL,
        PRIMARY KEY (customer_name, transaction_id)
    )
    """,
    """
    CREATE TABLE ledger.meter_values (
        customer_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        root_rate_id text COLLATE "C" NOT NULL,
        period_start timestamptz NOT NULL,
        value text COLLATE "C" NOT NULL,
        events bigint NOT NULL CHECK (events >= 0),
        PRIMARY KEY (customer_id, credit_type_id, root_rate_id, period_start, value)
    )
    """,
)
TYPES = (
    """
    CREATE TYPE ledger.spend_change_12 AS (
        customer_id text,
        credit_type_id text,
        group_key text,
        group_value text,
        held_micros bigint,
        period_start timestamptz,
        period_spent_micros bigint,
        period_ahead_micros bigint,
        day_start timestamptz,
        day_spent_micros bigint,
        day_ahead_micros bigint
    )
    """,
    """
    CREATE TYPE ledger.meter_change_12 AS (
        customer_id text,
        credit_type_id text,
        root_rate_id text,
        period_start timestamptz,
        product_id text,
        rate_id text,
        quantity_micros bigint,
        cost_micros bigint,
        largest_micros bigint
    )
    """,
    """
    CREATE TYPE ledger.value_change AS (
        customer_id text,
        credit_type_id text,
        root_rate_id text,
        period_start timestamptz,
        value text,
        events bigint
    )
    """,
    """
    CREATE TYPE ledger.new_event AS (
        customer_id text,
        credit_type_id text,
        transaction_id text,
        body_hash bytea,
        event_type text,
        event_time timestamptz,
        receive_time timestamptz,
        properties jsonb,
        status text,
        result jsonb
    )
    """,
)


def upgrade() -> None:
    for statement in ALTERATIONS:
        execute_with_lock_retries(statement)
    build_index(
        "entries_transaction_idx",
        "ledger.entries (customer_id, transaction_id) WHERE transaction_id IS NOT NULL",
        schema="ledger",
    )
    build_index(
        "grants_reinstatable_idx",
        "ledger.grants (customer_id, credit_type_id, expire_time) WHERE is_closed AND expired_micros > 0",
        schema="ledger",
    )
    for statement in (*TABLES, *TYPES):
        op.execute(statement)
