# SPDX-License-Identifier: Apache-2.0
"""Why a customer is suspended, and archived customers.

Lock: customers, briefly, for two columns that rewrite nothing. A replica of the previous version suspends without a
reason, and lists archived customers.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    execute_with_lock_retries(
        "ALTER TABLE contract.customers ADD COLUMN IF NOT EXISTS suspensions jsonb NOT NULL DEFAULT '[]',"
        " ADD COLUMN IF NOT EXISTS archive_time timestamptz"
    )
