# SPDX-License-Identifier: Apache-2.0
"""The levels at which pools are topped up: watches whose crossings go to Contract.

Lock: ACCESS EXCLUSIVE on watches and outbox for an instant each; the new checks are validated while the tables are
used. The previous version cannot read such a watch: set up automatic top-ups when all replicas are new. Can be run
again.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0038"
down_revision = "0037"

CHECKS = {
    "watches": {
        "watches_kind_check": "kind IN ('LOW_BALANCE', 'SPEND', 'TOP_UP_LEVEL')",
        "watches_level_check": "kind <> 'TOP_UP_LEVEL' OR customer_id IS NOT NULL",
    },
    "outbox": {"outbox_kind_check": "kind IN ('CROSSING', 'LEVEL_CROSSING')"},
}


def upgrade() -> None:
    for table, checks in CHECKS.items():
        alter = f"ALTER TABLE ledger.{table}"
        for name, check in checks.items():
            execute_with_lock_retries(f"{alter} DROP CONSTRAINT IF EXISTS {name}")
            execute_with_lock_retries(f"{alter} ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
            execute_with_lock_retries(f"{alter} VALIDATE CONSTRAINT {name}")
