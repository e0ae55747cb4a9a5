# SPDX-License-Identifier: Apache-2.0
"""Metrics of four aggregations, and rates with tiers, dimensions, corrections and withdrawals.

Why: usage is rated by them. A rate keeps its row forever, because entries refer to it: the key is its id, and a rate
that a newer card no longer has is marked as withdrawn. Several rates of a product may begin at one instant.
Lock: ACCESS EXCLUSIVE on products and rates, five times for an instant (nothing is scanned under it), each waited for
no longer than 0.1 s. The indexes are built and the checks are validated beside the writers. Size: both tables are
copies of the Catalog, read twice and not rewritten. Can be run again at any point.
The previous version may still serve: it does not know the new columns, so they have defaults, and its statements
delete and insert as before. It prices a GRADUATED rate by its first tier, so upgrade the Catalog after it is gone.
"""

from alembic import op

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    for statement in ALTERATIONS:
        execute_with_lock_retries(statement)
    build_index("rates_rate_id_key", "ledger.rates (rate_card_id, rate_id)", schema="ledger", is_unique=True)
    execute_with_lock_retries(SWAP_KEYS)
    build_index("rates_product_idx", "ledger.rates (rate_card_id, product_id)", schema="ledger")
    with op.get_context().autocommit_block():
        for table, check in CHECKS:
            op.execute(f"ALTER TABLE ledger.{table} VALIDATE CONSTRAINT {check}")


ALTERATIONS = (
    """
    ALTER TABLE ledger.products
        ADD COLUMN IF NOT EXISTS aggregated_property text,
        ADD COLUMN IF NOT EXISTS conversion jsonb,
        ADD COLUMN IF NOT EXISTS pricing_dimensions jsonb NOT NULL DEFAULT '[]'
    """,
    """
    ALTER TABLE ledger.products
        DROP CONSTRAINT IF EXISTS products_aggregation_check,
        DROP CONSTRAINT IF EXISTS products_aggregated_property_check,
        ADD CONSTRAINT products_aggregation_check
            CHECK (aggregation IN ('COUNT', 'SUM', 'MAX', 'UNIQUE')) NOT VALID,
        ADD CONSTRAINT products_aggregated_property_check
            CHECK (aggregation IN ('COUNT', 'SUM') OR aggregated_property IS NOT NULL) NOT VALID
    """,
    """
    ALTER TABLE ledger.rates
        ADD COLUMN IF NOT EXISTS rate_type text NOT NULL DEFAULT 'FLAT',
        ADD COLUMN IF NOT EXISTS tiers jsonb,
        ADD COLUMN IF NOT EXISTS dimension_values jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN IF NOT EXISTS corrects_rate_id text COLLATE "C",
        ADD COLUMN IF NOT EXISTS create_time timestamptz,
        ADD COLUMN IF NOT EXISTS is_withdrawn boolean NOT NULL DEFAULT false
    """,
    """
    ALTER TABLE ledger.rates
        DROP CONSTRAINT IF EXISTS rates_rate_type_check,
        DROP CONSTRAINT IF EXISTS rates_tiers_check,
        DROP CONSTRAINT IF EXISTS rates_corrects_rate_id_check,
        ADD CONSTRAINT rates_rate_type_check CHECK (rate_type IN ('FLAT', 'GRADUATED', 'PACKAGE')) NOT VALID,
        ADD CONSTRAINT rates_tiers_check CHECK ((rate_type = 'GRADUATED') = (tiers IS NOT NULL)) NOT VALID,
        ADD CONSTRAINT rates_corrects_rate_id_check CHECK (corrects_rate_id <> rate_id) NOT VALID
    """,
)

SWAP_KEYS = """
    ALTER TABLE ledger.rates
        DROP CONSTRAINT IF EXISTS rates_pkey,
        ADD CONSTRAINT rates_pkey PRIMARY KEY USING INDEX rates_rate_id_key
"""

CHECKS = (
    ("products", "products_aggregation_check"),
    ("products", "products_aggregated_property_check"),
    ("rates", "rates_rate_type_check"),
    ("rates", "rates_tiers_check"),
    ("rates", "rates_corrects_rate_id_check"),
)
