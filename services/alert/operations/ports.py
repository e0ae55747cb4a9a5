# SPDX-License-Identifier: Apache-2.0
"""The relay and the posting of webhooks as operations see them. Implemented by meshkit.outbox and webhooks/."""

from typing import Protocol

from services.alert.domain.errors import WebhookTargetRefused


class Relay(Protocol):
    async def deliver_now(self, key: str) -> None:
        """Try now to deliver what is enqueued under `key`. Raises nothing if the peer is down."""
        ...


class Courier(Protocol):
    def wake(self) -> None:
        """Start to post what is due, without waiting for it. Call it after the commit."""
        ...


class Targets(Protocol):
    async def refusal(self, url: str) -> WebhookTargetRefused | None:
        """Return why a URL is refused, or None. Asks a name server, so never call it inside a transaction."""
        ...
