# SPDX-License-Identifier: Apache-2.0
"""Adjustments of balances by operators: how much, why and by whom.

Why: an operator can correct what no single grant or event explains, and it stays visible. Lock: none that anyone could
wait for. Size: no row is touched.
"""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE ledger.balance_adjustments (
            customer_id text COLLATE "C" NOT NULL,
            request_id text COLLATE "C" NOT NULL,
            credit_type_id text COLLATE "C" NOT NULL,
            amount_micros bigint NOT NULL CHECK (amount_micros <> 0),
            grant_id text COLLATE "C",
            reason text NOT NULL,
            actor text NOT NULL,
            create_time timestamptz NOT NULL,
            PRIMARY KEY (customer_id, request_id, create_time),
            CHECK ((amount_micros > 0) = (grant_id IS NOT NULL))
        )
        """
    )
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON ledger.balance_adjustments FROM CURRENT_USER")
