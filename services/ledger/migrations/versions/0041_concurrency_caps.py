# SPDX-License-Identifier: Apache-2.0
"""Concurrency caps: the most holds that a subject may have open at once.

Why: a runaway client must not keep all credits in flight. Lock: none; the table is new. Size: a row per cap; a lifted
one stays, with its lift_time. The previous version does not read it, so it lets more holds open; these count here.
"""

from alembic import op

from meshkit.migrations import build_index

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS ledger.concurrency_caps (
            customer_id text COLLATE "C" NOT NULL REFERENCES ledger.customers,
            concurrency_cap_id text COLLATE "C" NOT NULL,
            credit_type_id text COLLATE "C" NOT NULL,
            subject_key text COLLATE "C" NOT NULL,
            subject_value text COLLATE "C" NOT NULL,
            holds_max integer NOT NULL CHECK (holds_max >= 0),
            create_time timestamptz NOT NULL,
            lift_time timestamptz,
            PRIMARY KEY (customer_id, concurrency_cap_id)
        )
        """
    )
    build_index(
        "concurrency_caps_subject_idx",
        "ledger.concurrency_caps (customer_id, credit_type_id, subject_key, subject_value) WHERE lift_time IS NULL",
        schema="ledger",
        is_unique=True,
    )
