# SPDX-License-Identifier: Apache-2.0
"""Dead letters: notices that the peer has rejected for good, and how often it has rejected those in the outbox.

Why: one notice that can never be delivered blocked all later ones of its key. Lock: ACCESS EXCLUSIVE on outbox for an
instant; the new table is empty. Size: no row is touched, because a constant default is not written to them.
"""

from alembic import op

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0002"
down_revision = "0001"

OUTBOX = """
    ALTER TABLE contract.outbox
        ADD COLUMN IF NOT EXISTS rejections integer NOT NULL DEFAULT 0,
        ADD COLUMN IF NOT EXISTS reject_time timestamptz
"""
DEAD_LETTERS = """
    CREATE TABLE IF NOT EXISTS contract.dead_letters (
        customer_id text COLLATE "C" NOT NULL,
        notice_id text COLLATE "C" NOT NULL,
        kind text NOT NULL,
        payload jsonb NOT NULL,
        create_time timestamptz NOT NULL,
        attempts integer NOT NULL,
        dead_time timestamptz NOT NULL,
        last_error text NOT NULL,
        end_time timestamptz,
        drop_reason text,
        drop_actor text,
        PRIMARY KEY (customer_id, notice_id)
    )
"""


def upgrade() -> None:
    op.execute(DEAD_LETTERS)
    execute_with_lock_retries(OUTBOX)
    build_index(
        "dead_letters_open_idx",
        "contract.dead_letters (customer_id, kind) WHERE end_time IS NULL",
        schema="contract",
    )
