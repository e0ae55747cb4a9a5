# SPDX-License-Identifier: Apache-2.0
"""Dead letters: notices between services that were rejected for good and wait for a decision."""

import asyncio
from collections.abc import Sequence

from grpc.aio import AioRpcError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from purser.outbox.v1.dead_letters_pb2 import ListDeadLettersRequest, ListDeadLettersResponse
from services.portal.mesh import SERVICES, Mesh
from services.portal.operator.showing import AWAY, show
from services.portal.session import viewer_of

NAME = "Dead letters"


async def dead_letters(request: Request) -> Response:
    mesh, with_ended = viewer_of(request).mesh, "ended" in request.query_params
    found = await asyncio.gather(*(_of(mesh, service, with_ended=with_ended) for service in SERVICES))
    return show(
        request,
        "dead_letters.html",
        found=dict(zip(SERVICES, found, strict=True)),
        with_ended=with_ended,
    )


async def _of(mesh: Mesh, service: str, *, with_ended: bool) -> ListDeadLettersResponse | None:
    """Return the dead letters of a service; None if it is away."""
    try:
        return await mesh.dead_letters(service).ListDeadLetters(
            ListDeadLettersRequest(include_ended=with_ended)
        )
    except AioRpcError as error:
        if error.code() not in AWAY:
            raise
        return None


ROUTES: Sequence[Route] = (Route("/operator/dead-letters", dead_letters),)
