# SPDX-License-Identifier: Apache-2.0
"""Repairs of local copies by operators: of what, why and by whom.

Why: a copy that got a false version can be set back, once per request, and it stays visible. Lock: none that anyone
could wait for. Size: no row is touched.
"""

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS ledger.copy_repairs (
            request_id text COLLATE "C" PRIMARY KEY,
            body_hash bytea NOT NULL,
            copy_kind text NOT NULL,
            copy_id text COLLATE "C" NOT NULL,
            customer_id text COLLATE "C",
            subscription_id text COLLATE "C",
            number_before bigint NOT NULL,
            reason text NOT NULL,
            actor text NOT NULL,
            create_time timestamptz NOT NULL
        )
        """
    )
