# SPDX-License-Identifier: Apache-2.0
"""Rearm levels, quiet periods and pauses of alerts.

Why: a value that hovers around its threshold is one alarm. Lock: ACCESS EXCLUSIVE on alerts and alert_statuses for an
instant; the new check is validated while the table is used. Size: no row is touched; a rearm level that is NULL is the
threshold. The previous version notifies within quiet periods too.
"""

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0007"
down_revision = "0006"

STATEMENTS = (
    """
    ALTER TABLE alert.alerts
        ADD COLUMN IF NOT EXISTS rearm_micros bigint,
        ADD COLUMN IF NOT EXISTS quiet_period interval NOT NULL DEFAULT '0',
        ADD COLUMN IF NOT EXISTS pause_time timestamptz,
        DROP CONSTRAINT IF EXISTS alerts_rearm_check
    """,
    """
    ALTER TABLE alert.alerts ADD CONSTRAINT alerts_rearm_check
        CHECK (
            CASE alert_type WHEN 'SPEND' THEN rearm_micros > 0 AND rearm_micros <= threshold_micros
            ELSE rearm_micros >= threshold_micros END
            AND quiet_period >= '0' AND pause_time >= create_time
        ) NOT VALID
    """,
    "ALTER TABLE alert.alerts VALIDATE CONSTRAINT alerts_rearm_check",
    """
    ALTER TABLE alert.alert_statuses
        ADD COLUMN IF NOT EXISTS quiet_until timestamptz,
        ADD COLUMN IF NOT EXISTS notified_state text
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        execute_with_lock_retries(statement)
    build_index(
        "alert_statuses_held_back_idx",
        "alert.alert_statuses (quiet_until) WHERE notified_state IS NOT NULL",
        schema="alert",
    )
