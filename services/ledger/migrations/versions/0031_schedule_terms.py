# SPDX-License-Identifier: Apache-2.0
"""Schedules of days, weeks and quarters, every N of them; their ends, rollovers and editions.

Why: schedules grant in every rhythm, end before their contract, change for periods that have not begun, and let an
unused rest live on. Lock: ACCESS EXCLUSIVE on grant_schedules and grants, for an instant each. Size: no row is touched;
the new checks are NOT VALID, because existing rows satisfied stricter ones. The previous version cannot read a schedule
of days, weeks or quarters, nor a grant that rolled over: sign such contracts when all replicas are new.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0031"
down_revision = "0030"

SCHEDULES = """
    ALTER TABLE ledger.grant_schedules
        ADD COLUMN IF NOT EXISTS interval_count integer NOT NULL DEFAULT 1,
        ADD COLUMN IF NOT EXISTS end_time timestamptz,
        ADD COLUMN IF NOT EXISTS rollover jsonb,
        ADD COLUMN IF NOT EXISTS editions jsonb NOT NULL DEFAULT '[]',
        DROP CONSTRAINT IF EXISTS grant_schedules_frequency_check,
        ADD CONSTRAINT grant_schedules_frequency_check
            CHECK (frequency IN ('DAILY', 'WEEKLY', 'MONTHLY', 'QUARTERLY', 'ANNUAL')) NOT VALID
"""
GRANTS = """
    ALTER TABLE ledger.grants
        ADD COLUMN IF NOT EXISTS rolled_over_micros bigint NOT NULL DEFAULT 0,
        ADD COLUMN IF NOT EXISTS rolled_from text COLLATE "C",
        DROP CONSTRAINT IF EXISTS grants_kind_check,
        ADD CONSTRAINT grants_kind_check
            CHECK (kind IN ('INCLUDED', 'TOP_UP', 'PROMOTIONAL', 'ROLLOVER')) NOT VALID
"""


def upgrade() -> None:
    execute_with_lock_retries(SCHEDULES)
    execute_with_lock_retries(GRANTS)
