# SPDX-License-Identifier: Apache-2.0
"""Waits until a process serves."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
import grpc.aio
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.fault import Fault
from meshkit.rpc.client import open_channel

READY_SECONDS_MAX: Final = 60.0
POLL_SECONDS: Final = 0.02


async def until_serving(
    service: str, address: str, credentials: grpc.ChannelCredentials | None = None
) -> None:
    """Wait until the gRPC health check at `address` returns SERVING. Raises Fault after 60 s."""
    async with open_channel(address, credentials) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        await _until(lambda: _is_serving(health), service, address)


async def until_answering(front: str, address: str, path: str = "/healthz") -> None:
    """Wait until GET `path` at `address` is answered with 200. Raises Fault after 60 s."""
    async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as http:
        await _until(lambda: _is_answering(http, path), front, address)


async def _until(is_ready: Callable[[], Awaitable[bool]], name: str, address: str) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline:
        if await is_ready():
            return
        await asyncio.sleep(POLL_SECONDS)
    raise Fault(f"{name} does not serve at {address} after {READY_SECONDS_MAX:.0f} s")


async def _is_serving(health: Any) -> bool:
    try:
        answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def _is_answering(http: httpx.AsyncClient, path: str) -> bool:
    try:
        return (await http.get(path)).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
