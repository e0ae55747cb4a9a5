# SPDX-License-Identifier: Apache-2.0
"""Grant schedules of days, weeks and quarters, every N of them; their ends, rollovers and editions.

The previous version cannot read a schedule of days, weeks or quarters, and sends schedules without their end and
editions: use them when all replicas are new. The new checks are NOT VALID: existing rows satisfy them.
Lock: ACCESS EXCLUSIVE on grant_schedules, for an instant: constant defaults rewrite no rows.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    execute_with_lock_retries("""
        ALTER TABLE contract.grant_schedules
            ADD COLUMN IF NOT EXISTS interval_count integer NOT NULL DEFAULT 1,
            ADD COLUMN IF NOT EXISTS end_time timestamptz,
            ADD COLUMN IF NOT EXISTS rollover jsonb,
            ADD COLUMN IF NOT EXISTS editions jsonb NOT NULL DEFAULT '[]',
            DROP CONSTRAINT IF EXISTS grant_schedules_frequency_check,
            DROP CONSTRAINT IF EXISTS grant_schedules_interval_count_check,
            ADD CONSTRAINT grant_schedules_interval_count_check
                CHECK (interval_count BETWEEN 1 AND 120) NOT VALID,
            ADD CONSTRAINT grant_schedules_frequency_check
                CHECK (frequency IN ('DAILY', 'WEEKLY', 'MONTHLY', 'QUARTERLY', 'ANNUAL')) NOT VALID
    """)
