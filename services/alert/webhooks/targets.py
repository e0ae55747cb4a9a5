# SPDX-License-Identifier: Apache-2.0
"""Which addresses a host has, and whether we post there: asked when an endpoint is made and at every posting."""

import asyncio
from collections.abc import Sequence

from services.alert.domain.errors import WebhookTargetRefused
from services.alert.domain.target import refusal_of, target_of
from services.alert.webhooks.resolver import Resolver

RESOLVE_SECONDS_MAX = 5.0


class CheckedTargets:
    """allow_private: post to any address, private ones too; for one's own machine."""

    def __init__(
        self, resolver: Resolver, *, allow_private: bool, resolve_seconds_max: float = RESOLVE_SECONDS_MAX
    ) -> None:
        self._resolver = resolver
        self._allow_private = allow_private
        self._resolve_seconds_max = resolve_seconds_max

    async def refusal(self, url: str) -> WebhookTargetRefused | None:
        """Return why nothing is posted to a well-formed URL, or None; not asked where all is allowed."""
        if self._allow_private:
            return None
        target = target_of(url)
        return refusal_of(target.host, await self._resolve(target.host, target.port))

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses that may be connected to, at least one. Raises WebhookTargetRefused."""
        addresses = await self._resolve(host, port)
        refusal = refusal_of(host, addresses)
        if refusal is not None and not (self._allow_private and addresses):
            raise refusal
        return addresses

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        try:
            async with asyncio.timeout(self._resolve_seconds_max):
                return await self._resolver.resolve(host, port)
        except TimeoutError:
            return ()
