# SPDX-License-Identifier: Apache-2.0
"""How far watches on every customer have been observed in the pools that were there before them.

Why: an alert on every customer also concerns those whose value does not change. Lock: none; the table is new. Size:
watches that are there are swept once after this. The previous version sweeps nothing.
"""

from alembic import op

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS ledger.watch_sweeps (
            alert_id text COLLATE "C" PRIMARY KEY,
            version bigint NOT NULL CHECK (version >= 1),
            swept_to text COLLATE "C" NOT NULL,
            is_done boolean NOT NULL
        )
        """
    )
