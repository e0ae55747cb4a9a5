# SPDX-License-Identifier: Apache-2.0
"""Which pieces of usage an amended event consists of now.

Why: an amendment may move an event to another meter, and a later correction must not count it on the first one again.
Lock: ACCESS EXCLUSIVE on usage_corrections for an instant. Size: no row is touched; so far there are voids only, which
have no pieces.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    # A piece is named by its pool and by the sequence of its first entry.
    execute_with_lock_retries(
        """
        ALTER TABLE ledger.usage_corrections
            ADD COLUMN IF NOT EXISTS piece_credit_type_ids text[] NOT NULL DEFAULT '{}',
            ADD COLUMN IF NOT EXISTS piece_sequences bigint[] NOT NULL DEFAULT '{}'
        """
    )
