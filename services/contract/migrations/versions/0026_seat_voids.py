# SPDX-License-Identifier: Apache-2.0
"""Voids of seat changes that were in effect, with their money.

A replica of the previous version reads the charges of a period as if nothing had been given back of them, and leaves
the notices to a replica that knows them: void such changes when all replicas are new. Lock: none but on the new table.
"""

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE contract.seat_voids (
            seat_void_id text COLLATE "C" PRIMARY KEY,
            subscription_id text COLLATE "C" NOT NULL REFERENCES contract.subscriptions,
            seat_change_id text COLLATE "C" NOT NULL UNIQUE REFERENCES contract.seat_changes (seat_change_id),
            period_start timestamptz,
            status text NOT NULL CHECK (status IN ('PENDING', 'APPLIED')),
            void jsonb CHECK (jsonb_typeof(void) = 'object'),
            CHECK ((period_start IS NULL) = (void IS NULL))
        )
    """)
    op.execute("CREATE INDEX seat_voids_period_idx ON contract.seat_voids (subscription_id, period_start)")
