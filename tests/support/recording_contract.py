# SPDX-License-Identifier: Apache-2.0
"""A recording Contract: a real gRPC server that records what the Ledger reports of pools, and can stop and restart."""

import asyncio
from functools import partial
from typing import Any, Self

import grpc.aio

from access.control import OpenAccess
from meshkit.rpc.server import Listener, RpcService, RunningServer, start_server
from purser.contract.v1 import contract_peer_pb2 as pb
from purser.contract.v1 import contract_peer_pb2_grpc

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["ContractPeerService"].full_name
HEARD_SECONDS_MAX = 60


class RecordingContract:
    """`heard`: the reports in order of arrival. It restarts on the same port."""

    def __init__(self) -> None:
        self.heard: list[pb.ReportTopUpLevelRequest] = []
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

    async def come(self) -> None:
        servicer = _Servicer(self)
        register = partial(contract_peer_pb2_grpc.add_ContractPeerServiceServicer_to_server, servicer)
        self._server = await start_server(
            name="contract",
            listeners=[Listener(self.address)],
            access=OpenAccess(),
            services=[RpcService(SERVICE_NAME, register)],
        )
        self._port = self._server.ports[0]

    async def go_away(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    async def until_heard(self, count: int) -> list[pb.ReportTopUpLevelRequest]:
        """Return the reports as soon as there are `count` of them. Raises TimeoutError after 20 s."""
        async with asyncio.timeout(HEARD_SECONDS_MAX), self._changed:
            await self._changed.wait_for(lambda: len(self.heard) >= count)
        return self.heard

    async def take(self, report: pb.ReportTopUpLevelRequest) -> None:
        async with self._changed:
            self.heard.append(report)
            self._changed.notify_all()


class _Servicer(contract_peer_pb2_grpc.ContractPeerServiceServicer):
    def __init__(self, contract: RecordingContract) -> None:
        self._contract = contract

    async def ReportTopUpLevel(
        self, request: pb.ReportTopUpLevelRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.ReportTopUpLevelResponse:
        await self._contract.take(request)
        return pb.ReportTopUpLevelResponse()
