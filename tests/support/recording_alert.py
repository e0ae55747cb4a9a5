# SPDX-License-Identifier: Apache-2.0
"""A recording Alert: a real gRPC server that records the crossings and events it receives, and can stop and restart."""

import asyncio
from functools import partial
from typing import Any, Self

import grpc.aio

from access.control import OpenAccess
from meshkit.errors import MeshError
from meshkit.rpc.server import Listener, RpcService, RunningServer, start_server
from purser.alert.v1 import alert_peer_pb2 as pb
from purser.alert.v1 import alert_peer_pb2_grpc
from services.alert.domain.event import payload_of
from services.alert.wire.events import publish_from_wire
from tests.support.payloads import problems_with

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["AlertPeerService"].full_name
HEARD_SECONDS_MAX = 60


class RecordingAlert:
    """`heard`: the accepted crossings in order of arrival. While `fault` is set, all crossings are refused with it.

    `events`: the accepted events. At its end it asserts that their webhooks would be as documented.

    It restarts on the same port.
    """

    def __init__(self) -> None:
        self.heard: list[pb.ObserveCrossingRequest] = []
        self.refused: list[pb.ObserveCrossingRequest] = []
        self.events: list[pb.PublishEventRequest] = []
        self.fault: MeshError | None = None
        self._server: RunningServer | None = None
        self._port = 0
        self._changed = asyncio.Condition()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.come()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.go_away()
        if exception[0] is None:
            assert [problem for event in self.events for problem in _problems_with(event)] == []

    async def come(self) -> None:
        servicer = _Servicer(self)  # type: ignore[abstract]
        register = partial(alert_peer_pb2_grpc.add_AlertPeerServiceServicer_to_server, servicer)
        self._server = await start_server(
            name="alert",
            listeners=[Listener(self.address)],
            access=OpenAccess(),
            services=[RpcService(SERVICE_NAME, register)],
        )
        self._port = self._server.ports[0]

    async def go_away(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    async def until_heard(self, count: int) -> list[pb.ObserveCrossingRequest]:
        """Return the crossings as soon as `count` of them were accepted. Raises TimeoutError after 20 s."""
        async with asyncio.timeout(HEARD_SECONDS_MAX), self._changed:
            await self._changed.wait_for(lambda: len(self.heard) >= count)
        return self.heard

    async def until_published(self, count: int) -> list[pb.PublishEventRequest]:
        """Return the events as soon as there are `count` of them. Raises TimeoutError after 20 s."""
        async with asyncio.timeout(HEARD_SECONDS_MAX), self._changed:
            await self._changed.wait_for(lambda: len(self.events) >= count)
        return self.events

    async def publish(self, event: pb.PublishEventRequest) -> None:
        async with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    async def take(self, crossing: pb.ObserveCrossingRequest) -> None:
        async with self._changed:
            (self.refused if self.fault else self.heard).append(crossing)
            self._changed.notify_all()
        if self.fault is not None:
            raise self.fault


def _problems_with(event: pb.PublishEventRequest) -> list[str]:
    return problems_with(payload_of(publish_from_wire(event).event, customer_sequence=1))


class _Servicer(alert_peer_pb2_grpc.AlertPeerServiceServicer):
    """Implements the rpcs that the Ledger and Contract call."""

    def __init__(self, alert: RecordingAlert) -> None:
        self._alert = alert

    async def ObserveCrossing(
        self, request: pb.ObserveCrossingRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.ObserveCrossingResponse:
        await self._alert.take(request)
        return pb.ObserveCrossingResponse()

    async def PublishEvent(
        self, request: pb.PublishEventRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.PublishEventResponse:
        await self._alert.publish(request)
        return pb.PublishEventResponse()
