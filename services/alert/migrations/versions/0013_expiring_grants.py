# SPDX-License-Identifier: Apache-2.0
"""From how many days before its expiry a grant is watched.

Lock: ACCESS EXCLUSIVE on alerts for an instant; the new check is validated while the table is used. Size: no row is
touched, because a constant default is not written to them. Can be run again.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0013"
down_revision = "0012"

STATEMENTS = (
    """
    ALTER TABLE alert.alerts
        ADD COLUMN IF NOT EXISTS expires_within_days integer NOT NULL DEFAULT 0,
        DROP CONSTRAINT IF EXISTS alerts_expires_within_check
    """,
    """
    ALTER TABLE alert.alerts ADD CONSTRAINT alerts_expires_within_check
        CHECK (CASE alert_type WHEN 'GRANT_EXPIRING' THEN expires_within_days > 0 ELSE expires_within_days = 0 END)
        NOT VALID
    """,
    "ALTER TABLE alert.alerts VALIDATE CONSTRAINT alerts_expires_within_check",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        execute_with_lock_retries(statement)
