# SPDX-License-Identifier: Apache-2.0
"""Builds the edge from its parts."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from access import open_tokens
from meshkit.clock import Clock
from meshkit.front import open_channels
from meshkit.http_server import HttpServer
from meshkit.ids import Ids
from services.edge.config import EdgeSettings
from services.edge.exchange import Front, endpoint_of
from services.edge.faults import Refused, refusal_answer
from services.edge.links import Links
from services.edge.names import Names
from services.edge.request_ids import KeptRequestIds
from services.edge.routes import ENTRIES

# Longer than the SDK keeps an idle connection (5 s), so that the edge does not close one just when it is used again.
IDLE_SECONDS = 75


@asynccontextmanager
async def open_edge(settings: EdgeSettings, *, wall: Clock) -> AsyncIterator[HttpServer]:
    """Serve the routes until the block ends. Raises PortTaken."""
    async with AsyncExitStack() as stack:
        channels = await stack.enter_async_context(open_channels(settings))
        verifier = (
            None if settings.insecure else await stack.enter_async_context(open_tokens(settings, wall=wall))
        )
        ids = Ids(wall)
        front = Front(
            channels=channels,
            names=Names(),
            kept=KeptRequestIds(wall, lambda: ids.new("edge")),
            links=Links(settings, verifier, wall),
        )
        server = HttpServer("edge", application(front), settings.listen, idle_seconds=IDLE_SECONDS)
        await server.start()
        stack.push_async_callback(server.stop)
        yield server


def application(front: Front) -> Starlette:
    """Return the ASGI application that serves all routes."""
    routes = [Route(entry.path, endpoint_of(entry, front), methods=[entry.method]) for entry in ENTRIES]
    return Starlette(routes=routes, exception_handlers={404: _no_route, 405: _no_method})


async def _no_route(request: Request, _: Exception) -> Response:
    return refusal_answer(
        Refused(404, f"there is no route {request.url.path}: services/edge/README.md lists them")
    )


async def _no_method(request: Request, _: Exception) -> Response:
    return refusal_answer(Refused(405, f"{request.url.path} has no method {request.method}"))
