# SPDX-License-Identifier: Apache-2.0
"""Each customer has one usage period: a month counted from the start of the first contract that was heard of.

Why: meters, caps and spends count by it, and a new contract must not restart them. Lock: ACCESS EXCLUSIVE on customers
for an instant; the UPDATE locks the rows of customers that have contracts, and their notices wait for it. Size: one row
per customer. The previous version does not set the column: until the next notice of such a customer's contract, reads
take the start of its first contract (store/gate/standings.py).
"""

from alembic import op

from meshkit.migrations import execute_with_lock_retries

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    execute_with_lock_retries(
        "ALTER TABLE ledger.customers ADD COLUMN IF NOT EXISTS usage_anchor_time timestamptz"
    )
    op.execute(
        """
        UPDATE ledger.customers c SET usage_anchor_time = k.start_time
        FROM (
            SELECT DISTINCT ON (customer_id) customer_id, start_time
            FROM ledger.contracts ORDER BY customer_id, contract_id
        ) k
        WHERE k.customer_id = c.customer_id
        """
    )
