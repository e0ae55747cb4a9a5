# SPDX-License-Identifier: Apache-2.0
"""Metrics may aggregate by MAX and UNIQUE; usage products may have a conversion and pricing dimensions.

Why: usage that is reported after the fact needs them. Lock: ACCESS EXCLUSIVE on two small tables, for the time of a
catalogue change and a scan of their rows; only operators and signings wait for it. Size: a few hundred rows.

The revision before may serve meanwhile. It writes metrics and products as before, which the defaults and checks accept.
It cannot read a metric with the new aggregations: create one when the last replica is upgraded.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE catalog.billable_metrics
            ADD COLUMN aggregated_property text CHECK (aggregated_property <> ''),
            DROP CONSTRAINT billable_metrics_aggregation_check,
            ADD CONSTRAINT billable_metrics_aggregation_check
                CHECK (aggregation IN ('COUNT', 'SUM', 'MAX', 'UNIQUE')),
            ADD CHECK ((aggregation IN ('MAX', 'UNIQUE')) = (aggregated_property IS NOT NULL))
    """)
    op.execute("""
        ALTER TABLE catalog.products
            ADD COLUMN conversion jsonb,
            ADD COLUMN pricing_dimensions jsonb NOT NULL DEFAULT '[]'
                CHECK (jsonb_array_length(pricing_dimensions) <= 5),
            ADD CHECK (product_type = 'USAGE' OR (conversion IS NULL AND pricing_dimensions = '[]'))
    """)
