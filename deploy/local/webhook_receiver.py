# SPDX-License-Identifier: Apache-2.0
"""A small HTTP server that receives webhooks and verifies their signatures. Callers can wait for the next one."""

import asyncio
import json
import ssl
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

WAIT_SECONDS_MAX = 10.0
BODY_BYTES_MAX = 1_000_000


@dataclass(frozen=True, kw_only=True)
class ReceivedWebhook:
    """One received webhook. `verified`: signed with the receiver's secret, less than 5 minutes ago."""

    webhook_id: str
    event_type: str
    data: Mapping[str, Any]
    verified: bool
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class WebhookReceiver:
    """Stores every webhook in `received`, including repeated ones. Answers 204, or the statuses set with `answer`.

    secret: "whsec_…", of the endpoint created for `url`; without it nothing is verified. tls: serve https.
    """

    def __init__(
        self, *, secret: str = "", host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.secret = secret
        self.received: list[ReceivedWebhook] = []
        self._host = host
        self._port = port
        self._tls = tls
        self._returned = 0
        self._arrived = asyncio.Condition()
        self._answers: deque[str] = deque()
        self._answering = asyncio.Event()
        self._answering.set()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        """The URL to post to; known after start()."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self._port}/webhooks"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._receive, self._host, self._port, ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, and close open connections without an answer. The receiver can be started again."""
        assert self._server is not None
        self._server.close()
        for connection in tuple(self._connections):
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)
        await self._server.wait_closed()

    def answer(self, *status_codes: int, location: str = "") -> None:
        """Answer the next webhooks with these statuses, one each, and later ones with 204 again."""
        head = f"Location: {location}\r\n" if location else ""
        self._answers.extend(f"{code} {HTTPStatus(code).phrase}\r\n{head}" for code in status_codes)

    def hold(self) -> None:
        """Receive webhooks, but answer none before release()."""
        self._answering.clear()

    def release(self) -> None:
        self._answering.set()

    async def next_event(self, timeout_seconds: float = WAIT_SECONDS_MAX) -> ReceivedWebhook:
        """Return the next webhook that no call has returned yet. Raises TimeoutError when none arrives."""
        async with asyncio.timeout(timeout_seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.received) > self._returned)
            self._returned += 1
            return self.received[self._returned - 1]

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        try:
            # A sender that disconnects early is not an error of the receiver.
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                headers, body = await _read(reader)
                answer = self._answers.popleft() if self._answers else "204 No Content\r\n"
                await self._store(headers, body)
                await self._answering.wait()
                writer.write(f"HTTP/1.1 {answer}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
        finally:
            self._connections.discard(connection)
            writer.close()

    async def _store(self, headers: dict[str, str], body: bytes) -> None:
        content = json.loads(body)
        webhook = ReceivedWebhook(
            webhook_id=headers.get("webhook-id", ""),
            event_type=content.get("type", ""),
            data=content.get("data", {}),
            verified=self._verify(headers, body),
            headers=headers,
            body=body,
        )
        async with self._arrived:
            self.received.append(webhook)
            self._arrived.notify_all()

    def _verify(self, headers: dict[str, str], body: bytes) -> bool:
        if not self.secret:
            return False
        try:
            Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            return False
        return True


async def _read(reader: asyncio.StreamReader) -> tuple[dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lines = (line.partition(":") for line in head.splitlines()[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    length = int(headers.get("content-length", "0"))
    return headers, await reader.readexactly(min(length, BODY_BYTES_MAX))
