# SPDX-License-Identifier: Apache-2.0
"""Weeks and quarters, several of them in one billing period, anchors, and arrears.

Sign such contracts when all replicas have been upgraded: those of the previous version ignore the new fields of a
request, and bill every subscription in advance and from the contract's start.
A first period that the contract's start cuts short may begin before its price, so that check is left out.
Lock: ACCESS EXCLUSIVE on subscriptions and billed_periods, for an instant: constant defaults rewrite no rows, and
existing rows are not checked.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    execute_with_lock_retries("""
        ALTER TABLE contract.subscriptions
            ADD COLUMN IF NOT EXISTS collection_schedule text NOT NULL DEFAULT 'ADVANCE',
            ADD COLUMN IF NOT EXISTS interval_count integer NOT NULL DEFAULT 1,
            ADD COLUMN IF NOT EXISTS anchor_time timestamptz,
            DROP CONSTRAINT IF EXISTS subscriptions_billing_frequency_check,
            ADD CONSTRAINT subscriptions_billing_frequency_check
                CHECK (billing_frequency IN ('WEEKLY', 'MONTHLY', 'QUARTERLY', 'ANNUAL')) NOT VALID,
            DROP CONSTRAINT IF EXISTS subscriptions_collection_schedule_check,
            ADD CONSTRAINT subscriptions_collection_schedule_check
                CHECK (collection_schedule IN ('ADVANCE', 'ARREARS')) NOT VALID,
            DROP CONSTRAINT IF EXISTS subscriptions_interval_count_check,
            ADD CONSTRAINT subscriptions_interval_count_check CHECK (interval_count BETWEEN 1 AND 100) NOT VALID
    """)
    execute_with_lock_retries("""
        ALTER TABLE contract.billed_periods
            DROP CONSTRAINT IF EXISTS billed_periods_check1,
            DROP CONSTRAINT IF EXISTS billed_periods_rate_check,
            ADD CONSTRAINT billed_periods_rate_check CHECK (
                rate_effective_time < period_end AND (rate_end_time IS NULL OR period_start < rate_end_time)
            ) NOT VALID
    """)
