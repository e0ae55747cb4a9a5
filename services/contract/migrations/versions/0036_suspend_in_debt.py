# SPDX-License-Identifier: Apache-2.0
"""Contracts under which a debt suspends the customer.

Lock: ACCESS EXCLUSIVE on contracts for an instant: a constant default rewrites no rows. The previous version cannot
read a customer who is suspended as IN_DEBT: agree to it when all replicas are new.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    execute_with_lock_retries(
        "ALTER TABLE contract.contracts ADD COLUMN IF NOT EXISTS suspend_in_debt boolean NOT NULL DEFAULT false"
    )
