# SPDX-License-Identifier: Apache-2.0
"""Corrected prices of billed periods.

Why: a price that is corrected after it was billed applies to what the period still bills, and is charged once. Lock:
none on used tables. A replica of the previous version does not know the new kind of line, and takes such a line for
seats: call RepriceSeats once all replicas are new.
"""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE IF NOT EXISTS contract.corrected_prices (
            subscription_id text COLLATE "C" NOT NULL,
            period_start timestamptz NOT NULL,
            position integer NOT NULL CHECK (position >= 1),
            rate jsonb NOT NULL CHECK (jsonb_typeof(rate) = 'object'),
            create_time timestamptz NOT NULL,
            PRIMARY KEY (subscription_id, period_start, position),
            FOREIGN KEY (subscription_id, period_start) REFERENCES contract.billed_periods
        )
    """)
