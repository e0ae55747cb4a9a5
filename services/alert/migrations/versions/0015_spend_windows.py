# SPDX-License-Identifier: Apache-2.0
"""The window over which a SPEND alert counts.

Lock: ACCESS EXCLUSIVE on alerts for an instant; the new check is validated while the table is used. Size: no row is
touched, because a constant default is not written to them. The previous version shows such an alert without its window,
and would tell the Ledger of a change of it as one of the billing period: change such alerts when all replicas are new.
Can be run again.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0015"
down_revision = "0014"

STATEMENTS = (
    """
    ALTER TABLE alert.alerts
        ADD COLUMN IF NOT EXISTS spend_window text NOT NULL DEFAULT 'BILLING_PERIOD',
        DROP CONSTRAINT IF EXISTS alerts_spend_window_check
    """,
    """
    ALTER TABLE alert.alerts ADD CONSTRAINT alerts_spend_window_check
        CHECK (spend_window = 'BILLING_PERIOD' OR (spend_window = 'DAY' AND alert_type = 'SPEND')) NOT VALID
    """,
    "ALTER TABLE alert.alerts VALIDATE CONSTRAINT alerts_spend_window_check",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        execute_with_lock_retries(statement)
