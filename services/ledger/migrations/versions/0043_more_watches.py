# SPDX-License-Identifier: Apache-2.0
"""Watches of the kinds that the previous version does not know.

Why: it looks up the kind of every active watch of a pool at every decision, and would fail at an unknown one; so it
must not find these. Lock: none; the table is new. Size: empty. The previous version observes none of these watches.
Can be run again.
"""

from alembic import op

from meshkit.migrations import build_index

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS ledger.more_watches (
            alert_id text COLLATE "C" PRIMARY KEY,
            version bigint NOT NULL CHECK (version >= 1),
            is_active boolean NOT NULL,
            kind text NOT NULL,
            customer_id text COLLATE "C",
            credit_type_id text COLLATE "C" NOT NULL,
            threshold_micros bigint NOT NULL CHECK (threshold_micros >= 0),
            rearm_micros bigint NOT NULL CHECK (rearm_micros >= 0),
            group_key text NOT NULL,
            group_value text NOT NULL
        )
        """
    )
    build_index(
        "more_watches_active_idx",
        "ledger.more_watches (credit_type_id, customer_id) WHERE is_active",
        schema="ledger",
    )
