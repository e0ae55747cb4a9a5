# SPDX-License-Identifier: Apache-2.0
"""The level beyond which an alarm of a watch ends.

Why: a balance that hovers around a threshold is one alarm. Lock: ACCESS EXCLUSIVE on watches for an instant. Size: no
row is touched; NULL is the threshold, as before. The previous version ends alarms at the threshold.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    execute_with_lock_retries("ALTER TABLE ledger.watches ADD COLUMN IF NOT EXISTS rearm_micros bigint")
