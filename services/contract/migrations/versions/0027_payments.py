# SPDX-License-Identifier: Apache-2.0
"""Payments of top-ups through a provider, and saved payment methods.

Lock: ACCESS EXCLUSIVE on top_ups for an instant; the new checks are validated while the table is used. The previous
version cannot read a top-up that is paid through Stripe: order none before all replicas are new.
"""

from alembic import op

from meshkit.migrations import execute_with_lock_retries

revision = "0027"
down_revision = "0026"

ALTER = "ALTER TABLE contract.top_ups"


def upgrade() -> None:
    checks = {
        "top_ups_payment_gate_check": "payment_gate IN ('NONE', 'EXTERNAL', 'STRIPE')",
        "top_ups_check1": "payment_gate <> 'NONE' OR status = 'PAID'",
    }
    for name, check in checks.items():
        execute_with_lock_retries(f"{ALTER} DROP CONSTRAINT IF EXISTS {name}")
        execute_with_lock_retries(f"{ALTER} ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
        execute_with_lock_retries(f"{ALTER} VALIDATE CONSTRAINT {name}")
    op.execute("""
        CREATE TABLE contract.payments (
            payment_id text COLLATE "C" PRIMARY KEY,
            customer_id text COLLATE "C" NOT NULL REFERENCES contract.customers,
            top_up_id text COLLATE "C" NOT NULL UNIQUE REFERENCES contract.top_ups,
            currency_code text NOT NULL CHECK (currency_code ~ '^[A-Z]{3}$'),
            amount_micros bigint NOT NULL CHECK (amount_micros > 0),
            state text NOT NULL CHECK (state IN ('NEW', 'OPEN', 'ACTION_REQUIRED', 'PROCESSING', 'SUCCEEDED',
                'CANCELLED', 'REFUND_DUE', 'REFUNDED')),
            provider_payment_id text NOT NULL,
            ending text CHECK (ending IN ('CANCELLED', 'EXPIRED')),
            checks integer NOT NULL CHECK (checks >= 0),
            hints integer NOT NULL CHECK (hints >= 0),
            create_time timestamptz NOT NULL,
            due_time timestamptz,
            CHECK ((due_time IS NULL) = (state IN ('SUCCEEDED', 'CANCELLED', 'REFUNDED')))
        )
    """)
    op.execute("""
        CREATE UNIQUE INDEX payments_provider_payment_idx ON contract.payments (provider_payment_id)
        WHERE provider_payment_id <> ''
    """)
    op.execute("CREATE INDEX payments_due_idx ON contract.payments (due_time) WHERE due_time IS NOT NULL")
    op.execute("""
        CREATE TABLE contract.payment_methods (
            customer_id text COLLATE "C" PRIMARY KEY REFERENCES contract.customers,
            provider_customer_id text NOT NULL,
            payment_method_id text NOT NULL,
            label text NOT NULL,
            update_time timestamptz NOT NULL
        )
    """)
