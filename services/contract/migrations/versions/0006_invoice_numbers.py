# SPDX-License-Identifier: Apache-2.0
"""Numbers, dates and payments of invoices.

Why: an issued invoice has a number in one series without gaps, and is OPEN until it is paid. Lock: ACCESS EXCLUSIVE on
invoices and invoice_lines for an instant; the new checks are validated while they are used. Size: no row is touched.

In `status`, FINALIZED stands for OPEN and PAID, which follow from the amounts: a replica of the previous version reads
and writes only DRAFT, FINALIZED and VOID. What it makes final has no number until a replica of this version gives it
one (operations/invoices.py, number_earlier), and so have the invoices from before; invoices_unnumbered_idx finds them.
"""

from alembic import op

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0006"
down_revision = "0005"

# Repeatable, as build_index requires.
NUMBER_SERIES = """
    CREATE TABLE IF NOT EXISTS contract.number_series (
        only_row boolean PRIMARY KEY CHECK (only_row),
        last_sequence bigint NOT NULL CHECK (last_sequence >= 1),
        last_date timestamptz NOT NULL
    )
"""
DOCUMENT_NUMBERS = """
    CREATE TABLE IF NOT EXISTS contract.document_numbers (
        sequence bigint PRIMARY KEY CHECK (sequence >= 1),
        number text COLLATE "C" NOT NULL UNIQUE,
        document_id text COLLATE "C" NOT NULL UNIQUE,
        date timestamptz NOT NULL
    )
"""
INVOICE_PAYMENTS = """
    CREATE TABLE IF NOT EXISTS contract.invoice_payments (
        invoice_payment_id text COLLATE "C" PRIMARY KEY,
        invoice_id text COLLATE "C" NOT NULL REFERENCES contract.invoices,
        currency_code text NOT NULL,
        amount_micros bigint NOT NULL CHECK (amount_micros > 0),
        reference text NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
        payment_time timestamptz NOT NULL,
        create_time timestamptz NOT NULL,
        UNIQUE (invoice_id, reference)
    )
"""
COLUMNS = """
    ALTER TABLE contract.invoices
        ADD COLUMN IF NOT EXISTS number text COLLATE "C",
        ADD COLUMN IF NOT EXISTS paid_micros bigint NOT NULL DEFAULT 0,
        ADD COLUMN IF NOT EXISTS credited_micros bigint NOT NULL DEFAULT 0,
        ADD COLUMN IF NOT EXISTS void_time timestamptz,
        ADD COLUMN IF NOT EXISTS void_reason text NOT NULL DEFAULT ''
"""
CHECKS = {
    "invoices_draft_check": "status <> 'DRAFT' OR (finalize_time IS NULL AND number IS NULL)",
    "invoices_issued_check": "status <> 'FINALIZED' OR finalize_time IS NOT NULL",
    "invoices_number_check": "number IS NULL OR finalize_time IS NOT NULL",
    "invoices_settled_check": "paid_micros >= 0 AND credited_micros >= 0"
    " AND paid_micros + credited_micros <= total_micros"
    " AND (status = 'FINALIZED' OR paid_micros + credited_micros = 0)",
    "invoices_void_check": "status = 'VOID' OR (void_time IS NULL AND void_reason = '')",
}
LINE_CHECKS = {
    "invoice_lines_subscription_check": "subscription_id IS NULL OR (kind <> 'TOP_UP' AND span_start IS NOT NULL)",
    "invoice_lines_billing_period_check": "(subscription_id IS NULL) = (billing_period_start IS NULL)",
    "invoice_lines_span_check": "(span_start IS NULL) = (span_end IS NULL)",
    "invoice_lines_top_up_check": "kind <> 'TOP_UP' OR span_start IS NULL",
}
# invoices_check required a void invoice to have no finalize_time; now it keeps its date. The others required every line
# of seats to name its subscription; the lines of a regenerated invoice do not, because the void ones still do.
REPLACED = {
    "invoices": ["invoices_check"],
    "invoice_lines": [f"invoice_lines_check{n}" for n in (3, 4, 5, 6)],
}


def upgrade() -> None:
    for table in (NUMBER_SERIES, DOCUMENT_NUMBERS, INVOICE_PAYMENTS):
        op.execute(table)
    execute_with_lock_retries(COLUMNS)
    for table, checks in (("invoices", CHECKS), ("invoice_lines", LINE_CHECKS)):
        alter = f"ALTER TABLE contract.{table}"
        for name in REPLACED[table]:
            execute_with_lock_retries(f"{alter} DROP CONSTRAINT IF EXISTS {name}")
        for name, check in checks.items():
            execute_with_lock_retries(f"{alter} DROP CONSTRAINT IF EXISTS {name}")
            execute_with_lock_retries(f"{alter} ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
            execute_with_lock_retries(f"{alter} VALIDATE CONSTRAINT {name}")
    build_index(
        "invoices_number_idx",
        "contract.invoices (number) WHERE number IS NOT NULL",
        schema="contract",
        is_unique=True,
    )
    build_index(
        "invoices_unnumbered_idx",
        "contract.invoices (finalize_time, invoice_id)"
        " WHERE status = 'FINALIZED' AND number IS NULL AND total_micros > 0",
        schema="contract",
    )
