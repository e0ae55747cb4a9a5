# SPDX-License-Identifier: Apache-2.0
"""The relay as operations see it, without gRPC. Implemented by meshkit.outbox."""

from typing import Protocol


class Relay(Protocol):
    async def deliver_now(self, key: str) -> None:
        """Try now to deliver what is enqueued under `key`. Raises nothing if the peer is down."""
        ...
