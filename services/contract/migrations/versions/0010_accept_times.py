# SPDX-License-Identifier: Apache-2.0
"""When a contract's terms were accepted, for the Ledger: an end counts as known from then on, however late it arrives.

Existing contracts have none: their terms count from their arrival at the Ledger, as before.
Lock: ACCESS EXCLUSIVE on contracts, for an instant: the column is added without a default.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    execute_with_lock_retries(
        "ALTER TABLE contract.contracts ADD COLUMN IF NOT EXISTS accept_time timestamptz"
    )
