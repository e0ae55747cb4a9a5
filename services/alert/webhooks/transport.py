# SPDX-License-Identifier: Apache-2.0
"""An httpx transport that connects to exactly the address that was checked.

If the name were resolved again for the connection, a name server could return a public address to the check and a
private one to the connection ("DNS rebinding"). Host header, TLS name and certificate check still use the URL's host.
"""

from typing import Final

import httpx

from services.alert.webhooks.targets import CheckedTargets

ADDRESSES_MAX = 4
_PORTS: Final = {"http": 80, "https": 443}


class PinnedTransport(httpx.AsyncBaseTransport):
    """Raises WebhookTargetRefused, and what httpx raises.

    inner: must not keep connections alive. It would reuse them by address, and two hosts may share an address.
    """

    def __init__(self, targets: CheckedTargets, inner: httpx.AsyncBaseTransport) -> None:
        self._targets = targets
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii")
        port = request.url.port or _PORTS[request.url.scheme]
        *others, last = (await self._targets.addresses(host, port))[:ADDRESSES_MAX]
        for address in others:
            try:
                return await self._inner.handle_async_request(_pinned(request, host, address))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue  # nothing was sent; the host has another address
        return await self._inner.handle_async_request(_pinned(request, host, last))

    async def aclose(self) -> None:
        await self._inner.aclose()


def _pinned(request: httpx.Request, host: str, address: str) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
