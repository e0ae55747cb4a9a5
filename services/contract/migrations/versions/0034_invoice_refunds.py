# SPDX-License-Identifier: Apache-2.0
"""Refunds of the payments of invoices. Lock: none; the table is new."""

from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE contract.invoice_refunds (
            refund_id text COLLATE "C" PRIMARY KEY,
            invoice_id text COLLATE "C" NOT NULL REFERENCES contract.invoices,
            invoice_payment_id text COLLATE "C" NOT NULL REFERENCES contract.invoice_payments,
            customer_id text COLLATE "C" NOT NULL REFERENCES contract.customers,
            payment_id text COLLATE "C" REFERENCES contract.invoice_charges,
            currency_code text NOT NULL CHECK (currency_code ~ '^[A-Z]{3}$'),
            amount_micros bigint NOT NULL CHECK (amount_micros > 0),
            cause text NOT NULL CHECK (cause IN ('REQUESTED', 'PROVIDER')),
            reason text NOT NULL,
            status text NOT NULL CHECK (status IN ('DUE', 'RETURNED')),
            credit_note_id text COLLATE "C" REFERENCES contract.credit_notes,
            create_time timestamptz NOT NULL,
            return_time timestamptz,
            checks integer NOT NULL CHECK (checks >= 0),
            due_time timestamptz,
            CHECK ((status = 'RETURNED') = (return_time IS NOT NULL)),
            CHECK ((status = 'DUE') = (due_time IS NOT NULL)),
            CHECK (status = 'RETURNED' OR payment_id IS NOT NULL)
        )
    """)
    op.execute("CREATE INDEX invoice_refunds_invoice_idx ON contract.invoice_refunds (invoice_id, refund_id)")
    op.execute(
        "CREATE INDEX invoice_refunds_due_idx ON contract.invoice_refunds (due_time) WHERE due_time IS NOT NULL"
    )
