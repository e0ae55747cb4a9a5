# SPDX-License-Identifier: Apache-2.0
"""Each customer has one usage period: a month counted from the start of the first contract that was heard of.

Why: meters, caps and spends count by it, and a new contract must not restart them. Lock: ACCESS EXCLUSIVE on customers
for an instant. Size: no row is touched. The column is set by the next notice of a customer's contract; until then reads
take the start of its first contract (store/gate/standings.py).
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    execute_with_lock_retries(
        "ALTER TABLE ledger.customers ADD COLUMN IF NOT EXISTS usage_anchor_time timestamptz"
    )
