# SPDX-License-Identifier: Apache-2.0
"""Endpoints that get webhooks in Metronome's form.

Why: a vendor that comes from Metronome keeps its receiver. Lock: ACCESS EXCLUSIVE on webhook_endpoints for an instant;
it has few rows to check. The previous version cannot read an endpoint of this kind: create such endpoints when all
replicas are new. Can be run again.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    execute_with_lock_retries("""
        ALTER TABLE alert.webhook_endpoints
            DROP CONSTRAINT IF EXISTS webhook_endpoints_kind_check,
            ADD CONSTRAINT webhook_endpoints_kind_check CHECK (kind IN ('WEBHOOK', 'SLACK', 'METRONOME'))
    """)
