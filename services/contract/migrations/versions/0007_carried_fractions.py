# SPDX-License-Identifier: Apache-2.0
"""The fraction of a minor unit that earlier lines of a billing period left over, on each line.

Lines of a replica of the previous version, which rounds each line separately, get 0; the next line evens the total out.
Lock: ACCESS EXCLUSIVE on invoice_lines, for an instant: a constant default rewrites no rows.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    execute_with_lock_retries("""
        ALTER TABLE contract.invoice_lines ADD COLUMN IF NOT EXISTS carried_micros bigint NOT NULL DEFAULT 0
    """)
