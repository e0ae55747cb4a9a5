# SPDX-License-Identifier: Apache-2.0
"""A recording Ledger: a real gRPC server that records the calls of other services to LedgerPeerService."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc.aio

from access.control import OpenAccess
from meshkit.errors import MeshError
from meshkit.rpc.server import Listener, RpcService, start_server
from purser.ledger.v1 import ledger_peer_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2_grpc

SERVICE = pb.DESCRIPTOR.services_by_name["LedgerPeerService"]
WAIT_SECONDS_MAX = 60

R = TypeVar("R")


class RecordingLedger:
    """`told`: every accepted request in order of arrival, but for questions about usage. While `fault` is set, all
    requests are refused with it.

    answers: the response by rpc name; an empty response where none is set.
    """

    def __init__(self) -> None:
        self.address = ""
        self.told: list[Any] = []
        self.refused: list[Any] = []
        self.fault: MeshError | None = None
        self.answers: dict[str, Callable[[Any], Any]] = {}
        self._changed = asyncio.Condition()

    def told_of(self, kind: type[R]) -> list[R]:
        """Return the accepted requests of one kind, such as pb.WatchThresholdRequest."""
        return [request for request in self.told if isinstance(request, kind)]

    async def until_told(self, kind: type[R], count: int = 1) -> list[R]:
        """Wait until `count` requests of a kind were accepted, and return them. Raises TimeoutError."""
        async with asyncio.timeout(WAIT_SECONDS_MAX), self._changed:
            await self._changed.wait_for(lambda: len(self.told_of(kind)) >= count)
        return self.told_of(kind)

    async def take(self, rpc: str, request: Any) -> Any:
        if rpc != "GetContractUsage":  # asked by the clock, at any time
            async with self._changed:
                (self.refused if self.fault else self.told).append(request)
                self._changed.notify_all()
        if self.fault is not None:
            raise self.fault
        response = getattr(pb, f"{rpc}Response")
        return self.answers[rpc](request) if rpc in self.answers else response()


@asynccontextmanager
async def recording_ledger(address: str = "127.0.0.1:0") -> AsyncIterator[RecordingLedger]:
    """Listen until the block ends, at `address` of the ledger it gives."""
    ledger = RecordingLedger()

    def register(server: grpc.aio.Server) -> None:
        ledger_peer_pb2_grpc.add_LedgerPeerServiceServicer_to_server(_servicer(ledger), server)

    server = await start_server(
        name="ledger",
        listeners=[Listener(address)],
        access=OpenAccess(),
        services=[RpcService(SERVICE.full_name, register)],
    )
    ledger.address = f"127.0.0.1:{server.ports[0]}"
    try:
        yield ledger
    finally:
        await server.stop(0)


def _servicer(ledger: RecordingLedger) -> Any:
    def listen(rpc: str) -> Any:
        async def take(self: Any, request: Any, context: Any) -> Any:
            return await ledger.take(rpc, request)

        return take

    methods = {method.name: listen(method.name) for method in SERVICE.methods}
    return type("Servicer", (ledger_peer_pb2_grpc.LedgerPeerServiceServicer,), methods)()
