# SPDX-License-Identifier: Apache-2.0
"""Seats are also priced per week and per quarter.

Add such rates when all replicas have been upgraded: those of the previous version cannot read them.
Lock: ACCESS EXCLUSIVE on rates, for an instant: the constraint is only wider, so existing rows are not checked.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    execute_with_lock_retries("""
        ALTER TABLE catalog.rates
            DROP CONSTRAINT IF EXISTS rates_billing_frequency_check,
            ADD CONSTRAINT rates_billing_frequency_check
                CHECK (billing_frequency IN ('NONE', 'WEEKLY', 'MONTHLY', 'QUARTERLY', 'ANNUAL')) NOT VALID
    """)
