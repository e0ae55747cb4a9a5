# SPDX-License-Identifier: Apache-2.0
"""Refunds of top-ups that were granted, and account credit that is paid out.

Lock: ACCESS EXCLUSIVE on account_credit_entries and outbox for an instant each; the new checks are validated while the
tables are used. The previous version cannot list account credit that was paid out, and leaves the notices to a replica
that knows them: refund when all replicas are new.
"""

from alembic import op

from meshkit.migrations import execute_with_lock_retries

revision = "0029"
down_revision = "0028"

CHECKS = {
    "account_credit_entries": {
        "account_credit_entries_cause_check": "cause IN ('CREDIT_NOTE', 'USED', 'RETURNED', 'EXCESS', 'PAID_OUT')",
        "account_credit_entries_check": "(cause IN ('USED', 'PAID_OUT')) = (amount_micros < 0)",
    },
    "outbox": {
        "outbox_kind_check": "kind IN ('CUSTOMER_CHANGED', 'CONTRACT_CHANGED', 'SEATS_CHANGED', 'TOP_UP_PAID',"
        " 'PLAN_CHANGED', 'TOP_UP_REFUNDED')",
    },
}


def upgrade() -> None:
    for table, checks in CHECKS.items():
        alter = f"ALTER TABLE contract.{table}"
        for name, check in checks.items():
            execute_with_lock_retries(f"{alter} DROP CONSTRAINT IF EXISTS {name}")
            execute_with_lock_retries(f"{alter} ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
            execute_with_lock_retries(f"{alter} VALIDATE CONSTRAINT {name}")
    op.execute("""
        CREATE TABLE contract.top_up_refunds (
            refund_id text COLLATE "C" PRIMARY KEY,
            top_up_id text COLLATE "C" NOT NULL REFERENCES contract.top_ups,
            customer_id text COLLATE "C" NOT NULL REFERENCES contract.customers,
            currency_code text NOT NULL CHECK (currency_code ~ '^[A-Z]{3}$'),
            asked_micros bigint CHECK (asked_micros > 0),
            reason text NOT NULL,
            status text NOT NULL CHECK (status IN ('PENDING', 'REFUSED', 'DUE', 'RETURNED')),
            amount_micros bigint NOT NULL CHECK (amount_micros >= 0),
            granted_micros bigint,
            spent_micros bigint,
            held_micros bigint,
            expired_micros bigint,
            voided_micros bigint,
            refundable_micros bigint CHECK (refundable_micros >= 0),
            create_time timestamptz NOT NULL,
            apply_time timestamptz,
            credit_note_id text COLLATE "C" REFERENCES contract.credit_notes,
            return_time timestamptz,
            checks integer NOT NULL CHECK (checks >= 0),
            due_time timestamptz,
            CHECK ((status = 'PENDING') = (apply_time IS NULL)),
            CHECK ((status = 'PENDING') = (granted_micros IS NULL)),
            CHECK (num_nulls(granted_micros, spent_micros, held_micros, expired_micros, voided_micros) IN (0, 5)),
            CHECK ((status = 'REFUSED') = (refundable_micros IS NOT NULL)),
            CHECK ((status = 'RETURNED') = (return_time IS NOT NULL)),
            CHECK ((amount_micros > 0) = (credit_note_id IS NOT NULL)),
            CHECK (status = 'DUE' OR due_time IS NULL)
        )
    """)
    op.execute("CREATE INDEX top_up_refunds_top_up_idx ON contract.top_up_refunds (top_up_id, refund_id)")
    op.execute("""
        CREATE UNIQUE INDEX top_up_refunds_pending_idx ON contract.top_up_refunds (top_up_id)
        WHERE status = 'PENDING'
    """)
    op.execute(
        "CREATE INDEX top_up_refunds_due_idx ON contract.top_up_refunds (due_time) WHERE due_time IS NOT NULL"
    )
