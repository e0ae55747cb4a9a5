# SPDX-License-Identifier: Apache-2.0
"""Terms of contracts: for how long they are signed, and until when they can be ended.

Lock: contracts, briefly, for three columns that rewrite nothing. A replica of the previous version ends contracts
whatever their term.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    execute_with_lock_retries(
        "ALTER TABLE contract.contracts ADD COLUMN IF NOT EXISTS term_months integer,"
        " ADD COLUMN IF NOT EXISTS term_renews boolean, ADD COLUMN IF NOT EXISTS term_notice_days integer"
    )
