# SPDX-License-Identifier: Apache-2.0
"""Endpoints that get mails, and who has got them.

Why: many want to be notified without running a receiver. Lock: ACCESS EXCLUSIVE on webhook_endpoints and deliveries for
an instant. Size: no row is touched, because a constant default is not written to them. The kind of an endpoint with
recipients is EMAIL, whatever its column says, because a replica of the previous version could not read another kind: it
takes it for a webhook without a URL, cannot post to it, and puts the delivery off, which this version then mails. Can
be run again.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    execute_with_lock_retries("""
        ALTER TABLE alert.webhook_endpoints
            ADD COLUMN IF NOT EXISTS recipients text[] NOT NULL DEFAULT '{}',
            DROP CONSTRAINT IF EXISTS webhook_endpoints_recipients_check,
            ADD CONSTRAINT webhook_endpoints_recipients_check
                CHECK (
                    (recipients = '{}') = (url <> '')
                    AND (recipients = '{}' OR kind = 'WEBHOOK' AND header_names = '{}')
                    AND cardinality(recipients) <= 20
                )
    """)
    execute_with_lock_retries("""
        ALTER TABLE alert.deliveries
            ADD COLUMN IF NOT EXISTS mail_accepted text[],
            ADD COLUMN IF NOT EXISTS mail_refused jsonb
    """)
