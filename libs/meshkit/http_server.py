# SPDX-License-Identifier: Apache-2.0
"""Serves an ASGI application over plain HTTP, with the paths of probes, as one part of a process."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Final

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meshkit import tracing
from meshkit.errors import PortTaken
from meshkit.metrics import HTTP_REQUESTS, HTTP_SECONDS

STOP_SECONDS_MAX = 5
IDLE_SECONDS_DEFAULT = 5
LIVENESS_PATH: Final = "/healthz"
READINESS_PATH: Final = "/readyz"
# The date header is as old as this at most.
_TICK_SECONDS = 1.0
# A client may invent methods; each would be a label for good.
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class HttpServer:
    """Serves `app` at host:port in the running event loop. name: what cannot listen, for PortTaken and metrics.

    GET /healthz is answered with 200 as long as it serves, GET /readyz with 503 once it drains.

    idle_seconds: after so long a connection without requests is closed; a client that reuses it just then fails.
    port: where it listens, once it is started.
    """

    def __init__(
        self, name: str, app: ASGIApp, address: str, *, idle_seconds: int = IDLE_SECONDS_DEFAULT
    ) -> None:
        self._name = name
        # Probes come every few seconds, so they are neither spans nor counted.
        self._app = _Probes(_Counted(name, tracing.served_http(app)))
        self._address = address
        self._idle_seconds = idle_seconds
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        """Start to accept requests. Raises PortTaken."""
        # Bound here, because uvicorn would end the process if it cannot.
        listener = self._bound()
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_keep_alive=self._idle_seconds,
            timeout_graceful_shutdown=STOP_SECONDS_MAX,
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._serve(self._server, listener))

    async def drain(self) -> None:
        """Report from now on that callers should be sent elsewhere; requests are still accepted."""
        self._app.is_ready = False

    async def stop(self) -> None:
        """Drain, accept no more requests, and finish those being served (≤ 5 s)."""
        await self.drain()
        if self._server is not None and self._serving is not None:
            self._server.end()
            await asyncio.wait([self._serving])

    async def _serve(self, server: "_Server", listener: socket.socket) -> None:
        with closing(listener):
            await server.serve(sockets=[listener])

    def _bound(self) -> socket.socket:
        host, _, port = self._address.rpartition(":")
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host.strip("[]"), int(port)))
            listener.listen()
        except (OSError, OverflowError) as error:
            listener.close()
            raise PortTaken(name=self._name, address=self._address) from error
        return listener


class _Probes:
    """Answers probes itself, and passes everything else to the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.is_ready = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path")
        if path not in (LIVENESS_PATH, READINESS_PATH):
            await self._app(scope, receive, send)
        elif path == LIVENESS_PATH or self.is_ready:
            await PlainTextResponse("ok\n")(scope, receive, send)
        else:
            await PlainTextResponse("draining\n", status_code=503)(scope, receive, send)


class _Counted:
    """Counts the requests of an application, and how long each waits for the start of its answer.

    The route is the pattern that Starlette has found, and empty if there is none: paths have ids in them.
    """

    def __init__(self, server: str, app: ASGIApp) -> None:
        self._server = server
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                HTTP_REQUESTS.labels(self._server, method, route, str(message["status"])).inc()
                HTTP_SECONDS.labels(self._server, route).observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, counted)


class _Server(uvicorn.Server):
    """Leaves signals to the process, which stops all its parts in order, and ends without uvicorn's pauses."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Accept no more requests, and let `serve` return when those being served are finished."""
        self.should_exit = True
        self._ended.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        """Renew the date header once a second until the end; uvicorn looks ten times a second whether it has come."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._ended.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, which waits for 0.1 s also when nothing is open."""
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
            await server.wait_closed()
