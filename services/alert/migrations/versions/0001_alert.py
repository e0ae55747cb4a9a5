# SPDX-License-Identifier: Apache-2.0
"""The whole schema of Alert.

Why: first revision. Lock: none that anyone could wait for, all tables are new. Size: empty.

Ids are compared byte by byte (COLLATE "C"): they are time-ordered, so lists in id order are lists in the order
of making. `deliveries` is the queue and the log at once: a try leases its row by moving `due_time` on, and the
partial index holds only what is still to be posted.
"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE alert.requests (
            request_id text PRIMARY KEY,
            operation text NOT NULL,
            body_hash bytea NOT NULL,
            answer jsonb,
            create_time timestamptz NOT NULL
        )
    """)
    op.execute("CREATE INDEX requests_create_time_idx ON alert.requests (create_time)")
    op.execute("""
        CREATE TABLE alert.outbox (
            key text NOT NULL,
            notice_id text NOT NULL,
            kind text NOT NULL CHECK (kind = 'WATCH_CHANGED'),
            payload jsonb NOT NULL,
            create_time timestamptz NOT NULL,
            attempts integer NOT NULL DEFAULT 0,
            lease_time timestamptz,
            due_time timestamptz NOT NULL,
            sent_time timestamptz,
            last_error text,
            PRIMARY KEY (key, notice_id)
        )
    """)
    op.execute("""
        CREATE INDEX outbox_pending_idx ON alert.outbox (key, create_time, notice_id) WHERE sent_time IS NULL
    """)
    op.execute("""
        CREATE TABLE alert.sandbox_clock (
            only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
            now_time timestamptz NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE alert.alerts (
            alert_id text COLLATE "C" PRIMARY KEY,
            name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
            alert_type text NOT NULL CHECK (alert_type IN ('LOW_BALANCE', 'SPEND')),
            customer_id text COLLATE "C" NOT NULL,
            credit_type_id text NOT NULL CHECK (credit_type_id <> ''),
            threshold_micros bigint NOT NULL CHECK (threshold_micros >= 0),
            group_key text NOT NULL,
            group_value text NOT NULL,
            version bigint NOT NULL CHECK (version >= 1),
            create_time timestamptz NOT NULL,
            archive_time timestamptz CHECK (archive_time >= create_time),
            CHECK ((alert_type = 'SPEND') = (group_key <> '')),
            CHECK (alert_type = 'SPEND' OR group_value = ''),
            CHECK (alert_type = 'LOW_BALANCE' OR threshold_micros > 0)
        )
    """)
    op.execute("CREATE INDEX alerts_customer_idx ON alert.alerts (customer_id, alert_id)")
    op.execute("""
        CREATE TABLE alert.alert_statuses (
            alert_id text COLLATE "C" REFERENCES alert.alerts,
            customer_id text COLLATE "C",
            group_value text COLLATE "C",
            state text NOT NULL CHECK (state IN ('EVALUATING', 'OK', 'IN_ALARM')),
            value_micros bigint NOT NULL,
            observe_time timestamptz,
            sequence bigint NOT NULL CHECK (sequence >= 0),
            PRIMARY KEY (alert_id, customer_id, group_value),
            CHECK ((state = 'EVALUATING') = (sequence = 0)),
            CHECK ((state = 'EVALUATING') = (observe_time IS NULL))
        )
    """)
    op.execute("""
        CREATE TABLE alert.webhook_endpoints (
            webhook_endpoint_id text COLLATE "C" PRIMARY KEY,
            url text NOT NULL CHECK (length(url) <= 2000),
            create_time timestamptz NOT NULL,
            disable_time timestamptz CHECK (disable_time >= create_time)
        )
    """)
    op.execute("""
        CREATE TABLE alert.webhook_secrets (
            secret_id text COLLATE "C" PRIMARY KEY,
            webhook_endpoint_id text COLLATE "C" NOT NULL REFERENCES alert.webhook_endpoints,
            secret text NOT NULL CHECK (secret LIKE 'whsec\\_%'),
            create_time timestamptz NOT NULL,
            expire_time timestamptz CHECK (expire_time >= create_time)
        )
    """)
    # One secret at a time is for good; a second one means that a rotation forgot to let the first expire.
    op.execute("""
        CREATE UNIQUE INDEX webhook_secrets_current_idx ON alert.webhook_secrets (webhook_endpoint_id)
        WHERE expire_time IS NULL
    """)
    op.execute("""
        CREATE INDEX webhook_secrets_endpoint_idx ON alert.webhook_secrets (webhook_endpoint_id, secret_id)
    """)
    op.execute("""
        CREATE TABLE alert.deliveries (
            delivery_id text COLLATE "C" PRIMARY KEY,
            webhook_endpoint_id text COLLATE "C" NOT NULL REFERENCES alert.webhook_endpoints,
            alert_id text COLLATE "C" NOT NULL REFERENCES alert.alerts,
            customer_id text COLLATE "C" NOT NULL,
            group_value text COLLATE "C" NOT NULL,
            sequence bigint NOT NULL,
            event_type text NOT NULL CHECK (event_type IN ('alert.in_alarm', 'alert.resolved')),
            status text NOT NULL CHECK (status IN ('PENDING', 'DELIVERED', 'FAILED')),
            attempts integer NOT NULL CHECK (attempts >= 0),
            earlier_attempts integer NOT NULL CHECK (earlier_attempts BETWEEN 0 AND attempts),
            last_status_code integer NOT NULL CHECK (last_status_code BETWEEN 0 AND 999),
            last_error text NOT NULL,
            create_time timestamptz NOT NULL,
            deliver_time timestamptz,
            due_time timestamptz,
            give_up_time timestamptz NOT NULL,
            payload text NOT NULL,
            UNIQUE (webhook_endpoint_id, alert_id, customer_id, group_value, sequence),
            CHECK ((status = 'PENDING') = (due_time IS NOT NULL)),
            CHECK ((status = 'DELIVERED') = (deliver_time IS NOT NULL))
        )
    """)
    op.execute("""
        CREATE INDEX deliveries_due_idx ON alert.deliveries (webhook_endpoint_id, due_time, delivery_id)
        WHERE status = 'PENDING'
    """)
    op.execute("""
        CREATE INDEX deliveries_endpoint_idx ON alert.deliveries (webhook_endpoint_id, delivery_id)
    """)
    op.execute("CREATE INDEX deliveries_alert_idx ON alert.deliveries (alert_id, delivery_id)")
    op.execute("CREATE INDEX deliveries_create_time_idx ON alert.deliveries (create_time)")
