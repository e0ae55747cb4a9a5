# SPDX-License-Identifier: Apache-2.0
"""A gRPC server in front of a Ledger that forwards every call, and fails on purpose when a test says so."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import ModuleType
from typing import Any, TypeAlias

import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor

from access.control import OpenAccess
from meshkit.errors import Aborted, MeshError, ResourceExhausted, Unavailable
from meshkit.rpc.server import Listener, RpcService, RunningServer, start_server
from purser.ledger.v1 import ledger_pb2, ledger_pb2_grpc, ledger_peer_pb2, ledger_peer_pb2_grpc
from tests.support.ledger import GateStub, PeerStub

WAIT_SECONDS_MAX = 60

# Forwards the call to the Ledger, and returns its response.
LedgerStub: TypeAlias = "GateStub | PeerStub"
HandOn: TypeAlias = Callable[[], Awaitable[Any]]
Mishap: TypeAlias = Callable[[HandOn], Awaitable[Any]]


class Away(Unavailable):
    reason = "AWAY"


class Raced(Aborted):
    reason = "RACED"


class Busy(ResourceExhausted):
    reason = "QUEUE_FULL"

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("too many ask at once")
        self.retry_after = retry_after


def refused(fault: MeshError) -> Mishap:
    """The call is refused and not executed."""

    async def refuse(hand_on: HandOn) -> Any:
        raise fault

    return refuse


def unheard(fault: MeshError) -> Mishap:
    """The call is executed, and then refused."""

    async def fail(hand_on: HandOn) -> Any:
        await hand_on()
        raise fault

    return fail


def hangs_after(carried_out: asyncio.Event) -> Mishap:
    """The call is executed, and never answered."""

    async def hang(hand_on: HandOn) -> Any:
        await hand_on()
        carried_out.set()
        await asyncio.Event().wait()

    return hang


def held_up(carried_out: asyncio.Event, go_on: asyncio.Event) -> Mishap:
    """The call is executed, and answered when the test says so."""

    async def hold_up(hand_on: HandOn) -> Any:
        answer = await hand_on()
        carried_out.set()
        await go_on.wait()
        return answer

    return hold_up


@dataclass(slots=True)
class FailingFront:
    """`asked`: every (rpc, request) in order of arrival. `mishaps`: how the next calls fail, by rpc.

    is_away: whether all calls are refused.
    """

    ledger: LedgerStub
    address: str = ""
    asked: list[tuple[str, Any]] = field(default_factory=list)
    mishaps: dict[str, deque[Mishap]] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    server: RunningServer | None = None
    is_away: bool = False

    def will(self, rpc: str, *mishaps: Mishap) -> None:
        """Let the next calls of this rpc fail, one mishap for each."""
        self.mishaps.setdefault(rpc, deque()).extend(mishaps)

    def asked_of(self, rpc: str) -> list[Any]:
        return [request for name, request in self.asked if name == rpc]

    async def until_asked(self, rpc: str, count: int = 1) -> None:
        """Return when `count` requests of an rpc have arrived. Raises TimeoutError after 10 s."""
        async with asyncio.timeout(WAIT_SECONDS_MAX), self.changed:
            await self.changed.wait_for(lambda: len(self.asked_of(rpc)) >= count)

    async def stop(self) -> None:
        """Stop at once; calls in progress are cut off."""
        if self.server is not None:
            server, self.server = self.server, None
            await server.stop(0)

    async def take(self, rpc: str, request: Any) -> Any:
        async with self.changed:
            self.asked.append((rpc, request))
            self.changed.notify_all()

        async def hand_on() -> Any:
            return await getattr(self.ledger, rpc)(request)

        if self.is_away:
            raise Away("the Ledger is away")
        waiting = self.mishaps.get(rpc)
        return await (waiting.popleft()(hand_on) if waiting else hand_on())


def failing_front(ledger: GateStub) -> AbstractAsyncContextManager[FailingFront]:
    """Listen for the gate's calls on a free port until the block ends."""
    return _front(ledger, ledger_pb2.DESCRIPTOR.services_by_name["LedgerService"], ledger_pb2_grpc)


def failing_peer_front(ledger: PeerStub) -> AbstractAsyncContextManager[FailingFront]:
    """Listen for what other services send to the Ledger, on a free port until the block ends."""
    service = ledger_peer_pb2.DESCRIPTOR.services_by_name["LedgerPeerService"]
    return _front(ledger, service, ledger_peer_pb2_grpc)


@asynccontextmanager
async def _front(
    ledger: LedgerStub, service: ServiceDescriptor, generated: ModuleType
) -> AsyncIterator[FailingFront]:
    front = FailingFront(ledger)

    def register(server: grpc.aio.Server) -> None:
        getattr(generated, f"add_{service.name}Servicer_to_server")(_servicer(front, service), server)

    front.server = await start_server(
        name="ledger",
        listeners=[Listener("127.0.0.1:0")],
        access=OpenAccess(),
        services=[RpcService(service.full_name, register)],
    )
    front.address = f"127.0.0.1:{front.server.ports[0]}"
    try:
        yield front
    finally:
        await front.stop()


def _servicer(front: FailingFront, service: ServiceDescriptor) -> Any:
    def hand_on(rpc: str) -> Any:
        async def take(self: Any, request: Any, context: Any) -> Any:
            return await front.take(rpc, request)

        return take

    return type("Servicer", (), {method.name: hand_on(method.name) for method in service.methods})()
