# SPDX-License-Identifier: Apache-2.0
"""Automatic top-ups, their orders, and notices of their levels for the Ledger.

Lock: ACCESS EXCLUSIVE on outbox for an instant; the new check is validated while the table is used. The previous
version writes no such notice, and does not notice when an automatic order ends: set up automatic top-ups when all
replicas are new.
"""

from alembic import op

from meshkit.migrations import execute_with_lock_retries

revision = "0032"
down_revision = "0031"

ALTER = "ALTER TABLE contract.outbox"
KINDS = (
    "'CUSTOMER_CHANGED', 'CONTRACT_CHANGED', 'SEATS_CHANGED', 'TOP_UP_PAID', 'PLAN_CHANGED', 'TOP_UP_REFUNDED',"
    " 'VENDOR_EVENT', 'TOP_UP_LEVEL_CHANGED'"
)


def upgrade() -> None:
    execute_with_lock_retries(f"{ALTER} DROP CONSTRAINT IF EXISTS outbox_kind_check")
    execute_with_lock_retries(f"{ALTER} ADD CONSTRAINT outbox_kind_check CHECK (kind IN ({KINDS})) NOT VALID")
    execute_with_lock_retries(f"{ALTER} VALIDATE CONSTRAINT outbox_kind_check")
    op.execute("""
        CREATE TABLE contract.auto_top_ups (
            auto_top_up_id text COLLATE "C" PRIMARY KEY,
            customer_id text COLLATE "C" NOT NULL REFERENCES contract.customers,
            credit_type_id text COLLATE "C" NOT NULL,
            contract_id text COLLATE "C" NOT NULL REFERENCES contract.contracts,
            top_up_pack_id text COLLATE "C" NOT NULL,
            threshold_micros bigint NOT NULL CHECK (threshold_micros >= 0),
            recharge_to_micros bigint NOT NULL CHECK (recharge_to_micros > threshold_micros),
            limit_currency_code text NOT NULL CHECK (limit_currency_code ~ '^[A-Z]{3}$'),
            limit_micros bigint NOT NULL CHECK (limit_micros > 0),
            payment_gate text NOT NULL CHECK (payment_gate IN ('EXTERNAL', 'STRIPE')),
            version bigint NOT NULL CHECK (version >= 1),
            sequence bigint NOT NULL CHECK (sequence >= 0),
            status text NOT NULL CHECK (status IN ('IDLE', 'ASKED', 'ORDERED', 'BLOCKED', 'DISABLED')),
            remaining_micros bigint CHECK (remaining_micros >= 0),
            top_up_id text COLLATE "C" UNIQUE REFERENCES contract.top_ups,
            is_charged boolean NOT NULL,
            stop_reason text CHECK (stop_reason IN ('PAYMENT_FAILED', 'ACTION_REQUIRED', 'DAILY_LIMIT', 'MONTHLY_LIMIT',
                'CUSTOMER_SUSPENDED', 'CONTRACT_ENDED', 'PACK_UNAVAILABLE', 'BY_REQUEST')),
            until_time timestamptz,
            failures integer NOT NULL CHECK (failures >= 0),
            create_time timestamptz NOT NULL,
            update_time timestamptz NOT NULL,
            due_time timestamptz,
            UNIQUE (customer_id, credit_type_id),
            CHECK ((status = 'ASKED') = (remaining_micros IS NOT NULL)),
            CHECK (status <> 'ORDERED' OR top_up_id IS NOT NULL),
            CHECK (top_up_id IS NULL OR status IN ('ORDERED', 'DISABLED')),
            CHECK (status NOT IN ('BLOCKED', 'DISABLED') OR stop_reason IS NOT NULL)
        )
    """)
    op.execute(
        "CREATE INDEX auto_top_ups_due_idx ON contract.auto_top_ups (due_time) WHERE due_time IS NOT NULL"
    )
    op.execute(
        "CREATE INDEX auto_top_ups_blocked_idx ON contract.auto_top_ups (auto_top_up_id) WHERE status = 'BLOCKED'"
    )
    op.execute("""
        CREATE TABLE contract.auto_top_up_orders (
            top_up_id text COLLATE "C" PRIMARY KEY REFERENCES contract.top_ups,
            auto_top_up_id text COLLATE "C" NOT NULL REFERENCES contract.auto_top_ups,
            create_time timestamptz NOT NULL
        )
    """)
    op.execute(
        "CREATE INDEX auto_top_up_orders_idx ON contract.auto_top_up_orders (auto_top_up_id, create_time)"
    )
