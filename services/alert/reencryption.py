# SPDX-License-Identifier: Apache-2.0
"""Encrypts webhook secrets that are stored in plaintext or under another key than the newest.

It serves the upgrade from a version that stored plaintext, replicas of it that still run, and the rotation of keys.
"""

from typing import Final

import structlog

from services.alert.store import PostgresStore

REENCRYPT_SECONDS: Final = 60.0

log = structlog.get_logger(__name__)


async def encrypt_secrets(store: PostgresStore) -> None:
    """Bring all secrets under the newest key. Those that no key decrypts stay as they are, and are logged."""
    result = await store.encrypt_secrets()
    if result.encrypted:
        log.info("webhook_secrets_encrypted", rows=result.encrypted, key_id=store.newest_key_id)
    if result.unreadable:
        log.error(
            "webhook_secrets_unreadable",
            rows=len(result.unreadable),
            key_ids=sorted(set(result.unreadable.values())),
        )
