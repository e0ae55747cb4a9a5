# SPDX-License-Identifier: Apache-2.0
"""Which grant gets what open holds return to a grant that has rolled with a change of plan.

Why: credits that a hold of the old plan releases follow the rest that rolled. Lock: ACCESS EXCLUSIVE on grants for an
instant. Size: no row is touched. The previous version does not read the column: what returns while it serves is voided.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    execute_with_lock_retries(
        'ALTER TABLE ledger.grants ADD COLUMN IF NOT EXISTS void_rolls_to text COLLATE "C"'
    )
