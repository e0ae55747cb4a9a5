# SPDX-License-Identifier: Apache-2.0
"""The headers of the Standard Webhooks scheme (https://www.standardwebhooks.com)."""

from collections.abc import Iterable
from datetime import datetime

from standardwebhooks import Webhook

from services.alert.domain.endpoint import Secret


def signed_headers(webhook_id: str, body: str, secrets: Iterable[Secret], *, at: datetime) -> dict[str, str]:
    """Return webhook-id, webhook-timestamp and webhook-signature: one signature per secret, newest first.

    at: wall time of this attempt, UTC; receivers refuse requests older than a few minutes.
    """
    signatures = [Webhook(secret.text).sign(webhook_id, at, body) for secret in secrets]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
