# SPDX-License-Identifier: Apache-2.0
"""More types of alerts.

Lock: ACCESS EXCLUSIVE on alerts for an instant each; the new checks are validated while the table is used. The previous
version cannot read an alert of a new type: create such alerts when all replicas are new. Can be run again.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0012"
down_revision = "0011"

# Names that the first version left to PostgreSQL: alerts_check1 to 3 are its checks that concern alert_type.
DROPPED = ("alerts_check1", "alerts_check2", "alerts_check3")
CHECKS = {
    "alerts_alert_type_check": """
        alert_type IN ('LOW_BALANCE', 'SPEND', 'LOW_PERCENTAGE', 'SHORTFALL', 'OVERAGE', 'GRANT_EXPIRING',
            'LOW_SEAT_BALANCE')
    """,
    "alerts_watched_check": """
        CASE WHEN alert_type IN ('SPEND', 'LOW_SEAT_BALANCE') THEN group_key <> ''
            ELSE group_key = '' AND group_value = '' END
        AND (threshold_micros > 0 OR alert_type IN ('LOW_BALANCE', 'LOW_SEAT_BALANCE'))
    """,
    "alerts_rearm_check": """
        CASE WHEN alert_type IN ('LOW_BALANCE', 'LOW_PERCENTAGE', 'LOW_SEAT_BALANCE')
            THEN rearm_micros >= threshold_micros ELSE rearm_micros > 0 AND rearm_micros <= threshold_micros END
        AND quiet_period >= '0' AND pause_time >= create_time
    """,
}


def upgrade() -> None:
    for name in DROPPED:
        execute_with_lock_retries(f"ALTER TABLE alert.alerts DROP CONSTRAINT IF EXISTS {name}")
    for name, check in CHECKS.items():
        execute_with_lock_retries(f"ALTER TABLE alert.alerts DROP CONSTRAINT IF EXISTS {name}")
        execute_with_lock_retries(f"ALTER TABLE alert.alerts ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
        execute_with_lock_retries(f"ALTER TABLE alert.alerts VALIDATE CONSTRAINT {name}")
