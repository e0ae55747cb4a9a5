# SPDX-License-Identifier: Apache-2.0
"""Seat changes that are absolute counts, and when Contract accepted each.

Why: a count holds until the next change, whatever earlier-dated change arrives later, so it cannot be stored as a
difference. Lock: ACCESS EXCLUSIVE on seat_changes for an instant. Size: no row is touched, and the new check is NOT
VALID, because existing rows satisfied the stricter one. The previous version adds up quantity_delta, which is the
difference that a count made when it arrived.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0029"
down_revision = "0028"

SEAT_CHANGES = """
    ALTER TABLE ledger.seat_changes
        ADD COLUMN IF NOT EXISTS new_quantity bigint,
        ADD COLUMN IF NOT EXISTS accept_time timestamptz,
        DROP CONSTRAINT IF EXISTS seat_changes_quantity_delta_check,
        DROP CONSTRAINT IF EXISTS seat_changes_changes_something,
        ADD CONSTRAINT seat_changes_changes_something
            CHECK (CASE WHEN new_quantity IS NULL THEN quantity_delta <> 0 ELSE new_quantity >= 0 END) NOT VALID
"""


def upgrade() -> None:
    execute_with_lock_retries(SEAT_CHANGES)
