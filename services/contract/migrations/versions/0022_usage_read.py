# SPDX-License-Identifier: Apache-2.0
"""How far the usage of the open period was read, beside where the periods before were closed.

Lock: ACCESS EXCLUSIVE on usage_progress for an instant. Size: one short row per contract. A replica of the previous
version stops to put usage on invoices, and goes on with everything else; this version continues where it was.
"""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.execute("ALTER TABLE contract.usage_progress RENAME COLUMN covered_sequences TO read")
    op.execute("ALTER TABLE contract.usage_progress DROP COLUMN covered_time")
    op.execute(
        "ALTER TABLE contract.usage_progress"
        " ADD COLUMN closed jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(closed) = 'object'),"
        " ADD COLUMN base jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(base) = 'object')"
    )
    op.execute("UPDATE contract.usage_progress SET closed = read, base = read")
