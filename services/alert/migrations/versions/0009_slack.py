# SPDX-License-Identifier: Apache-2.0
"""Endpoints that get messages for people, in the format of Slack.

Why: Slack and its kind refuse our bodies. Lock: ACCESS EXCLUSIVE on webhook_endpoints for an instant. Size: no row is
touched, because a constant default is not written to them. A replica of the previous version posts the body itself to
such an endpoint, which refuses it; the delivery is retried. Can be run again.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    execute_with_lock_retries("""
        ALTER TABLE alert.webhook_endpoints
            ADD COLUMN IF NOT EXISTS kind text NOT NULL DEFAULT 'WEBHOOK',
            DROP CONSTRAINT IF EXISTS webhook_endpoints_kind_check,
            ADD CONSTRAINT webhook_endpoints_kind_check CHECK (kind IN ('WEBHOOK', 'SLACK'))
    """)
