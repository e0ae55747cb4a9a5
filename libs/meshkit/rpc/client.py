# SPDX-License-Identifier: Apache-2.0
"""Channels to peers. Every call has a time limit, and ends no later than the incoming call that caused it."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
from grpc.aio import ClientCallDetails

from meshkit import tracing
from meshkit.rpc import deadline

CALL_SECONDS_MAX = 10.0
RESPONSE_BYTES_MAX = 64 * 1024 * 1024

# A server that stops answers CANCELLED to what arrives just then (services/README.md, "Connections and drain"). Other
# faults are retried by whoever owns the request_id: the caller, or the outbox.
SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.02s",
                "maxBackoff": "0.2s",
                "backoffMultiplier": 4,
                "retryableStatusCodes": ["CANCELLED"],
            },
        }
    ],
}

_OPTIONS = (
    # Keeps a NAT or a firewall from forgetting an idle connection, and detects one that was forgotten in 40 s.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # By default the third ping without a call is the last one in time.
    ("grpc.http2.max_pings_without_data", 0),
    # Reconnects to a restarted peer within seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Despite its name, this also limits one connection attempt. A busy machine needs more than 0.1 s.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 3_000),
    # A call that its connection did not take any more, because that ends, is sent on another one.
    ("grpc.enable_retries", 1),
    # The response to the largest batch.
    ("grpc.max_receive_message_length", RESPONSE_BYTES_MAX),
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
)


class _TimeLimitInterceptor(grpc.aio.UnaryUnaryClientInterceptor):
    """Sets each call's timeout. A timeout in the service config fails early: grpc/grpc#40633 and #34547."""

    async def intercept_unary_unary(
        self,
        continuation: Callable[[ClientCallDetails, Any], Any],
        client_call_details: ClientCallDetails,
        request: Any,
    ) -> Any:
        requested = client_call_details.timeout
        limit = CALL_SECONDS_MAX if requested is None else requested
        left = deadline.time_left()
        timeout = limit if left is None else min(limit, left)
        limited = ClientCallDetails(
            client_call_details.method,
            timeout,
            client_call_details.metadata,
            client_call_details.credentials,
            client_call_details.wait_for_ready,
        )
        return await continuation(limited, request)


def open_channel(
    address: str, credentials: grpc.ChannelCredentials | None = None, *, server_name: str | None = None
) -> grpc.aio.Channel:
    """Return a channel to all addresses behind a name, round robin, without retries. The caller closes it.

    credentials None: plaintext. server_name: the DNS name that the server's certificate must have, by default the host
    of the address. A call ends after its own timeout, by default 10 s, and no later than the incoming call that caused
    it.
    """
    interceptors = [_TimeLimitInterceptor(), *tracing.client_interceptors()]
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=_OPTIONS, interceptors=interceptors)
    options = _OPTIONS if server_name is None else (*_OPTIONS, ("grpc.ssl_target_name_override", server_name))
    return grpc.aio.secure_channel(address, credentials, options=options, interceptors=interceptors)


class RenewedChannel:
    """A channel that can be replaced, for instance when its certificate is renewed; stubs made from it stay valid.

    open_new: opens a channel with the newest credentials.
    """

    def __init__(self, open_new: Callable[[], grpc.aio.Channel]) -> None:
        self._open_new = open_new
        self._channel = open_new()
        self._calls: list[_RenewedCall] = []
        self._closing: set[asyncio.Task[None]] = set()

    def unary_unary(self, *arguments: Any, **more: Any) -> "_RenewedCall":
        """Return what grpc.aio.Channel.unary_unary does, for the channel that is open at each call."""
        call = _RenewedCall(lambda channel: channel.unary_unary(*arguments, **more), self._channel)
        self._calls.append(call)
        return call

    def renew(self) -> None:
        """Use a new channel from the next call on. Calls in flight end on the old one."""
        old, self._channel = self._channel, self._open_new()
        for call in self._calls:
            call.renew(self._channel)
        closing = asyncio.create_task(old.close(CALL_SECONDS_MAX))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close the channel, and former ones at once."""
        for closing in tuple(self._closing):
            closing.cancel()
        await self._channel.close()


class _RenewedCall:
    def __init__(self, make: Callable[[grpc.aio.Channel], Any], channel: grpc.aio.Channel) -> None:
        self._make = make
        self._call = make(channel)

    def renew(self, channel: grpc.aio.Channel) -> None:
        self._call = self._make(channel)

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        return self._call(*arguments, **more)
