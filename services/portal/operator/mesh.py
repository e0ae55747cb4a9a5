# SPDX-License-Identifier: Apache-2.0
"""Is the mesh well: the health of each service, and what waits in its outbox."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from purser.status.v1.status_pb2 import GetStatusRequest, GetStatusResponse
from services.portal.mesh import SERVICES, Mesh
from services.portal.operator.showing import show
from services.portal.rendering import portal_of
from services.portal.session import viewer_of

NAME = "Mesh"
# A service that does not answer must not keep the others from being shown.
PROBE_SECONDS_MAX = 2.0
# Whatever else goes wrong is what this page is there to show.
REFUSED = frozenset((StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED))


@dataclass(frozen=True, slots=True)
class ServiceState:
    """How a service is doing. health: in words. status: None if it did not say."""

    name: str
    health: str
    status: GetStatusResponse | None

    @property
    def is_well(self) -> bool:
        return self.health == "serving" and self.status is not None and not self.status.dead_letters


async def mesh(request: Request) -> Response:
    return show(request, "mesh.html", states=await _states(request), now=portal_of(request).wall.now())


async def services(request: Request) -> Response:
    """The table alone: the page asks for it again and again."""
    return show(
        request, "mesh_services.html", states=await _states(request), now=portal_of(request).wall.now()
    )


async def _states(request: Request) -> list[ServiceState]:
    probed = viewer_of(request).mesh
    return list(await asyncio.gather(*(_state(probed, service) for service in SERVICES)))


async def _state(probed: Mesh, service: str) -> ServiceState:
    health, status = await asyncio.gather(_health(probed, service), _status(probed, service))
    return ServiceState(service, health, status)


async def _health(probed: Mesh, service: str) -> str:
    try:
        answer = await probed.health(service).Check(HealthCheckRequest(), timeout=PROBE_SECONDS_MAX)
    except AioRpcError as error:
        if error.code() in REFUSED:
            raise
        return "no answer"
    name: str = HealthCheckResponse.ServingStatus.Name(answer.status)
    return name.replace("_", " ").lower()


async def _status(probed: Mesh, service: str) -> GetStatusResponse | None:
    try:
        return await probed.status(service).GetStatus(GetStatusRequest(), timeout=PROBE_SECONDS_MAX)
    except AioRpcError as error:
        if error.code() in REFUSED:
            raise
        return None


ROUTES: Sequence[Route] = (
    Route("/operator/mesh", mesh),
    Route("/operator/mesh/services", services),
)
