# SPDX-License-Identifier: Apache-2.0
"""Caps in more windows, by product and customer and by owner, and what was spent in these windows.

Why: a limit must hold in whatever window an administrator thinks in. ledger.caps has what ledger.spend_caps cannot say;
the previous version reads the latter for every decision, and must not find a window there that it does not know. Lock:
ACCESS EXCLUSIVE on spends and customers for an instant each. Size: no row is touched. The previous version neither
checks caps of the new table nor counts what they need: set them when all replicas are new. A cap that is set again
counts again from the entries.
"""

from alembic import op

from meshkit.migrations import execute_with_lock_retries

revision = "0042"
down_revision = "0041"

WINDOWS = "ALTER TABLE ledger.spends ADD COLUMN IF NOT EXISTS windows jsonb"
TIME_ZONE = "ALTER TABLE ledger.customers ADD COLUMN IF NOT EXISTS time_zone text"
CAPS = """
    CREATE TABLE ledger.caps (
        customer_id text COLLATE "C" NOT NULL REFERENCES ledger.customers,
        credit_type_id text COLLATE "C" NOT NULL,
        owner text NOT NULL CHECK (owner IN ('VENDOR', 'CUSTOMER')),
        group_key text COLLATE "C" NOT NULL,
        group_value text COLLATE "C" NOT NULL,
        cap_window text NOT NULL,
        window_hours smallint NOT NULL,
        spend_cap_id text COLLATE "C" NOT NULL,
        limit_micros bigint NOT NULL CHECK (limit_micros >= 0),
        create_time timestamptz NOT NULL,
        PRIMARY KEY (customer_id, credit_type_id, group_key, group_value, owner, cap_window, window_hours),
        UNIQUE (customer_id, spend_cap_id),
        CONSTRAINT caps_window_known CHECK (cap_window IN ('BILLING_PERIOD', 'MONTH', 'WEEK', 'DAY', 'ROLLING')),
        CONSTRAINT caps_window_hours CHECK (
            CASE WHEN cap_window = 'ROLLING' THEN window_hours BETWEEN 1 AND 168 ELSE window_hours = 0 END
        )
    )
"""
SPEND_CHANGE = """
    CREATE TYPE ledger.spend_change_42 AS (
        customer_id text,
        credit_type_id text,
        group_key text,
        group_value text,
        held_micros bigint,
        period_start timestamptz,
        period_spent_micros bigint,
        period_ahead_micros bigint,
        day_start timestamptz,
        day_spent_micros bigint,
        day_ahead_micros bigint,
        windows jsonb
    )
"""


def upgrade() -> None:
    for statement in (WINDOWS, TIME_ZONE):
        execute_with_lock_retries(statement)
    for statement in (CAPS, SPEND_CHANGE):
        op.execute(statement)
