# SPDX-License-Identifier: Apache-2.0
"""How long before its expiry a grant is watched.

Lock: ACCESS EXCLUSIVE on more_watches for an instant. Size: no row is touched. Can be run again.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0045"
down_revision = "0044"


def upgrade() -> None:
    execute_with_lock_retries("ALTER TABLE ledger.more_watches ADD COLUMN IF NOT EXISTS within interval")
