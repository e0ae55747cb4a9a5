# SPDX-License-Identifier: Apache-2.0
"""Setups of payment methods, by which customers save a method in the browser. Lock: none; the table is new."""

from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE contract.payment_setups (
            payment_setup_id text COLLATE "C" PRIMARY KEY,
            customer_id text COLLATE "C" NOT NULL REFERENCES contract.customers,
            provider_customer_id text NOT NULL,
            provider_setup_id text NOT NULL,
            state text NOT NULL CHECK (state IN ('NEW', 'OPEN', 'ACTION_REQUIRED', 'SUCCEEDED', 'CANCELLED')),
            checks integer NOT NULL CHECK (checks >= 0),
            create_time timestamptz NOT NULL,
            due_time timestamptz,
            CHECK (state NOT IN ('SUCCEEDED', 'CANCELLED') OR due_time IS NULL)
        )
    """)
    op.execute("""
        CREATE UNIQUE INDEX payment_setups_provider_setup_idx ON contract.payment_setups (provider_setup_id)
        WHERE provider_setup_id <> ''
    """)
    op.execute(
        "CREATE INDEX payment_setups_customer_idx ON contract.payment_setups (customer_id, payment_setup_id)"
    )
    op.execute(
        "CREATE INDEX payment_setups_due_idx ON contract.payment_setups (due_time) WHERE due_time IS NOT NULL"
    )
