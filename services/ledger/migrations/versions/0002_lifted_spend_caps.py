# SPDX-License-Identifier: Apache-2.0
"""Remember which spend caps were lifted.

Why: lifting a cap twice is harmless, lifting one that never was is SPEND_CAP_NOT_FOUND; a row that is gone cannot
tell the two apart. Lock: none that anyone could wait for, the table is new. Size: empty; a row per lifted cap.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE ledger.lifted_spend_caps (
            customer_id text COLLATE "C" NOT NULL REFERENCES ledger.customers,
            spend_cap_id text COLLATE "C" NOT NULL,
            lift_time timestamptz NOT NULL,
            PRIMARY KEY (customer_id, spend_cap_id)
        )
        """
    )
