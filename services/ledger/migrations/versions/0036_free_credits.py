# SPDX-License-Identifier: Apache-2.0
"""Which schedules are free, and how much of their grants is withheld because other contracts were granted it.

Why: a customer gets free credits once per usage period. Lock: ACCESS EXCLUSIVE on grant_schedules and grants for an
instant each. Size: no row is touched; the new index reads grants once, and has only free ones. Grants that are there do
not count as free. The previous version withholds nothing, and its grants do not count: sign contracts that replace free
ones when all replicas are new.
"""

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    execute_with_lock_retries(
        """
        ALTER TABLE ledger.grant_schedules
            ADD COLUMN IF NOT EXISTS is_free boolean NOT NULL DEFAULT false,
            ADD COLUMN IF NOT EXISTS charge_time timestamptz
        """
    )
    execute_with_lock_retries(
        """
        ALTER TABLE ledger.grants
            ADD COLUMN IF NOT EXISTS withheld_micros bigint,
            DROP CONSTRAINT IF EXISTS grants_withheld_check,
            ADD CONSTRAINT grants_withheld_check CHECK (withheld_micros >= 0) NOT VALID
        """
    )
    build_index(
        "grants_free_idx",
        "ledger.grants (customer_id, credit_type_id, expire_time) WHERE withheld_micros IS NOT NULL",
        schema="ledger",
    )
