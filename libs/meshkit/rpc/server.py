# SPDX-License-Identifier: Apache-2.0
"""One way to serve gRPC: fault mapping, deadlines, counts, health and reflection are always on."""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse

from meshkit.errors import Unavailable
from meshkit.rpc.calls import Calls, Handler
from meshkit.rpc.reflection import add_reflection

CALLS_AT_ONCE_MAX = 4_096
STOP_GRACE_SECONDS = 10.0

_OPTIONS = (
    # Clients ping an idle connection every 30 s (client.py); the default would cut them off for it.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


class PortTaken(Unavailable):
    """Another process listens where this server was to."""

    reason = "PORT_TAKEN"

    def __init__(self, *, name: str, address: str) -> None:
        super().__init__(
            f"{name} cannot listen on {address}: the port is taken (or the address is not of this machine)",
            address=address,
        )


@dataclass(frozen=True, slots=True)
class RpcService:
    """A gRPC service to serve. name: in full, as in the proto; register: adds its methods to a server."""

    name: str
    register: Callable[[grpc.aio.Server], None]


class RunningServer:
    """A server that answers; `port` is the one it got when the address asked for port 0."""

    def __init__(self, server: grpc.aio.Server, *, port: int, checks: health.aio.HealthServicer) -> None:
        self._server = server
        self.port = port
        self.health = checks

    async def stop(self, grace_seconds: float = STOP_GRACE_SECONDS) -> None:
        """Report NOT_SERVING, take no new calls, and let those in hand finish for `grace_seconds`."""
        await self.health.enter_graceful_shutdown()
        await self._server.stop(grace_seconds)


async def start_server(
    *,
    name: str,
    address: str,
    services: Sequence[RpcService],
    reuse_port: bool = False,
    calls_max: int = CALLS_AT_ONCE_MAX,
) -> RunningServer:
    """Serve `services` on `address` ("127.0.0.1:7003"; port 0: any free one), with health and reflection.

    name: who promises the reasons of faults, such as "ledger". reuse_port: several processes share the port.
    calls_max: calls at once; more are refused with RESOURCE_EXHAUSTED. Raises PortTaken.
    """
    _probe(name, address, reuse_port=reuse_port)
    server = grpc.aio.server(
        options=(("grpc.so_reuseport", int(reuse_port)), *_OPTIONS),
        maximum_concurrent_rpcs=calls_max,
    )
    methods = _Methods(Calls(name))
    as_server = cast(grpc.aio.Server, methods)
    for service in services:
        service.register(as_server)
    names = [service.name for service in services]
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, as_server)
    add_reflection(as_server, (*names, health.SERVICE_NAME))
    server.add_generic_rpc_handlers((methods,))
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise PortTaken(name=name, address=address) from error
    await server.start()
    for service_name in ("", *names):
        await checks.set(service_name, HealthCheckResponse.SERVING)
    return RunningServer(server, port=port, checks=checks)


class _Methods(grpc.GenericRpcHandler):
    """All methods of a server by their full names, found at a call by one look.

    It takes the server's place where services are registered. grpc.aio 1.85 asks one generic handler of a service after
    the other, and waits anew for every registered method at every call (asyncio.wait over one future a method): with
    32 methods that took 140 µs of the server's CPU a call against 124.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._handlers: dict[str, Handler] = {}

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        for name, handler in method_handlers.items():
            method = f"/{service_name}/{name}"
            self._handlers[method] = self._calls.through(method, handler)

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Nothing: the generated code adds the same methods by name."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        return self._handlers.get(handler_call_details.method)


def _probe(name: str, address: str, *, reuse_port: bool) -> None:
    """Raise PortTaken when the port is taken: gRPC itself would write lines of its own to stderr."""
    host, _, port = address.rpartition(":")
    bare_host = host.strip("[]")
    if not bare_host or not port.isdigit():
        return
    family = socket.AF_INET6 if ":" in bare_host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(reuse_port))
        try:
            probe.bind((bare_host, int(port)))
        except (OSError, OverflowError) as error:
            raise PortTaken(name=name, address=address) from error
