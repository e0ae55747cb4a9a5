# SPDX-License-Identifier: Apache-2.0
"""What a process without a database needs to call the services: channels that identify nobody by themselves."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import grpc.aio

from meshkit.config import FrontSettings
from meshkit.errors import Unavailable
from meshkit.rpc.client import open_channel


class AuthorityUnreadable(Unavailable):
    """The file with the certificates of the services' authority cannot be read."""

    reason = "AUTHORITY_UNREADABLE"

    def __init__(self, *, file: str, why: str) -> None:
        super().__init__(
            f"cannot read {file}, the certificates of the authority of all services: {why}", file=file
        )


@asynccontextmanager
async def open_channels(settings: FrontSettings) -> AsyncIterator[Mapping[str, grpc.aio.Channel]]:
    """Yield a channel to each service, by name, until the block ends.

    Its calls carry no token unless they are given one. Raises AuthorityUnreadable.
    """
    credentials = None
    if not settings.insecure:
        try:
            authority = await asyncio.to_thread(Path(settings.ca_file).read_bytes)
        except OSError as error:
            raise AuthorityUnreadable(file=settings.ca_file, why=str(error.strerror)) from error
        credentials = grpc.ssl_channel_credentials(authority)
    async with AsyncExitStack() as stack:
        yield {
            service: await stack.enter_async_context(open_channel(address, credentials))
            for service, address in settings.service_addresses.items()
        }


def calling_as(channel: grpc.aio.Channel, authorization: str, *, seconds_max: float) -> grpc.aio.Channel:
    """Return the channel for stubs whose calls carry `authorization`, such as "Bearer …"; empty: nothing.

    seconds_max: of a call that names no timeout; streams of responses have none.
    """
    return cast(grpc.aio.Channel, _CallersChannel(channel, authorization, seconds_max))


class _CallersChannel:
    """What stubs need of a channel. Call credentials would not do: gRPC sends them over TLS only."""

    def __init__(self, channel: grpc.aio.Channel, authorization: str, seconds_max: float) -> None:
        self._channel = channel
        self._metadata = (("authorization", authorization),) if authorization else ()
        self._seconds_max = seconds_max

    def unary_unary(self, *arguments: Any, **more: Any) -> Callable[..., Any]:
        return self._calling(self._channel.unary_unary(*arguments, **more), self._seconds_max)

    def stream_unary(self, *arguments: Any, **more: Any) -> Callable[..., Any]:
        return self._calling(self._channel.stream_unary(*arguments, **more), self._seconds_max)

    def unary_stream(self, *arguments: Any, **more: Any) -> Callable[..., Any]:
        return self._calling(self._channel.unary_stream(*arguments, **more), None)

    def stream_stream(self, *arguments: Any, **more: Any) -> Callable[..., Any]:
        return self._calling(self._channel.stream_stream(*arguments, **more), None)

    def _calling(self, call: Callable[..., Any], seconds: float | None) -> Callable[..., Any]:
        def calling(request: Any, *, timeout: float | None = seconds) -> Any:
            return call(request, timeout=timeout, metadata=self._metadata)

        return calling
