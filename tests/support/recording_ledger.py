# SPDX-License-Identifier: Apache-2.0
"""A real gRPC server in place of the Ledger: it records calls, and can stop and restart."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import grpc.aio

from access.control import OpenAccess
from meshkit.rpc.server import Listener, RpcService, RunningServer, start_server
from purser.ledger.v1 import ledger_peer_pb2 as pb
from purser.ledger.v1.ledger_peer_pb2_grpc import (
    LedgerPeerServiceServicer,
    add_LedgerPeerServiceServicer_to_server,
)

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["LedgerPeerService"].full_name
HEARD_SECONDS_MAX = 60


class RecordingLedger:
    """Records accepted requests in order of arrival. It restarts on the same port."""

    def __init__(self) -> None:
        self.products: list[pb.ApplyMetricsRequest] = []
        self.rate_cards: list[pb.ApplyRateCardRequest] = []
        self._server: RunningServer | None = None
        self._port = 0
        self._told = asyncio.Condition()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.come()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.go_away()

    async def come(self) -> None:
        servicer = _Servicer(self)  # type: ignore[abstract]
        register = partial(add_LedgerPeerServiceServicer_to_server, servicer)
        self._server = await start_server(
            name="ledger",
            listeners=[Listener(self.address)],
            access=OpenAccess(),
            services=[RpcService(SERVICE_NAME, register)],
        )
        self._port = self._server.ports[0]

    async def go_away(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    async def has_heard(self, enough: Callable[[Self], bool]) -> None:
        """Return as soon as `enough` holds for the recorded requests. Raises TimeoutError after 20 s."""
        async with asyncio.timeout(HEARD_SECONDS_MAX), self._told:
            await self._told.wait_for(lambda: enough(self))

    async def hear(self) -> None:
        async with self._told:
            self._told.notify_all()


class _Servicer(LedgerPeerServiceServicer):
    """Implements the two rpcs that the Catalog calls; the others stay UNIMPLEMENTED."""

    def __init__(self, ledger: RecordingLedger) -> None:
        self._ledger = ledger

    async def ApplyMetrics(
        self, request: pb.ApplyMetricsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.ApplyMetricsResponse:
        self._ledger.products.append(request)
        await self._ledger.hear()
        return pb.ApplyMetricsResponse(version=request.version)

    async def ApplyRateCard(
        self, request: pb.ApplyRateCardRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.ApplyRateCardResponse:
        self._ledger.rate_cards.append(request)
        await self._ledger.hear()
        return pb.ApplyRateCardResponse(version=request.version)
