# SPDX-License-Identifier: Apache-2.0
"""Overage policies of contracts.

Why: usage may go on when the credits of a contract run out. The previous version keeps the column, but sends contracts
to the Ledger without it: agree on overage when all replicas are new. Lock: ACCESS EXCLUSIVE on contracts, for an
instant: a constant default rewrites no rows.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    execute_with_lock_retries(
        "ALTER TABLE contract.contracts ADD COLUMN IF NOT EXISTS overage jsonb NOT NULL DEFAULT '[]'"
    )
