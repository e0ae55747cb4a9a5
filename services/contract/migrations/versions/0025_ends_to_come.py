# SPDX-License-Identifier: Apache-2.0
"""Ends to come whose money is settled when they pass.

Why: money may come back at an end that was set ahead, and what is not billed then is charged by use. A replica of the
previous version that bills such an end leaves its money unsettled, as that version does: set ends ahead with money back
when all replicas are new. Lock: ACCESS EXCLUSIVE on contracts, for an instant: a constant default rewrites no rows.
"""

from alembic import op

from meshkit.migrations import execute_with_lock_retries

revision = "0025"
down_revision = "0024"

PROMISED_SEATS = """
    CREATE TABLE IF NOT EXISTS contract.promised_seats (
        subscription_id text COLLATE "C" NOT NULL REFERENCES contract.subscriptions,
        period_start timestamptz NOT NULL,
        create_time timestamptz NOT NULL,
        span_start timestamptz NOT NULL,
        span_end timestamptz NOT NULL,
        seats bigint NOT NULL CHECK (seats > 0),
        PRIMARY KEY (subscription_id, period_start, create_time, span_start, span_end),
        CHECK (span_start < span_end)
    )
"""


def upgrade() -> None:
    op.execute(PROMISED_SEATS)
    execute_with_lock_retries("""
        ALTER TABLE contract.contracts
            ADD COLUMN IF NOT EXISTS end_money_back text CHECK (end_money_back IN ('CREDIT_UNUSED', 'NONE')),
            ADD COLUMN IF NOT EXISTS settles_end boolean NOT NULL DEFAULT false
    """)
