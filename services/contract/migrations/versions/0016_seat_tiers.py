# SPDX-License-Identifier: Apache-2.0
"""Prices of seats by tiers, of billed periods.

A replica of the previous version cannot read the prices of a subscription with tiers, so none may be signed before all
replicas have been upgraded. All others are stored as before.
Lock: ACCESS EXCLUSIVE on billed_periods, for an instant: the column is added without a default.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    execute_with_lock_retries(
        "ALTER TABLE contract.billed_periods ADD COLUMN IF NOT EXISTS tiered_rate jsonb"
    )
