# SPDX-License-Identifier: Apache-2.0
"""Waits for what health says."""

import asyncio

from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from meshkit.rpc.client import open_channel

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SECONDS_MAX = 60


async def until_health(
    address: str, wanted: "health_pb2.HealthCheckResponse.ServingStatus", name: str = ""
) -> None:
    """Return when health says so about `name`, as its watchers are told. Raises TimeoutError after a minute."""
    async with asyncio.timeout(SECONDS_MAX), open_channel(address) as channel:
        async for answer in HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=name)):
            if answer.status == wanted:
                return


async def health_of(address: str, name: str) -> "health_pb2.HealthCheckResponse.ServingStatus":
    """Return what health says about `name` now."""
    async with open_channel(address) as channel:
        answer = await HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
    status: health_pb2.HealthCheckResponse.ServingStatus = answer.status
    return status
