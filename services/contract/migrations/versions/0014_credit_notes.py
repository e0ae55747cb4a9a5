# SPDX-License-Identifier: Apache-2.0
"""Credit notes, account credit, parties and taxes.

Why: money comes back as account credit, and invoices say who sells and who buys. Lock: ACCESS EXCLUSIVE on invoices and
invoice_lines for an instant; the new checks are validated while they are used. Size: no row is touched.

Lines of the new kinds appear only after an operator has set taxes or made a credit note. A replica of the previous
version does not know these kinds and cannot read such an invoice: use the new rpcs once all replicas are new.
"""

from alembic import op

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0014"
down_revision = "0013"

# Repeatable, as build_index requires.
TABLES = (
    """
    CREATE TABLE IF NOT EXISTS contract.seller_details (
        only_row boolean PRIMARY KEY CHECK (only_row),
        details jsonb NOT NULL CHECK (jsonb_typeof(details) = 'object')
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS contract.billing_details (
        customer_id text COLLATE "C" PRIMARY KEY REFERENCES contract.customers,
        details jsonb NOT NULL CHECK (jsonb_typeof(details) = 'object')
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS contract.invoice_parties (
        invoice_id text COLLATE "C" PRIMARY KEY REFERENCES contract.invoices,
        parties jsonb NOT NULL CHECK (jsonb_typeof(parties) = 'object')
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS contract.credit_notes (
        credit_note_id text COLLATE "C" PRIMARY KEY,
        invoice_id text COLLATE "C" NOT NULL REFERENCES contract.invoices,
        number text COLLATE "C" NOT NULL UNIQUE,
        finalize_time timestamptz NOT NULL,
        currency_code text NOT NULL,
        amount_micros bigint NOT NULL CHECK (amount_micros > 0),
        tax_micros bigint NOT NULL,
        off_due_micros bigint NOT NULL CHECK (off_due_micros >= 0),
        account_credit_micros bigint NOT NULL CHECK (account_credit_micros >= 0),
        reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 200),
        CHECK (off_due_micros + account_credit_micros = amount_micros)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS contract.credit_note_lines (
        credit_note_id text COLLATE "C" REFERENCES contract.credit_notes,
        invoice_line_id text COLLATE "C" REFERENCES contract.invoice_lines,
        position integer NOT NULL CHECK (position >= 0),
        amount_micros bigint NOT NULL CHECK (amount_micros > 0),
        PRIMARY KEY (credit_note_id, invoice_line_id),
        UNIQUE (credit_note_id, position)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS contract.account_credits (
        customer_id text COLLATE "C" REFERENCES contract.customers,
        currency_code text,
        balance_micros bigint NOT NULL CHECK (balance_micros >= 0),
        PRIMARY KEY (customer_id, currency_code)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS contract.account_credit_entries (
        account_credit_entry_id text COLLATE "C" PRIMARY KEY,
        customer_id text COLLATE "C" NOT NULL,
        currency_code text NOT NULL,
        amount_micros bigint NOT NULL CHECK (amount_micros <> 0),
        balance_after_micros bigint NOT NULL CHECK (balance_after_micros >= 0),
        cause text NOT NULL CHECK (cause IN ('CREDIT_NOTE', 'USED', 'RETURNED', 'EXCESS')),
        document_id text COLLATE "C" NOT NULL,
        create_time timestamptz NOT NULL,
        UNIQUE (document_id, cause),
        CHECK ((cause = 'USED') = (amount_micros < 0)),
        FOREIGN KEY (customer_id, currency_code) REFERENCES contract.account_credits
    )
    """,
)
CHECKS = {
    "invoices": {
        "invoices_total_check": "status = 'DRAFT' OR total_micros >= 0",
        "invoices_settled_check": "paid_micros >= 0 AND credited_micros >= 0 AND (paid_micros + credited_micros = 0"
        " OR (status = 'FINALIZED' AND paid_micros + credited_micros <= total_micros))",
    },
    "invoice_lines": {
        "invoice_lines_share_check": "share_numerator BETWEEN 0 AND share_denominator AND share_denominator > 0"
        " AND (share_numerator > 0 OR kind = 'TAX')",
        "invoice_lines_unit_price_check": "unit_price_micros >= 0 OR kind IN ('TAX', 'ACCOUNT_CREDIT')",
        "invoice_lines_subscription_check": "subscription_id IS NULL"
        " OR (kind NOT IN ('TOP_UP', 'TAX', 'ACCOUNT_CREDIT') AND span_start IS NOT NULL)",
    },
}
# What the new checks say for the kinds that there were.
REPLACED = {
    "invoices": ["invoices_total_micros_check"],
    "invoice_lines": [
        "invoice_lines_check",
        "invoice_lines_share_numerator_check",
        "invoice_lines_unit_price_micros_check",
    ],
}


def upgrade() -> None:
    for table in TABLES:
        op.execute(table)
    for table, checks in CHECKS.items():
        alter = f"ALTER TABLE contract.{table}"
        for name in REPLACED[table]:
            execute_with_lock_retries(f"{alter} DROP CONSTRAINT IF EXISTS {name}")
        for name, check in checks.items():
            execute_with_lock_retries(f"{alter} DROP CONSTRAINT IF EXISTS {name}")
            execute_with_lock_retries(f"{alter} ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
            execute_with_lock_retries(f"{alter} VALIDATE CONSTRAINT {name}")
    build_index("credit_notes_invoice_idx", "contract.credit_notes (invoice_id, number)", schema="contract")
    build_index(
        "account_credit_entries_customer_idx",
        "contract.account_credit_entries (customer_id, account_credit_entry_id)",
        schema="contract",
    )
    build_index(
        "invoice_lines_tax_idx", "contract.invoice_lines (invoice_id) WHERE kind = 'TAX'", schema="contract"
    )
    build_index("invoices_contract_idx", "contract.invoices (contract_id)", schema="contract")
