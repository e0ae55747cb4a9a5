# SPDX-License-Identifier: Apache-2.0
"""Usage is added up shortly after it was written, no longer in the transaction that writes it.

Why: adding up in the gate's own statement cost it a third of its speed. The position up to which a pool's entries are
added up is in another table than the pool, so that whoever advances it never waits for the gate, nor the gate for it.

The previous version goes on to write usage_hours, usage_periods, rollup_gaps and pools.rolled_sequence. The new version
uses none of them, so both can serve at once; a later revision drops them. The new tables are empty at first, and all
entries are added up anew. Lock: none. Size: no row is touched.
"""

from alembic import op

revision = "0023"
down_revision = "0022"

# Rows are added to far more often than inserted: the free space of each page keeps such updates out of the index.
# Dimension values may be longer than an index row, so their hash is in the key.
TABLES = (
    """
    CREATE TABLE ledger.usage_by_hour (
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
    CREATE TABLE ledger.usage_by_period (
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
    # A pool without a row is not added up at all.
    """
    CREATE TABLE ledger.usage_positions (
        customer_id text COLLATE "C" NOT NULL,
        credit_type_id text COLLATE "C" NOT NULL,
        sequence bigint NOT NULL,
        PRIMARY KEY (customer_id, credit_type_id)
    ) WITH (fillfactor = 70)
    """,
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
