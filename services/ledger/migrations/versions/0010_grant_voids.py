# SPDX-License-Identifier: Apache-2.0
"""When, why and by whom a grant was voided.

Why: VoidGrant. Credits that return to a voided grant are voided too, so it must be known which ones are. Lock: ACCESS
EXCLUSIVE on grants for an instant; no row is rewritten. Size: three empty columns a grant. The previous version does
not read them: what a hold returns to a voided grant while it serves, it writes as EXPIRY, or gives back to the grant if
a schedule issued it. Its sums remain right.
"""

from alembic import op

revision = "0010"
down_revision = "0008"


def upgrade() -> None:
    # NOT VALID saves the scan: in every row that there is, all three are empty.
    op.execute(
        """
        ALTER TABLE ledger.grants
            ADD COLUMN void_time timestamptz,
            ADD COLUMN void_reason text,
            ADD COLUMN void_actor text,
            ADD CONSTRAINT grants_void_check CHECK (num_nulls(void_time, void_reason, void_actor) IN (0, 3)) NOT VALID
        """
    )
