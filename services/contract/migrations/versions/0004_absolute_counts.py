# SPDX-License-Identifier: Apache-2.0
"""Seat changes that set an absolute count.

Existing rows stay differences: nothing tells which of them were asked for as a count. A replica of the previous version
reads quantity_delta of new rows, as it always did.
Lock: ACCESS EXCLUSIVE on seat_changes, for an instant: the column is added without a default, and checked when written.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    execute_with_lock_retries("""
        ALTER TABLE contract.seat_changes
            ADD COLUMN IF NOT EXISTS new_quantity bigint,
            DROP CONSTRAINT IF EXISTS seat_changes_new_quantity_check,
            ADD CONSTRAINT seat_changes_new_quantity_check CHECK (new_quantity BETWEEN 0 AND 1000000) NOT VALID
    """)
