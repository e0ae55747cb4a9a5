# SPDX-License-Identifier: Apache-2.0
"""Shadow mode: what would have been denied is counted, by customer, cap or reason, product, group value and UTC day.

Why: a limit can be tried before it denies anybody. Lock: ACCESS EXCLUSIVE on the tables of caps for an instant;
the others are new. Size: a row per customer, product, group value, cap and day with something that would be denied.
The previous version reads none of it: while it serves, it denies what shadow mode would allow.
"""

from alembic import op

from meshkit.migrations import execute_with_lock_retries

revision = "0044"
down_revision = "0043"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS ledger.shadow_modes (
            customer_id text COLLATE "C" NOT NULL REFERENCES ledger.customers,
            product_id text COLLATE "C" NOT NULL,
            is_on boolean NOT NULL,
            update_time timestamptz NOT NULL,
            PRIMARY KEY (customer_id, product_id)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS ledger.shadow_denials (
            customer_id text COLLATE "C" NOT NULL,
            day date NOT NULL,
            credit_type_id text COLLATE "C" NOT NULL,
            reason text COLLATE "C" NOT NULL,
            cap_id text COLLATE "C" NOT NULL,
            product_id text COLLATE "C" NOT NULL,
            group_key text COLLATE "C" NOT NULL,
            group_value text COLLATE "C" NOT NULL,
            denials bigint NOT NULL CHECK (denials > 0),
            credits_micros bigint NOT NULL CHECK (credits_micros >= 0),
            first_time timestamptz NOT NULL,
            last_time timestamptz NOT NULL,
            PRIMARY KEY (
                customer_id, day, credit_type_id, reason, cap_id, product_id, group_key, group_value
            ),
            CHECK (first_time <= last_time)
        )
        """
    )
    op.execute("DROP TYPE IF EXISTS ledger.new_shadow_denial")
    op.execute(
        """
        CREATE TYPE ledger.new_shadow_denial AS (
            customer_id text, credit_type_id text, day date, reason text, cap_id text, product_id text,
            group_key text, group_value text, denials bigint, credits_micros bigint,
            first_time timestamptz, last_time timestamptz
        )
        """
    )
    for table in ("concurrency_caps", "spend_caps", "caps"):
        execute_with_lock_retries(
            f"ALTER TABLE ledger.{table} ADD COLUMN IF NOT EXISTS is_shadow boolean NOT NULL DEFAULT false"
        )
