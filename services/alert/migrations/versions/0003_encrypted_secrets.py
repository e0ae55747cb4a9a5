# SPDX-License-Identifier: Apache-2.0
"""Room for encrypted webhook secrets: the ciphertext, and the id of the key that it was encrypted with.

Why: whoever read the table, or a backup, could sign webhooks. Migrations have no key, so the service encrypts the rows
that are there (reencryption.py). A new column, because a replica of the previous version would sign with whatever it
finds in the old one; with NULL it fails, and the delivery is retried. Lock: ACCESS EXCLUSIVE on webhook_secrets for an
instant. Size: the check reads the table, which has one row per endpoint and rotation. Can be run again.
"""

from meshkit.migrations import execute_with_lock_retries

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    execute_with_lock_retries("""
        ALTER TABLE alert.webhook_secrets
            ALTER COLUMN secret DROP NOT NULL,
            ADD COLUMN IF NOT EXISTS key_id text,
            ADD COLUMN IF NOT EXISTS ciphertext bytea,
            DROP CONSTRAINT IF EXISTS webhook_secrets_form_check,
            ADD CONSTRAINT webhook_secrets_form_check
                CHECK ((secret IS NULL) = (ciphertext IS NOT NULL) AND (key_id IS NULL) = (ciphertext IS NULL))
    """)
