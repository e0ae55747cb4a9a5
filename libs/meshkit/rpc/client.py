# SPDX-License-Identifier: Apache-2.0
"""Channels to peers. Every call has a time limit, and ends no later than the incoming call that caused it."""

import json
from collections.abc import Callable
from typing import Any

import grpc.aio
from grpc.aio import ClientCallDetails

from meshkit.rpc import deadline

CALL_SECONDS_MAX = 10.0

_OPTIONS = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Reconnects to a restarted peer within seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Despite its name, this also limits one connection attempt. A busy machine needs more than 0.1 s.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 3_000),
    # Whoever owns the request_id retries: the caller, or the outbox.
    ("grpc.enable_retries", 0),
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
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


def open_channel(address: str) -> grpc.aio.Channel:
    """Return a channel to all addresses behind a name, round robin, without retries. The caller closes it.

    A call ends after its own timeout, by default 10 s, and no later than the incoming call that caused it.
    """
    return grpc.aio.insecure_channel(address, options=_OPTIONS, interceptors=[_TimeLimitInterceptor()])
