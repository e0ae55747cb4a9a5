# SPDX-License-Identifier: Apache-2.0
"""What late notices took back from a grant.

Why: a seat that was given up before a period begins, but told after it, is no longer counted by the period's grant; a
seat that is added later must bring its credits all the same. Lock: ACCESS EXCLUSIVE on grants for an instant. Size: no
row is touched. The previous version takes nothing back; what it adds for later seats may be less until the next notice.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0030"
down_revision = "0029"

GRANTS = "ALTER TABLE ledger.grants ADD COLUMN IF NOT EXISTS taken_back_micros bigint NOT NULL DEFAULT 0"


def upgrade() -> None:
    execute_with_lock_retries(GRANTS)
