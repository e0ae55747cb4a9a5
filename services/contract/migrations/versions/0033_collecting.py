# SPDX-License-Identifier: Apache-2.0
"""Invoices that are paid through the provider: how contracts collect them, dunning, and the payments at the provider.

Why separate tables: a replica of the previous version takes every row of contract.payments for that of a top-up.
Lock: ACCESS EXCLUSIVE on contracts and account_credit_entries for an instant each: constant defaults rewrite no rows,
and the new check is validated while the table is used. The previous version cannot read a customer who is suspended
as INVOICE_UNPAID: charge automatically when all replicas are new.
"""

from alembic import op

from meshkit.migrations import execute_with_lock_retries

revision = "0033"
down_revision = "0032"

COLUMNS = (
    "collection_method text NOT NULL DEFAULT 'SEND' CHECK (collection_method IN ('SEND', 'CHARGE_AUTOMATICALLY'))",
    "retry_days integer[] NOT NULL DEFAULT '{2,7,14,21}'",
    "after_last_retry text NOT NULL DEFAULT 'NOTHING' CHECK (after_last_retry IN ('NOTHING', 'SUSPEND'))",
)
ENTRIES = "ALTER TABLE contract.account_credit_entries"
CAUSES = "cause IN ('CREDIT_NOTE', 'USED', 'RETURNED', 'EXCESS', 'PAID_OUT', 'OVERPAID')"


def upgrade() -> None:
    for column in COLUMNS:
        execute_with_lock_retries(f"ALTER TABLE contract.contracts ADD COLUMN IF NOT EXISTS {column}")
    name = "account_credit_entries_cause_check"
    execute_with_lock_retries(f"{ENTRIES} DROP CONSTRAINT IF EXISTS {name}")
    execute_with_lock_retries(f"{ENTRIES} ADD CONSTRAINT {name} CHECK ({CAUSES}) NOT VALID")
    execute_with_lock_retries(f"{ENTRIES} VALIDATE CONSTRAINT {name}")
    op.execute("""
        CREATE TABLE IF NOT EXISTS contract.invoice_dunning (
            invoice_id text COLLATE "C" PRIMARY KEY REFERENCES contract.invoices,
            customer_id text COLLATE "C" NOT NULL REFERENCES contract.customers,
            currency_code text NOT NULL CHECK (currency_code ~ '^[A-Z]{3}$'),
            status text NOT NULL CHECK (status IN ('COLLECTING', 'CARRIED', 'STOPPED', 'SETTLED')),
            retry_days integer[] NOT NULL,
            after_last_retry text NOT NULL CHECK (after_last_retry IN ('NOTHING', 'SUSPEND')),
            begin_time timestamptz NOT NULL,
            next_time timestamptz,
            attempts integer NOT NULL CHECK (attempts >= 0),
            error_code text NOT NULL,
            error_message text NOT NULL,
            error_time timestamptz,
            refused_method text NOT NULL,
            is_overdue boolean NOT NULL,
            CHECK (status <> 'SETTLED' OR NOT is_overdue)
        )
    """)
    op.execute("""
        CREATE INDEX IF NOT EXISTS invoice_dunning_next_idx ON contract.invoice_dunning (next_time, invoice_id)
        WHERE next_time IS NOT NULL
    """)
    op.execute("""
        CREATE INDEX IF NOT EXISTS invoice_dunning_customer_idx ON contract.invoice_dunning (customer_id, invoice_id)
        WHERE status <> 'SETTLED'
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS contract.invoice_charges (
            payment_id text COLLATE "C" PRIMARY KEY,
            customer_id text COLLATE "C" NOT NULL REFERENCES contract.customers,
            currency_code text NOT NULL CHECK (currency_code ~ '^[A-Z]{3}$'),
            state text NOT NULL CHECK (state IN ('NEW', 'OPEN', 'ACTION_REQUIRED', 'PROCESSING', 'SUCCEEDED',
                'CANCELLED', 'REFUND_DUE', 'REFUNDED')),
            provider_payment_id text NOT NULL,
            is_unwanted boolean NOT NULL,
            charging text NOT NULL,
            attempt_key text NOT NULL,
            attempts integer NOT NULL CHECK (attempts >= 0),
            checks integer NOT NULL CHECK (checks >= 0),
            hints integer NOT NULL CHECK (hints >= 0),
            create_time timestamptz NOT NULL,
            due_time timestamptz,
            CHECK ((due_time IS NULL) = (state IN ('SUCCEEDED', 'CANCELLED', 'REFUNDED')))
        )
    """)
    op.execute("""
        CREATE UNIQUE INDEX IF NOT EXISTS invoice_charges_provider_payment_idx
        ON contract.invoice_charges (provider_payment_id) WHERE provider_payment_id <> ''
    """)
    op.execute("""
        CREATE INDEX IF NOT EXISTS invoice_charges_due_idx ON contract.invoice_charges (due_time)
        WHERE due_time IS NOT NULL
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS contract.invoice_charge_parts (
            payment_id text COLLATE "C" NOT NULL REFERENCES contract.invoice_charges,
            position integer NOT NULL CHECK (position >= 0),
            invoice_id text COLLATE "C" NOT NULL REFERENCES contract.invoices,
            amount_micros bigint NOT NULL CHECK (amount_micros > 0),
            PRIMARY KEY (payment_id, position),
            UNIQUE (payment_id, invoice_id)
        )
    """)
    op.execute(
        "CREATE INDEX IF NOT EXISTS invoice_charge_parts_invoice_idx"
        " ON contract.invoice_charge_parts (invoice_id, payment_id)"
    )
