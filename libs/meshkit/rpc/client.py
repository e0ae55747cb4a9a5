# SPDX-License-Identifier: Apache-2.0
"""One way to call a peer: every call has a time limit, and none outlives the call it is made for."""

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
    # A peer that restarts is found again within seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Named for what it also is: how long one attempt at a connection may take. A busy machine needs more than 0.1 s.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 3_000),
    # Retries belong to whoever holds the request_id: the caller, or the outbox.
    ("grpc.enable_retries", 0),
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
)


class _TimeLimit(grpc.aio.UnaryUnaryClientInterceptor):
    """Sets the timeout here, not by service config: grpc/grpc#40633 and #34547, that fails early."""

    async def intercept_unary_unary(
        self,
        continuation: Callable[[ClientCallDetails, Any], Any],
        client_call_details: ClientCallDetails,
        request: Any,
    ) -> Any:
        own = client_call_details.timeout
        limit = CALL_SECONDS_MAX if own is None else own
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

    A call ends after 10 s, or after the timeout it is given; in any case with the incoming call it is for.
    """
    return grpc.aio.insecure_channel(address, options=_OPTIONS, interceptors=[_TimeLimit()])
