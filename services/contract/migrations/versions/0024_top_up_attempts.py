# SPDX-License-Identifier: Apache-2.0
"""Top-ups whose payment is tried more than once, cancelled or overdue.

Lock: ACCESS EXCLUSIVE on top_ups for an instant each; constant defaults rewrite no rows, and the new check is validated
while the table is used. The previous version cannot read the new states: cancel orders, and report PAID for failed
ones, when all replicas are new. Orders that it takes have no expire_time and wait without end, as before.
"""

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0024"
down_revision = "0023"

STATUSES = "'PENDING_PAYMENT', 'PAID', 'FAILED', 'CANCELLED', 'EXPIRED', 'REFUND_DUE', 'REFUNDED'"
ALTER = "ALTER TABLE contract.top_ups"


def upgrade() -> None:
    execute_with_lock_retries(f"""
        {ALTER}
        ADD COLUMN IF NOT EXISTS expire_time timestamptz,
        ADD COLUMN IF NOT EXISTS last_error_code text NOT NULL DEFAULT '',
        ADD COLUMN IF NOT EXISTS last_error_message text NOT NULL DEFAULT '',
        ADD COLUMN IF NOT EXISTS last_error_time timestamptz,
        DROP CONSTRAINT IF EXISTS top_ups_status_check
    """)
    execute_with_lock_retries(
        f"{ALTER} ADD CONSTRAINT top_ups_status_check CHECK (status IN ({STATUSES})) NOT VALID"
    )
    execute_with_lock_retries(f"{ALTER} VALIDATE CONSTRAINT top_ups_status_check")
    build_index(
        "top_ups_expire_idx",
        "contract.top_ups (expire_time, top_up_id) WHERE status = 'PENDING_PAYMENT'",
        schema="contract",
    )
