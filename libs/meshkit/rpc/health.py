# SPDX-License-Identifier: Apache-2.0
"""What a server answers to grpc.health.v1, and the port for probes that know no TLS, such as those of Kubernetes."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse

from meshkit.errors import PortTaken

# Names that every port knows. A process whose database is away is alive: a restart would not bring the database back.
READINESS: Final = "readiness"
LIVENESS: Final = "liveness"


class _Servicer(health.aio.HealthServicer):  # type: ignore[misc]
    """gRPC's own, whose watches end when the server stops."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping = asyncio.Event()

    async def Watch(self, request: Any, context: Any) -> None:
        watching = asyncio.ensure_future(super().Watch(request, context))
        stopped = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait((watching, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            stopped.cancel()
            await asyncio.gather(watching, stopped, return_exceptions=True)


class ServerHealth:
    """Says SERVING or NOT_SERVING about LIVENESS, READINESS, "" and each service; about other names NOT_FOUND.

    LIVENESS is SERVING as long as anybody answers; the others, unless told otherwise, until the server drains.
    """

    def __init__(self) -> None:
        self.servicer = _Servicer()
        self._names: tuple[str, ...] = ("", READINESS)
        self._is_draining = False

    async def begin(self, services: Sequence[str]) -> None:
        """Report SERVING. services: their full names."""
        self._names = ("", READINESS, *services)
        await self.servicer.set(LIVENESS, HealthCheckResponse.SERVING)
        await self.set_serving(True)

    async def set_serving(self, is_serving: bool) -> None:
        """Report whether callers should be sent here; ignored once the server drains."""
        if not self._is_draining:
            await self._report(is_serving)

    async def drain(self) -> None:
        """Report from now on that callers should be sent elsewhere."""
        self._is_draining = True
        await self._report(False)

    def end_watches(self) -> None:
        """End the calls that watch health: a server that stops would wait for them."""
        self.servicer.stopping.set()

    async def _report(self, is_serving: bool) -> None:
        status = HealthCheckResponse.SERVING if is_serving else HealthCheckResponse.NOT_SERVING
        for name in self._names:
            await self.servicer.set(name, status)


async def open_health_port(
    name: str, address: str, answers: ServerHealth, *, reuse_port: bool = False
) -> grpc.aio.Server:
    """Serve health, and nothing else, in plaintext at host:port; returns the server. Raises PortTaken.

    name: what cannot listen, for PortTaken. reuse_port: several processes share the port.
    """
    server = grpc.aio.server(options=(("grpc.so_reuseport", int(reuse_port)),))
    health_pb2_grpc.add_HealthServicer_to_server(answers.servicer, server)
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise PortTaken(name=f"{name}'s health", address=address) from error
    await server.start()
    return server
