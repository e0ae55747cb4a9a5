# SPDX-License-Identifier: Apache-2.0
"""Endpoints with event types, and deliveries of events that are no alert's.

Why: Contract publishes events. Endpoints that are there keep receiving alerts only. Lock: ACCESS EXCLUSIVE on
webhook_endpoints and deliveries for an instant; the new checks are validated while the tables are used. Size: no row is
touched, because a constant default is not written to them. The previous version posts alerts to every endpoint, and
cannot list deliveries of other events: create endpoints with event types when all replicas are new. Can be run again.
"""

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0005"
down_revision = "0004"

# Which types Contract publishes, the code says.
STATEMENTS = (
    """
    ALTER TABLE alert.webhook_endpoints
        ADD COLUMN IF NOT EXISTS event_types text[] NOT NULL DEFAULT '{alert.in_alarm,alert.resolved}'
    """,
    """
    ALTER TABLE alert.deliveries
        ADD COLUMN IF NOT EXISTS event_id text COLLATE "C",
        ALTER COLUMN alert_id DROP NOT NULL,
        DROP CONSTRAINT IF EXISTS deliveries_event_type_check,
        DROP CONSTRAINT IF EXISTS deliveries_cause_check
    """,
    """
    ALTER TABLE alert.deliveries ADD CONSTRAINT deliveries_cause_check
        CHECK (
            (alert_id IS NULL) = (event_id IS NOT NULL)
            AND (alert_id IS NOT NULL) = (event_type IN ('alert.in_alarm', 'alert.resolved'))
        ) NOT VALID
    """,
    "ALTER TABLE alert.deliveries VALIDATE CONSTRAINT deliveries_cause_check",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        execute_with_lock_retries(statement)
    build_index(
        "deliveries_event_idx",
        "alert.deliveries (webhook_endpoint_id, event_id) WHERE event_id IS NOT NULL",
        schema="alert",
        is_unique=True,
    )
