# SPDX-License-Identifier: Apache-2.0
"""Alerts on the totals of invoices.

Lock: ACCESS EXCLUSIVE on alerts for an instant each; the new checks are validated, and the index is built, while the
tables are used. Size: no row is touched, because a constant default is not written to them. The previous version cannot
read an alert of the new type: create such alerts when all replicas are new. Can be run again.
"""

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0014"
down_revision = "0013"

CHECKS = {
    "alerts_credit_type_id_check": """
        (alert_type = 'INVOICE_TOTAL') = (credit_type_id = '')
        AND (alert_type = 'INVOICE_TOTAL') = (currency_code <> '')
        AND (alert_type = 'INVOICE_TOTAL') = (invoice_position IS NOT NULL)
    """,
    "alerts_alert_type_check": """
        alert_type IN ('LOW_BALANCE', 'SPEND', 'LOW_PERCENTAGE', 'SHORTFALL', 'OVERAGE', 'GRANT_EXPIRING',
            'LOW_SEAT_BALANCE', 'INVOICE_TOTAL')
    """,
    "alerts_watched_check": """
        CASE alert_type WHEN 'SPEND' THEN group_key <> '' WHEN 'LOW_SEAT_BALANCE' THEN group_key <> ''
            WHEN 'INVOICE_TOTAL' THEN group_key = 'invoice_id' AND group_value = ''
            ELSE group_key = '' AND group_value = '' END
        AND (threshold_micros > 0 OR alert_type IN ('LOW_BALANCE', 'LOW_SEAT_BALANCE'))
    """,
}


def upgrade() -> None:
    execute_with_lock_retries("""
        ALTER TABLE alert.alerts
            ADD COLUMN IF NOT EXISTS currency_code text NOT NULL DEFAULT '',
            ADD COLUMN IF NOT EXISTS invoice_position bigint CHECK (invoice_position >= 0)
    """)
    for name, check in CHECKS.items():
        execute_with_lock_retries(f"ALTER TABLE alert.alerts DROP CONSTRAINT IF EXISTS {name}")
        execute_with_lock_retries(f"ALTER TABLE alert.alerts ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
        execute_with_lock_retries(f"ALTER TABLE alert.alerts VALIDATE CONSTRAINT {name}")
    build_index(
        "events_invoices_idx",
        "alert.events (position) WHERE event_type IN ('invoice.finalized', 'invoice.paid', 'invoice.voided')",
        schema="alert",
    )
    build_index(
        "alerts_invoices_idx", "alert.alerts (alert_id) WHERE alert_type = 'INVOICE_TOTAL'", schema="alert"
    )
