# SPDX-License-Identifier: Apache-2.0
"""Changes of plan, and invoice lines that give back.

Why: what was paid and not used comes back as a negative line. Lock: ACCESS EXCLUSIVE on invoice_lines and on outbox for
an instant; the new checks are validated while the tables are used. A replica of the previous version neither changes
plans nor knows the new kind of line and of notice: it leaves the notice to a replica that does.
"""

from alembic import op

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0011"
down_revision = "0010"

# Repeatable, as build_index requires.
PLAN_CHANGES = """
    CREATE TABLE IF NOT EXISTS contract.plan_changes (
        plan_change_id text COLLATE "C" PRIMARY KEY,
        customer_id text COLLATE "C" NOT NULL REFERENCES contract.customers,
        ended_contract_id text COLLATE "C" NOT NULL UNIQUE REFERENCES contract.contracts,
        begun_contract_id text COLLATE "C" NOT NULL UNIQUE REFERENCES contract.contracts,
        change_time timestamptz NOT NULL,
        included_credits text NOT NULL CHECK (included_credits IN ('VOID', 'KEEP', 'ROLL')),
        money_back text NOT NULL CHECK (money_back IN ('CREDIT_UNUSED', 'NONE')),
        paid jsonb NOT NULL CHECK (jsonb_typeof(paid) = 'array'),
        status text NOT NULL CHECK (status IN ('PENDING', 'APPLIED')),
        invoice_id text COLLATE "C" UNIQUE REFERENCES contract.invoices,
        unused jsonb NOT NULL CHECK (jsonb_typeof(unused) = 'array'),
        apply_time timestamptz,
        CHECK ((status = 'PENDING') = (apply_time IS NULL)),
        CHECK (ended_contract_id <> begun_contract_id)
    )
"""
# A line that gives back is negative. Which kinds of lines there are, the code says.
REPLACED = {
    "invoice_lines": (
        "invoice_lines_kind_check",
        "invoice_lines_quantity_check",
        "invoice_lines_exact_micros_check",
        "invoice_lines_total_micros_check",
    ),
    "outbox": (),
}
CHECKS = {
    "invoice_lines": {
        "invoice_lines_charges_check": "kind NOT IN ('SUBSCRIPTION', 'SEAT_INCREASE', 'TOP_UP')"
        " OR (quantity > 0 AND exact_micros >= 0 AND total_micros >= 0)",
        "invoice_lines_minor_units_check": "currency_code <> 'USD' OR total_micros % 10000 = 0",
    },
    "outbox": {
        "outbox_kind_check": "kind IN ('CUSTOMER_CHANGED', 'CONTRACT_CHANGED', 'SEATS_CHANGED', 'TOP_UP_PAID',"
        " 'PLAN_CHANGED')"
    },
}


def upgrade() -> None:
    op.execute(PLAN_CHANGES)
    build_index(
        "plan_changes_customer_idx", "contract.plan_changes (customer_id, plan_change_id)", schema="contract"
    )
    for table, checks in CHECKS.items():
        alter = f"ALTER TABLE contract.{table}"
        for name in REPLACED[table]:
            execute_with_lock_retries(f"{alter} DROP CONSTRAINT IF EXISTS {name}")
        for name, check in checks.items():
            execute_with_lock_retries(f"{alter} DROP CONSTRAINT IF EXISTS {name}")
            execute_with_lock_retries(f"{alter} ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
            execute_with_lock_retries(f"{alter} VALIDATE CONSTRAINT {name}")
