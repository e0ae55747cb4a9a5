# SPDX-License-Identifier: Apache-2.0
"""The addresses of a host, and whether webhooks may be posted there. Checked at creation and at every attempt."""

import asyncio
from collections.abc import Sequence

import structlog

from services.alert.domain.errors import WebhookTargetRefused
from services.alert.domain.target import is_address, refusal_of, target_of
from services.alert.webhooks.resolver import Resolver

RESOLVE_SECONDS_MAX = 5.0

log = structlog.get_logger(__name__)


class CheckedTargets:
    """allow_private: post to any address, private ones included; for local development."""

    def __init__(
        self, resolver: Resolver, *, allow_private: bool, resolve_seconds_max: float = RESOLVE_SECONDS_MAX
    ) -> None:
        self._resolver = resolver
        self._allow_private = allow_private
        self._resolve_seconds_max = resolve_seconds_max

    async def refusal(self, url: str) -> WebhookTargetRefused | None:
        """Return why a well-formed URL is refused, or None. Does not resolve the host if every address is allowed."""
        if self._allow_private:
            return None
        target = target_of(url)
        return _logged(refusal_of(target.host, await self._resolve(target.host, target.port)))

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses that may be connected to, at least one. Raises WebhookTargetRefused."""
        addresses = await self._resolve(host, port)
        refusal = refusal_of(host, addresses)
        if refusal is not None and not (self._allow_private and addresses):
            _logged(refusal)
            raise refusal
        return addresses

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a host; none if it has none, or does not resolve in time."""
        if is_address(host):
            return (host,)
        try:
            async with asyncio.timeout(self._resolve_seconds_max):
                return await self._resolver.resolve(host, port)
        except TimeoutError:
            return ()


def _logged(refusal: WebhookTargetRefused | None) -> WebhookTargetRefused | None:
    """Tell the operator the address, which the caller is not told."""
    if refusal is not None:
        log.warning(
            "webhook_target_refused",
            host=refusal.metadata["host"],
            address=refusal.address,
            problem=refusal.problem,
        )
    return refusal
