# SPDX-License-Identifier: Apache-2.0
"""Names of alerts are unique among those that are not archived.

Why: whoever manages alerts by name must find one. Lock: ACCESS EXCLUSIVE on alerts for an instant; the indexes are
built while the table is used. Size: no row is touched, because a constant default is not written to them. Alerts that
have the same name today keep it: they are not in the unique index, and only a new name is compared with theirs. A
replica of the previous version creates such alerts, too. Can be run again.
"""

from meshkit.migrations import build_index, execute_with_lock_retries

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    execute_with_lock_retries("""
        ALTER TABLE alert.alerts ADD COLUMN IF NOT EXISTS has_unique_name boolean NOT NULL DEFAULT false
    """)
    build_index(
        "alerts_unique_name_idx",
        "alert.alerts (customer_id, name) WHERE archive_time IS NULL AND has_unique_name",
        schema="alert",
        is_unique=True,
    )
    build_index("alerts_name_idx", "alert.alerts (name, customer_id)", schema="alert")
