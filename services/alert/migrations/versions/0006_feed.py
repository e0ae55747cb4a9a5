# SPDX-License-Identifier: Apache-2.0
"""Events, each stored once: what deliveries post, and what the feed lists.

Why: each delivery had a copy of its body, and what no endpoint wanted was not stored. Lock: ACCESS EXCLUSIVE on
deliveries for an instant; the new check is validated while the table is used; the other tables are new. Size: no row is
touched. A replica of the previous version stores bodies in its deliveries, and no events, so what it publishes is not
in the feed; of a delivery of this version it finds no body: its attempts fail before anything is sent, and are retried.
Can be run again.
"""

from alembic import op

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0006"
down_revision = "0005"

# position: NULL until a reader has seen the event committed (store/feed.py).
TABLES = (
    """
    CREATE TABLE IF NOT EXISTS alert.customer_sequences (
        customer_id text COLLATE "C" PRIMARY KEY,
        last_sequence bigint NOT NULL CHECK (last_sequence >= 0)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS alert.events (
        event_id text COLLATE "C" PRIMARY KEY,
        event_type text NOT NULL,
        customer_id text COLLATE "C" NOT NULL,
        customer_sequence bigint NOT NULL CHECK (customer_sequence >= 1),
        is_internal boolean NOT NULL,
        create_time timestamptz NOT NULL,
        payload text NOT NULL,
        position bigint UNIQUE CHECK (position >= 1),
        UNIQUE (customer_id, customer_sequence)
    )
    """,
    """
    CREATE INDEX IF NOT EXISTS events_without_position_idx ON alert.events (customer_id, customer_sequence)
    WHERE position IS NULL
    """,
    "CREATE INDEX IF NOT EXISTS events_customer_idx ON alert.events (customer_id, position)",
    "CREATE INDEX IF NOT EXISTS events_create_time_idx ON alert.events (create_time)",
    """
    CREATE TABLE IF NOT EXISTS alert.feed (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        last_position bigint NOT NULL DEFAULT 0,
        forgotten_position bigint NOT NULL DEFAULT 0 CHECK (forgotten_position BETWEEN 0 AND last_position)
    )
    """,
    "INSERT INTO alert.feed DEFAULT VALUES ON CONFLICT DO NOTHING",
)
DELIVERIES = (
    """
    ALTER TABLE alert.deliveries
        ALTER COLUMN payload DROP NOT NULL,
        DROP CONSTRAINT IF EXISTS deliveries_cause_check,
        DROP CONSTRAINT IF EXISTS deliveries_event_check
    """,
    """
    ALTER TABLE alert.deliveries ADD CONSTRAINT deliveries_event_check
        CHECK (
            (alert_id IS NOT NULL) = (event_type IN ('alert.in_alarm', 'alert.resolved'))
            AND (event_id IS NOT NULL OR alert_id IS NOT NULL AND payload IS NOT NULL)
        ) NOT VALID
    """,
    "ALTER TABLE alert.deliveries VALIDATE CONSTRAINT deliveries_event_check",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    for statement in DELIVERIES:
        execute_with_lock_retries(statement)
    build_index(
        "deliveries_of_event_idx", "alert.deliveries (event_id) WHERE event_id IS NOT NULL", schema="alert"
    )
