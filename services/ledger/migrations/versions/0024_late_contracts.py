# SPDX-License-Identifier: Apache-2.0
"""How far a rerate job is with events that had no contract, and an index of those.

Why: a backdated contract prices events that were stored without a charge. Lock: ACCESS EXCLUSIVE on rerate_jobs for an
instant; the index is built beside the writers. Size: no row is touched; the index reads usage_events once, and holds
the events without a contract only.
"""

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0024"
down_revision = "0023"

# events_…: the last event that was looked at.
JOBS = """
    ALTER TABLE ledger.rerate_jobs
        ADD COLUMN IF NOT EXISTS events_charged bigint NOT NULL DEFAULT 0,
        ADD COLUMN IF NOT EXISTS events_customer_id text COLLATE "C" NOT NULL DEFAULT '',
        ADD COLUMN IF NOT EXISTS events_time timestamptz,
        ADD COLUMN IF NOT EXISTS events_transaction_id text COLLATE "C" NOT NULL DEFAULT ''
"""


def upgrade() -> None:
    execute_with_lock_retries(JOBS)
    build_index(
        "usage_events_no_contract_idx",
        "ledger.usage_events (customer_id, event_time, transaction_id) WHERE status = 'NO_CONTRACT'",
        schema="ledger",
    )
