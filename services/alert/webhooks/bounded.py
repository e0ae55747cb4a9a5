# SPDX-License-Identifier: Apache-2.0
"""An HTTP transport that reads no more than the head of a response needs.

A receiver may send interim responses (100 Continue, 103 Early Hints) without end, each of which costs CPU, and neither
httpx nor httpcore limits them. So the bytes that are read from one connection are limited.
"""

import ssl
from collections.abc import Iterable
from typing import Any, Final

import httpcore
import httpx

HEAD_BYTES_MAX: Final = 64 * 1024


class HeadTooLong(Exception):
    """The receiver sent HEAD_BYTES_MAX bytes without a complete head of a final response."""


class BoundedTransport(httpx.AsyncHTTPTransport):
    """One connection per request. Raises HeadTooLong, and what httpx raises.

    tls: None: trust the certificates of certifi.
    """

    def __init__(self, *, connections_max: int, tls: ssl.SSLContext | None) -> None:
        super().__init__()
        # httpx has no parameter for the network backend of its pool.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False) if tls is None else tls,
            max_connections=connections_max,
            max_keepalive_connections=0,
            network_backend=_Backend(),
        )


class _Backend(httpcore.AsyncNetworkBackend):
    """Opens connections of which a limited number of bytes is read."""

    def __init__(self) -> None:
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's interface)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(
            await self._inner.connect_tcp(
                host, port, timeout=timeout, local_address=local_address, socket_options=socket_options
            )
        )


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._left = HEAD_BYTES_MAX

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        if not self._left:
            raise HeadTooLong
        data = await self._inner.read(min(max_bytes, self._left), timeout)
        self._left -= len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's interface)
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
