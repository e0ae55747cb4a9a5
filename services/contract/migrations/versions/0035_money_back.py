# SPDX-License-Identifier: Apache-2.0
"""Money that goes back for credits that were spent, also without us: disputes, and refunds made at the provider.

Lock: ACCESS EXCLUSIVE on top_up_refunds and outbox for an instant each; the new checks are validated while the tables
are used. The previous version cannot list the refunds of a top-up that is disputed, and leaves the new notices to a
replica that knows them.
"""

from alembic import op

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0035"
down_revision = "0034"

REFUNDS = "ALTER TABLE contract.top_up_refunds"
CHECKS = {
    "top_up_refunds_status_check": "status IN ('PENDING', 'REFUSED', 'DUE', 'RETURNED', 'DISPUTED', 'REVERSED')",
    "top_up_refunds_cause_check": "cause IN ('REQUEST', 'PROVIDER', 'CHARGEBACK')",
    "top_up_refunds_disputed_check": "status NOT IN ('DISPUTED', 'REVERSED') OR cause = 'CHARGEBACK'",
    "top_up_refunds_provider_check": "(cause = 'REQUEST') = (provider_refund_id IS NULL)",
    "top_up_refunds_debt_check": "cause = 'REQUEST' OR accept_debt",
    "top_up_refunds_owed_check": "owed_micros >= 0",
    "top_up_refunds_return_check": "(status IN ('RETURNED', 'REVERSED')) = (return_time IS NOT NULL)",
    "top_up_refunds_note_check": "credit_note_id IS NULL OR amount_micros > 0",
    "top_up_refunds_credited_check": "cause <> 'REQUEST' OR (amount_micros > 0) = (credit_note_id IS NOT NULL)",
}
# Replaced: when it was returned, and that there is a credit note.
NO_MORE = ("top_up_refunds_check4", "top_up_refunds_check5")
KINDS = (
    "'CUSTOMER_CHANGED', 'CONTRACT_CHANGED', 'SEATS_CHANGED', 'TOP_UP_PAID', 'PLAN_CHANGED', 'TOP_UP_REFUNDED',"
    " 'VENDOR_EVENT', 'TOP_UP_LEVEL_CHANGED', 'TOP_UP_REFUND_REVERSED'"
)


def upgrade() -> None:
    execute_with_lock_retries(
        f"""
        {REFUNDS}
            ADD COLUMN IF NOT EXISTS accept_debt boolean NOT NULL DEFAULT false,
            ADD COLUMN IF NOT EXISTS cause text NOT NULL DEFAULT 'REQUEST',
            ADD COLUMN IF NOT EXISTS provider_refund_id text COLLATE "C",
            ADD COLUMN IF NOT EXISTS owed_micros bigint NOT NULL DEFAULT 0
        """
    )
    for name in NO_MORE:
        execute_with_lock_retries(f"{REFUNDS} DROP CONSTRAINT IF EXISTS {name}")
    for name, check in CHECKS.items():
        _replace(REFUNDS, name, check)
    _replace("ALTER TABLE contract.outbox", "outbox_kind_check", f"kind IN ({KINDS})")
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS contract.money_back_checks (
            provider_payment_id text COLLATE "C" PRIMARY KEY,
            hints integer NOT NULL CHECK (hints >= 0),
            due_time timestamptz NOT NULL
        )
        """
    )
    op.execute(
        "CREATE INDEX IF NOT EXISTS money_back_checks_due_idx ON contract.money_back_checks (due_time)"
    )
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS contract.money_back_looks (
            is_only boolean PRIMARY KEY CHECK (is_only),
            since timestamptz,
            due_time timestamptz NOT NULL
        )
        """
    )
    op.execute(
        "INSERT INTO contract.money_back_looks VALUES (true, NULL, '-infinity') ON CONFLICT DO NOTHING"
    )
    build_index(
        "top_up_refunds_provider_idx",
        "contract.top_up_refunds (top_up_id, provider_refund_id) WHERE provider_refund_id IS NOT NULL",
        schema="contract",
        is_unique=True,
    )


def _replace(alter: str, name: str, check: str) -> None:
    execute_with_lock_retries(f"{alter} DROP CONSTRAINT IF EXISTS {name}")
    execute_with_lock_retries(f"{alter} ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
    execute_with_lock_retries(f"{alter} VALIDATE CONSTRAINT {name}")
