# SPDX-License-Identifier: Apache-2.0
"""Seats may have tiers: GRADUATED, or VOLUME, where all seats cost the price of their tier.

Add such rates when all replicas of Catalog and Contract have been upgraded: those of the previous version cannot price
seats by them.
Lock: ACCESS EXCLUSIVE on rates, for an instant: the constraints are only wider, so existing rows are not checked.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0009"
down_revision = "0008"

# The names that PostgreSQL gave to the constraints of revision 0003.
NARROWER = ("rates_rate_type_check", "rates_check3", "rates_check4", "rates_check5", "rates_check6")


def upgrade() -> None:
    dropped = ", ".join(f"DROP CONSTRAINT IF EXISTS {name}" for name in (*NARROWER, "rates_type_suits"))
    execute_with_lock_retries(f"""
        ALTER TABLE catalog.rates
            {dropped},
            ADD CONSTRAINT rates_rate_type_check
                CHECK (rate_type IN ('FLAT', 'GRADUATED', 'PACKAGE', 'VOLUME')) NOT VALID,
            ADD CONSTRAINT rates_check3
                CHECK ((rate_type IN ('GRADUATED', 'VOLUME')) = (price_micros IS NULL)) NOT VALID,
            ADD CONSTRAINT rates_check4
                CHECK ((rate_type IN ('GRADUATED', 'VOLUME')) = (per_micros IS NULL)) NOT VALID,
            ADD CONSTRAINT rates_check5
                CHECK ((rate_type IN ('GRADUATED', 'VOLUME')) = (tiers <> '[]')) NOT VALID,
            ADD CONSTRAINT rates_type_suits CHECK (
                CASE billing_frequency WHEN 'NONE' THEN rate_type <> 'VOLUME'
                ELSE rate_type <> 'PACKAGE' AND dimension_values = '{{}}' END
            ) NOT VALID
    """)
