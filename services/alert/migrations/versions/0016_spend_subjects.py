# SPDX-License-Identifier: Apache-2.0
"""SPEND alerts by week and month, of a product, and of the whole customer.

Lock: ACCESS EXCLUSIVE on alerts for an instant each; the new checks are validated while the table is used. Size: no row
is touched, because a constant default is not written to them. The previous version cannot read an alert by week or
month, and would tell the Ledger of a change of one on a product as one on the customer: create such alerts when all
replicas are new. Can be run again.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0016"
down_revision = "0015"

CHECKS = {
    "alerts_spend_window_check": """
        spend_window = 'BILLING_PERIOD' OR (spend_window IN ('DAY', 'WEEK', 'MONTH') AND alert_type = 'SPEND')
    """,
    "alerts_watched_check": """
        CASE alert_type WHEN 'SPEND' THEN group_key <> '' OR group_value = ''
            WHEN 'LOW_SEAT_BALANCE' THEN group_key <> ''
            WHEN 'INVOICE_TOTAL' THEN group_key = 'invoice_id' AND group_value = ''
            ELSE group_key = '' AND group_value = '' END
        AND (threshold_micros > 0 OR alert_type IN ('LOW_BALANCE', 'LOW_SEAT_BALANCE'))
    """,
    "alerts_product_check": "product_id = '' OR (alert_type = 'SPEND' AND group_key = '')",
}


def upgrade() -> None:
    execute_with_lock_retries(
        "ALTER TABLE alert.alerts ADD COLUMN IF NOT EXISTS product_id text NOT NULL DEFAULT ''"
    )
    for name, check in CHECKS.items():
        execute_with_lock_retries(f"ALTER TABLE alert.alerts DROP CONSTRAINT IF EXISTS {name}")
        execute_with_lock_retries(f"ALTER TABLE alert.alerts ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
        execute_with_lock_retries(f"ALTER TABLE alert.alerts VALIDATE CONSTRAINT {name}")
