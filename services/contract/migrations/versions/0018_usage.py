# SPDX-License-Identifier: Apache-2.0
"""Usage on invoices: how far it is invoiced, and what an invoice covers.

Lock: ACCESS EXCLUSIVE on contracts for an instant; the index is built concurrently. Size: no row is touched. Contracts
that there are, and those that a replica of the previous version signs, are looked at once by this version
(usage_due_time has a default in the past). Usage dated before the upgrade is not invoiced (usage_from).

A replica of the previous version shows the draft of a period's usage, and a statement, as a draft without lines, and
cannot read an invoice with overage: allow overage once all replicas are new.
"""

from alembic import op

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0018"
down_revision = "0017"

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS contract.usage_progress (
        contract_id text COLLATE "C" PRIMARY KEY REFERENCES contract.contracts,
        closed_time timestamptz NOT NULL,
        covered_time timestamptz NOT NULL CHECK (covered_time >= closed_time),
        covered_sequences jsonb NOT NULL CHECK (jsonb_typeof(covered_sequences) = 'object'),
        invoice_id text COLLATE "C" REFERENCES contract.invoices
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS contract.invoice_usage (
        invoice_id text COLLATE "C" PRIMARY KEY REFERENCES contract.invoices,
        span_start timestamptz NOT NULL,
        span_end timestamptz NOT NULL CHECK (span_end > span_start),
        group_key text NOT NULL,
        refresh_time timestamptz NOT NULL,
        covered_time timestamptz NOT NULL,
        covered_sequences jsonb NOT NULL CHECK (jsonb_typeof(covered_sequences) = 'object'),
        report jsonb NOT NULL CHECK (jsonb_typeof(report) = 'object'),
        close_time timestamptz,
        draft_lines jsonb NOT NULL CHECK (jsonb_typeof(draft_lines) = 'array')
    )
    """,
)


def upgrade() -> None:
    for table in TABLES:
        op.execute(table)
    alter = "ALTER TABLE contract.contracts"
    execute_with_lock_retries(f"{alter} ADD COLUMN IF NOT EXISTS usage_from timestamptz DEFAULT now()")
    execute_with_lock_retries(f"{alter} ALTER COLUMN usage_from DROP DEFAULT")
    execute_with_lock_retries(
        f"{alter} ADD COLUMN IF NOT EXISTS usage_due_time timestamptz DEFAULT '2000-01-01 00:00:00+00'"
    )
    build_index(
        "contracts_usage_due_idx",
        "contract.contracts (usage_due_time, contract_id) WHERE usage_due_time IS NOT NULL",
        schema="contract",
    )
    build_index(
        "invoice_lines_overage_idx",
        "contract.invoice_lines (invoice_id) WHERE kind = 'OVERAGE'",
        schema="contract",
    )
