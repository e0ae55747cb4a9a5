# SPDX-License-Identifier: Apache-2.0
"""Groups: named sets of values that share spend caps.

Why: a department has one budget. Lock: none; the tables are new. Size: at most 10,000 rows per group. The previous
version knows neither groups nor their caps, which are in ledger.caps.
"""

from alembic import op

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE ledger.cap_groups (
            customer_id text COLLATE "C" NOT NULL REFERENCES ledger.customers,
            cap_group_id text COLLATE "C" NOT NULL,
            name text COLLATE "C" NOT NULL,
            group_key text COLLATE "C" NOT NULL,
            create_time timestamptz NOT NULL,
            PRIMARY KEY (customer_id, cap_group_id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE ledger.cap_group_values (
            customer_id text COLLATE "C" NOT NULL,
            group_key text COLLATE "C" NOT NULL,
            group_value text COLLATE "C" NOT NULL,
            cap_group_id text COLLATE "C" NOT NULL,
            PRIMARY KEY (customer_id, group_key, group_value),
            UNIQUE (customer_id, cap_group_id, group_value),
            FOREIGN KEY (customer_id, cap_group_id) REFERENCES ledger.cap_groups
        )
        """
    )
