# SPDX-License-Identifier: Apache-2.0
"""Waits for what health says."""

import asyncio

from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from meshkit.rpc.client import open_channel

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SECONDS_MAX = 60


async def until_health(address: str, wanted: "health_pb2.HealthCheckResponse.ServingStatus") -> None:
    """Return when health says so, as its watchers are told. Raises TimeoutError after 10 s."""
    async with asyncio.timeout(SECONDS_MAX), open_channel(address) as channel:
        async for answer in HealthStub(channel).Watch(health_pb2.HealthCheckRequest()):
            if answer.status == wanted:
                return
