# SPDX-License-Identifier: Apache-2.0
"""Money of invoices' payments that goes back without us: refunds made at the provider, and disputes.

Lock: ACCESS EXCLUSIVE on invoice_refunds and invoice_charges for an instant each: constant defaults rewrite no rows,
and the new checks are validated while the tables are used. Can be run again.
"""

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0037"
down_revision = "0036"

COLUMNS = {
    "invoice_refunds": (
        "provider_refund_id text NOT NULL DEFAULT ''",
        "reverse_time timestamptz",
    ),
    "invoice_charges": (
        "money_back_due timestamptz",
        "money_back_hints integer NOT NULL DEFAULT 0",
    ),
}
CHECKS = {
    "invoice_refunds_cause_check": "cause IN ('REQUESTED', 'PROVIDER', 'CHARGEBACK')",
    "invoice_refunds_provider_check": "(cause = 'REQUESTED') = (provider_refund_id = '')",
    "invoice_refunds_reverse_check": "reverse_time IS NULL OR cause = 'CHARGEBACK'",
}


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        for column in columns:
            execute_with_lock_retries(f"ALTER TABLE contract.{table} ADD COLUMN IF NOT EXISTS {column}")
    alter = "ALTER TABLE contract.invoice_refunds"
    for name, check in CHECKS.items():
        execute_with_lock_retries(f"{alter} DROP CONSTRAINT IF EXISTS {name}")
        execute_with_lock_retries(f"{alter} ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
        execute_with_lock_retries(f"{alter} VALIDATE CONSTRAINT {name}")
    build_index(
        "invoice_charges_money_back_idx",
        "contract.invoice_charges (money_back_due) WHERE money_back_due IS NOT NULL",
        schema="contract",
    )
    build_index(
        "invoice_refunds_provider_idx",
        "contract.invoice_refunds (invoice_payment_id, provider_refund_id) WHERE provider_refund_id <> ''",
        schema="contract",
        is_unique=True,
    )
