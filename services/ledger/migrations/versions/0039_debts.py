# SPDX-License-Identifier: Apache-2.0
"""Credits that were used and whose money went back: how much of a grant shall be voided, and the debts' history.

Why: money that a bank takes back for spent credits is owed. Lock: ACCESS EXCLUSIVE on grants for an instant. Size: no
row is touched; the new index reads grants once, and has only those with a debt. The previous version does not read the
column: what returns to an owed grant while it serves can be drawn again, and stays owed.
"""

from alembic import op

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS ledger.debt_entries (
            customer_id text COLLATE "C" NOT NULL,
            debt_entry_id text COLLATE "C" NOT NULL,
            kind text NOT NULL CHECK (kind IN ('REFUND', 'RECOVERY', 'REVERSAL')),
            grant_id text COLLATE "C" NOT NULL,
            credit_type_id text COLLATE "C" NOT NULL,
            refund_id text COLLATE "C",
            currency_code text NOT NULL,
            to_void_micros bigint NOT NULL,
            refunded_micros bigint NOT NULL,
            recovered_micros bigint NOT NULL,
            taken_micros bigint NOT NULL,
            given_back_micros bigint NOT NULL CHECK (given_back_micros >= 0),
            other_grant_id text COLLATE "C",
            create_time timestamptz NOT NULL,
            PRIMARY KEY (customer_id, debt_entry_id),
            CHECK ((kind = 'RECOVERY') = (refund_id IS NULL)),
            CHECK (CASE kind
                WHEN 'REFUND' THEN to_void_micros >= 0 AND refunded_micros >= 0 AND recovered_micros = 0
                    AND taken_micros = 0 AND given_back_micros = 0 AND other_grant_id IS NULL
                WHEN 'RECOVERY' THEN refunded_micros = 0 AND recovered_micros > 0 AND taken_micros >= 0
                    AND to_void_micros = -recovered_micros AND given_back_micros = 0 AND other_grant_id IS NOT NULL
                ELSE to_void_micros <= 0 AND recovered_micros <= 0 AND taken_micros <= 0
                    AND refunded_micros = to_void_micros + recovered_micros - given_back_micros
            END)
        )
        """
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON ledger.debt_entries FROM CURRENT_USER")
    execute_with_lock_retries(
        """
        ALTER TABLE ledger.grants
            ADD COLUMN IF NOT EXISTS to_void_micros bigint,
            DROP CONSTRAINT IF EXISTS grants_to_void_check,
            ADD CONSTRAINT grants_to_void_check CHECK (to_void_micros >= 0) NOT VALID
        """
    )
    build_index(
        "debt_entries_once_idx",
        "ledger.debt_entries (customer_id, refund_id, kind)",
        schema="ledger",
        is_unique=True,
    )
    build_index(
        "debt_entries_grant_idx",
        "ledger.debt_entries (customer_id, grant_id, debt_entry_id)",
        schema="ledger",
    )
    build_index(
        "debt_entries_other_idx",
        "ledger.debt_entries (customer_id, other_grant_id) WHERE other_grant_id IS NOT NULL",
        schema="ledger",
    )
    build_index(
        "grants_debt_idx", "ledger.grants (customer_id) WHERE to_void_micros IS NOT NULL", schema="ledger"
    )
