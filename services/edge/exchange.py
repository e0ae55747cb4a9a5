# SPDX-License-Identifier: Apache-2.0
"""One request and its answer: what a route gets, and the only place that reads and writes HTTP."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import structlog
from grpc.aio import AioRpcError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from services.edge import request_ids
from services.edge.faults import Refused, fault_answer, json_answer, refusal_answer
from services.edge.json_text import NotJson, read_json
from services.edge.links import Links
from services.edge.mesh import Channels, Mesh
from services.edge.names import Names
from services.edge.request_ids import KeptRequestIds
from services.edge.wire.fields import Body, body_from_json

BODY_BYTES_MAX = 4 * 1024 * 1024

B = TypeVar("B", bound=Body)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What all requests share."""

    channels: Channels
    names: Names
    kept: KeptRequestIds
    links: Links


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request as a route sees it. mesh: with the rights of the caller. content: the parsed body; None: none.

    kept: returns the request_id that is kept for repeats without a key; only writes call it.
    """

    mesh: Mesh
    names: Names
    links: Links
    authorization: str
    path: str
    path_values: Mapping[str, str]
    query: Mapping[str, str]
    content: object
    idempotency_key: str
    kept: Callable[[], str]

    def body(self, kind: type[B]) -> B:
        """Return the body. Raises InvalidBody, which names all wrong fields."""
        return body_from_json(kind, {} if self.content is None else self.content)

    def query_of(self, kind: type[B]) -> B:
        """Return the query. Raises InvalidBody."""
        return body_from_json(kind, dict(self.query))

    def request_id(self, natural_key: str | None = None, *, part: str = "") -> str:
        """Return the request_id of the write. natural_key: the body's own key, if it has one.

        part: which of several rpcs that the request makes.
        """
        if self.idempotency_key:
            whole = request_ids.of_idempotency_key(self.idempotency_key)
        elif natural_key:
            whole = request_ids.of_natural_key(self.path, natural_key)
        else:
            whole = self.kept()
        return request_ids.part_of(whole, part) if part else whole


Answer = object
Handler = Callable[[Ask], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a table of routes. handle: returns the JSON of the answer; None: an empty body."""

    method: str
    path: str
    handle: Handler


def endpoint_of(entry: Entry, front: Front) -> Callable[[Request], Awaitable[Response]]:
    """Return the ASGI endpoint that serves one route."""

    async def serve(request: Request) -> Response:
        began = time.perf_counter()
        response = await _answer(entry, front, request)
        log.info(
            "http_request_answered",
            method=entry.method,
            path=entry.path,
            status=response.status_code,
            seconds=round(time.perf_counter() - began, 4),
        )
        return response

    return serve


async def _answer(entry: Entry, front: Front, request: Request) -> Response:
    try:
        answer = await entry.handle(await _ask_of(front, request))
    except Refused as refused:
        return refusal_answer(refused)
    except AioRpcError as error:
        return fault_answer(error)
    except ClientDisconnect:
        return Response(status_code=400)
    except Exception as error:
        log.error("http_request_failed", path=entry.path, exc_info=error)
        return json_answer(500, {"message": "internal error; it was logged"})
    return Response(status_code=200) if answer is None else json_answer(200, answer)


async def _ask_of(front: Front, request: Request) -> Ask:
    raw = await _body_of(request)
    try:
        content = read_json(raw)
    except NotJson as error:
        raise Refused(400, f"the body is not JSON: {error}") from error
    headers = request.headers
    authorization = headers.get("authorization", "")
    return Ask(
        mesh=Mesh(front.channels, authorization),
        names=front.names,
        links=front.links,
        authorization=authorization,
        path=request.url.path,
        path_values=request.path_params,
        query=request.query_params,
        content=content,
        idempotency_key=headers.get("idempotency-key", ""),
        # One id for the request, also if several of its rpcs derive theirs from it.
        kept=cache(
            lambda: front.kept.of(
                caller=authorization,
                path=request.url.path,
                body=raw,
                is_repeat=headers.get("x-stainless-retry-count", "0") != "0",
            )
        ),
    )


async def _body_of(request: Request) -> bytes:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > BODY_BYTES_MAX:
            raise Refused(413, f"the body has more than {BODY_BYTES_MAX} bytes; send less at a time")
    return bytes(received)
