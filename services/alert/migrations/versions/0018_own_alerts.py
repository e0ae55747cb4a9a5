# SPDX-License-Identifier: Apache-2.0
"""Alerts and destinations of customers.

Lock: ACCESS EXCLUSIVE on alerts for an instant: a constant default rewrites no rows, and the check is validated while
the table is used. The types that a destination gets are not in its endpoint's row, so a replica of the previous version
mails nothing to it; but that replica posts the events of a customer's own alert to the vendor's endpoints, and cannot
list the delivery of a code: create the first ones when all replicas are new. Can be run again.
"""

from alembic import op

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0018"
down_revision = "0017"

ALTER = "ALTER TABLE alert.alerts"
OWNER = "owner IN ('VENDOR', 'CUSTOMER') AND (owner = 'VENDOR' OR customer_id <> '')"


def upgrade() -> None:
    execute_with_lock_retries(f"{ALTER} ADD COLUMN IF NOT EXISTS owner text NOT NULL DEFAULT 'VENDOR'")
    execute_with_lock_retries(f"{ALTER} DROP CONSTRAINT IF EXISTS alerts_owner_check")
    execute_with_lock_retries(f"{ALTER} ADD CONSTRAINT alerts_owner_check CHECK ({OWNER}) NOT VALID")
    execute_with_lock_retries(f"{ALTER} VALIDATE CONSTRAINT alerts_owner_check")
    op.execute("""
        CREATE TABLE IF NOT EXISTS alert.destinations (
            webhook_endpoint_id text COLLATE "C" PRIMARY KEY REFERENCES alert.webhook_endpoints,
            customer_id text COLLATE "C" NOT NULL CHECK (customer_id <> ''),
            event_types text[] NOT NULL CHECK (cardinality(event_types) > 0),
            code text NOT NULL CHECK (code ~ '^[0-9]{8}$'),
            code_expire_time timestamptz NOT NULL CHECK (code_expire_time > create_time),
            code_tries integer NOT NULL CHECK (code_tries BETWEEN 0 AND 5),
            create_time timestamptz NOT NULL,
            confirm_time timestamptz CHECK (confirm_time >= create_time),
            remove_time timestamptz CHECK (remove_time >= create_time)
        )
    """)
    build_index("destinations_customer_idx", "alert.destinations (customer_id, create_time)", schema="alert")
