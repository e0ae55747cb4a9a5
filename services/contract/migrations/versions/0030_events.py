# SPDX-License-Identifier: Apache-2.0
"""Notices for Alert: events for the vendor.

Lock: ACCESS EXCLUSIVE on outbox for an instant; the new check is validated while the table is used. A replica of the
previous version writes no such notice, and leaves those of others to a replica that knows them. Can be run again.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0030"
down_revision = "0029"

ALTER = "ALTER TABLE contract.outbox"
KINDS = (
    "'CUSTOMER_CHANGED', 'CONTRACT_CHANGED', 'SEATS_CHANGED', 'TOP_UP_PAID', 'PLAN_CHANGED', 'TOP_UP_REFUNDED',"
    " 'VENDOR_EVENT'"
)


def upgrade() -> None:
    execute_with_lock_retries(f"{ALTER} DROP CONSTRAINT IF EXISTS outbox_kind_check")
    execute_with_lock_retries(f"{ALTER} ADD CONSTRAINT outbox_kind_check CHECK (kind IN ({KINDS})) NOT VALID")
    execute_with_lock_retries(f"{ALTER} VALIDATE CONSTRAINT outbox_kind_check")
