# SPDX-License-Identifier: Apache-2.0
"""Usage added up by hour and by usage period, and the position of the meter in entries about usage.

Why: reads of usage must not scan entries. A pool says up to which entry its usage is added up; the previous version,
which does not add it up, may go on writing entries: what it wrote becomes a gap, which is added up later. Lock: ACCESS
EXCLUSIVE on pools and entries, for an instant each; the index is built beside the writers. Size: no row is touched; the
index reads the usage events once. The rollups are empty at first: all entries that there are form gaps.
"""

from alembic import op

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0016"
down_revision = "0015"

# Repeatable, as execute_with_lock_retries requires.
ALTERATIONS = (
    "ALTER TABLE ledger.pools ADD COLUMN IF NOT EXISTS rolled_sequence bigint NOT NULL DEFAULT 0",
    """
    ALTER TABLE ledger.entries
        ADD COLUMN IF NOT EXISTS meter_quantity_micros bigint,
        ADD COLUMN IF NOT EXISTS meter_cost_micros bigint
    """,
)
# Rows are added to far more often than inserted: the free space of each page keeps such updates out of the index.
# Dimension values may be longer than an index row, so their hash is in the key.
TABLES = (
    """
    CREATE TABLE ledger.usage_hours (
        customer_id text COLLATE "C" NOT NULL,
        group_key text COLLATE "C" NOT NULL,
        group_value text COLLATE "C" NOT NULL,
        start_time timestamptz NOT NULL,
        product_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        dimensions_hash bytea NOT NULL,
        dimension_values jsonb NOT NULL,
        quantity_micros bigint NOT NULL,
        credits_micros bigint NOT NULL,
        shortfall_micros bigint NOT NULL,
        uses bigint NOT NULL,
        PRIMARY KEY (customer_id, group_key, group_value, start_time, product_id, credit_type_id, dimensions_hash)
    ) WITH (fillfactor = 70)
    """,
    # All group values of one period are neighbours.
    """
    CREATE TABLE ledger.usage_periods (
        customer_id text COLLATE "C" NOT NULL,
        group_key text COLLATE "C" NOT NULL,
        start_time timestamptz NOT NULL,
        group_value text COLLATE "C" NOT NULL,
        product_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        dimensions_hash bytea NOT NULL,
        dimension_values jsonb NOT NULL,
        quantity_micros bigint NOT NULL,
        credits_micros bigint NOT NULL,
        shortfall_micros bigint NOT NULL,
        uses bigint NOT NULL,
        PRIMARY KEY (customer_id, group_key, start_time, group_value, product_id, credit_type_id, dimensions_hash)
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE ledger.rollup_gaps (
        customer_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        first_sequence bigint NOT NULL,
        last_sequence bigint NOT NULL CHECK (last_sequence >= first_sequence),
        PRIMARY KEY (customer_id, credit_type_id, first_sequence)
    )
    """,
)
TYPES = (
    """
    CREATE TYPE ledger.pool_change_16 AS (
        customer_id text,
        credit_type_id text,
        version bigint,
        sequence bigint,
        rolled_sequence bigint,
        shortfall_micros bigint,
        next_due_time timestamptz,
        settled_time timestamptz
    )
    """,
    """
    CREATE TYPE ledger.new_entry_16 AS (
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
        meter_cost_micros bigint
    )
    """,
    """
    CREATE TYPE ledger.rollup_change AS (
        customer_id text,
        credit_type_id text,
        group_key text,
        group_value text,
        start_time timestamptz,
        product_id text,
        dimensions_hash bytea,
        dimension_values jsonb,
        quantity_micros bigint,
        credits_micros bigint,
        shortfall_micros bigint,
        uses bigint
    )
    """,
    """
    CREATE TYPE ledger.rollup_gap AS (
        customer_id text,
        credit_type_id text,
        first_sequence bigint,
        last_sequence bigint
    )
    """,
)


def upgrade() -> None:
    for statement in ALTERATIONS:
        execute_with_lock_retries(statement)
    build_index(
        "usage_events_time_idx",
        "ledger.usage_events (customer_id, event_time, transaction_id)",
        schema="ledger",
    )
    for statement in (*TABLES, *TYPES):
        op.execute(statement)
