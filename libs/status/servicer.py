# SPDX-License-Identifier: Apache-2.0
"""purser.status.v1.StatusService."""

from datetime import datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import grpc.aio

from meshkit.outbox import Relay
from meshkit.rpc.fields import optional_timestamp, timestamp
from meshkit.rpc.server import RpcService
from purser.status.v1 import status_pb2 as pb
from purser.status.v1 import status_pb2_grpc

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["StatusService"].full_name

Context = grpc.aio.ServicerContext[Any, Any]


def status_service(relay: Relay, *, start_time: datetime) -> RpcService:
    """Return StatusService over the outbox of a relay. start_time: since when this process serves."""
    servicer = StatusServicer(relay, start_time)
    return RpcService(SERVICE_NAME, partial(status_pb2_grpc.add_StatusServiceServicer_to_server, servicer))


class StatusServicer(status_pb2_grpc.StatusServiceServicer):
    """Reports the state of one service."""

    def __init__(self, relay: Relay, start_time: datetime) -> None:
        self._relay = relay
        self._start_time = start_time
        self._version = _version()

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:
        backlog = await self._relay.backlog()
        return pb.GetStatusResponse(
            version=self._version,
            start_time=timestamp(self._start_time),
            pending_notices=backlog.pending,
            oldest_pending_time=optional_timestamp(backlog.oldest_time),
            dead_letters=backlog.dead_letters,
        )


def _version() -> str:
    try:
        return version("purser")
    except PackageNotFoundError:
        return ""
