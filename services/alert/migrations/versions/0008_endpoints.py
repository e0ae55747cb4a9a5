# SPDX-License-Identifier: Apache-2.0
"""Endpoints that are changed, disabled because they fail, and enabled again; replays of many deliveries.

Why: an endpoint was as it was created, and disabled for good. Lock: ACCESS EXCLUSIVE on webhook_endpoints, events and
deliveries for an instant; the check of deliveries is validated while the table is used; the other tables are new. Size:
no row is touched, because a constant default is not written to them. A replica of the previous version posts without
custom headers, and counts no failures. Can be run again.
"""

from alembic import op

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0008"
down_revision = "0007"

COLUMNS = (
    """
    ALTER TABLE alert.webhook_endpoints
        ADD COLUMN IF NOT EXISTS header_names text[] NOT NULL DEFAULT '{}',
        ADD COLUMN IF NOT EXISTS headers_key_id text,
        ADD COLUMN IF NOT EXISTS headers_ciphertext bytea,
        ADD COLUMN IF NOT EXISTS disable_reason text,
        ADD COLUMN IF NOT EXISTS missed_after bigint,
        DROP CONSTRAINT IF EXISTS webhook_endpoints_form_check,
        ADD CONSTRAINT webhook_endpoints_form_check
            CHECK (
                (headers_key_id IS NULL) = (headers_ciphertext IS NULL)
                AND (headers_key_id IS NULL) = (header_names = '{}')
                AND (disable_reason IS NULL OR disable_time IS NOT NULL)
                AND (disable_reason IS NULL OR disable_reason IN ('OPERATOR', 'GONE', 'FAILING'))
                AND (missed_after IS NULL OR disable_time IS NOT NULL)
            )
    """,
    """
    ALTER TABLE alert.events
        ADD COLUMN IF NOT EXISTS alert_id text COLLATE "C",
        ADD COLUMN IF NOT EXISTS group_value text COLLATE "C" NOT NULL DEFAULT '',
        ADD COLUMN IF NOT EXISTS edge_sequence bigint NOT NULL DEFAULT 0
    """,
    "ALTER TABLE alert.deliveries DROP CONSTRAINT IF EXISTS deliveries_event_check",
    """
    ALTER TABLE alert.deliveries ADD CONSTRAINT deliveries_event_check
        CHECK (
            (alert_id IS NULL OR event_type IN ('alert.in_alarm', 'alert.resolved'))
            AND (event_id IS NOT NULL OR alert_id IS NOT NULL AND payload IS NOT NULL)
        ) NOT VALID
    """,
    "ALTER TABLE alert.deliveries VALIDATE CONSTRAINT deliveries_event_check",
)
# since_time: of the first of a row of failures without a success.
FAILURES = """
    CREATE TABLE IF NOT EXISTS alert.endpoint_failures (
        webhook_endpoint_id text COLLATE "C" PRIMARY KEY REFERENCES alert.webhook_endpoints,
        since_time timestamptz NOT NULL,
        latest_time timestamptz NOT NULL CHECK (latest_time >= since_time)
    )
"""
# First the deliveries after_delivery_id < … < until_delivery_id, then the events after_position < … <= until_position.
REPLAYS = """
    CREATE TABLE IF NOT EXISTS alert.replays (
        replay_id text COLLATE "C" PRIMARY KEY,
        webhook_endpoint_id text COLLATE "C" NOT NULL REFERENCES alert.webhook_endpoints,
        event_types text[] NOT NULL,
        failed_only boolean NOT NULL,
        start_time timestamptz NOT NULL,
        end_time timestamptz NOT NULL,
        after_delivery_id text COLLATE "C" NOT NULL,
        until_delivery_id text COLLATE "C" NOT NULL,
        after_position bigint NOT NULL,
        until_position bigint NOT NULL,
        create_time timestamptz NOT NULL,
        wake_time timestamptz NOT NULL,
        finish_time timestamptz
    )
"""
INDEXES = {
    "replays_open_idx": "alert.replays (wake_time, replay_id) WHERE finish_time IS NULL",
    "replays_finish_time_idx": "alert.replays (finish_time)",
    "deliveries_type_idx": "alert.deliveries (event_type, delivery_id)",
    "deliveries_failed_idx": "alert.deliveries (delivery_id) WHERE status = 'FAILED'",
}


def upgrade() -> None:
    op.execute(FAILURES)
    op.execute(REPLAYS)
    for statement in COLUMNS:
        execute_with_lock_retries(statement)
    for name, on in INDEXES.items():
        build_index(name, on, schema="alert")
