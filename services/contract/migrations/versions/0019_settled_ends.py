# SPDX-License-Identifier: Apache-2.0
"""Ends whose money is settled as at a change of plan, without a contract that begins.

A replica of the previous version cannot read such a row, which is written for an end that gives money back, or that
charges what was used and not billed: let contracts end so when all replicas are new.
Lock: ACCESS EXCLUSIVE on plan_changes, for an instant: the constant default rewrites no rows.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    execute_with_lock_retries("""
        ALTER TABLE contract.plan_changes
            ALTER COLUMN begun_contract_id DROP NOT NULL,
            ADD COLUMN IF NOT EXISTS credit_note_ids text[] NOT NULL DEFAULT '{}'
    """)
