# SPDX-License-Identifier: Apache-2.0
"""Seat changes that were voided before they took effect.

A replica of the previous version counts them still: void changes when all replicas are new. Lock: none but on the new
table.
"""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE contract.seat_change_voids (
            subscription_id text COLLATE "C",
            sequence bigint,
            void_time timestamptz NOT NULL,
            PRIMARY KEY (subscription_id, sequence),
            FOREIGN KEY (subscription_id, sequence) REFERENCES contract.seat_changes (subscription_id, sequence)
        )
    """)
