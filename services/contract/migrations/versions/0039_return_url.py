# SPDX-License-Identifier: Apache-2.0
"""Where a payer comes back to after confirming a payment of invoices.

It is part of the attempt, which is repeated until its outcome is known.

Lock: ACCESS EXCLUSIVE on invoice_charges for an instant: a constant default rewrites no rows. A replica of the
previous version that repeats an attempt with a payer leaves the column out; the provider refuses that, because the
idempotency key is of another request, and a replica of this version repeats it.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    execute_with_lock_retries(
        "ALTER TABLE contract.invoice_charges ADD COLUMN IF NOT EXISTS return_url text NOT NULL DEFAULT ''"
    )
