# SPDX-License-Identifier: Apache-2.0
"""When an event of a customer who was unknown was last tried to be attached.

Why: an event that is rejected when its customer becomes known waits for a correction of the rate card, and is tried
again each hour instead of with every sweep. Lock: ACCESS EXCLUSIVE on unattached_events for an instant. Size: no row is
touched.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0015"
down_revision = "0012"


def upgrade() -> None:
    execute_with_lock_retries(
        "ALTER TABLE ledger.unattached_events ADD COLUMN IF NOT EXISTS attempt_time timestamptz"
    )
