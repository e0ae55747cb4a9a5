# SPDX-License-Identifier: Apache-2.0
"""What the hourly forgetting needs: whose turn it is, and heard notices by their age.

Why: of many replicas and workers one is to do it, and a hundred thousand pending notices must not be read to find the
heard ones. Ended holds need nothing: their ids are ordered by time, and so is their key within a customer.
Lock: none that anyone could wait for; the index is built beside the writers. Size: an entry per heard notice of the
last seven days. Can be run again at any point.
"""

from alembic import op

from meshkit.migrations import build_index

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    build_index("outbox_sent_idx", "ledger.outbox (sent_time) WHERE sent_time IS NOT NULL", schema="ledger")
    op.execute("""
        CREATE TABLE ledger.chores (
            chore text COLLATE "C" PRIMARY KEY,
            due_time timestamptz NOT NULL
        )
    """)
