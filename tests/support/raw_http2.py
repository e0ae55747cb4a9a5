# SPDX-License-Identifier: Apache-2.0
"""A connection that speaks just enough HTTP/2 to break gRPC's rules: no limit of the server binds it."""

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING = 0, 1, 3, 4, 6
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_INITIAL_WINDOW_SIZE = 4


class RawConnection:
    """Starts calls."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._next_stream = 1
        self._ends: dict[int, str] = {}
        self._changed = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def to(cls, address: str, *, window: int = 65_535) -> AsyncIterator[Self]:
        """Connect. window: so many bytes of a response the server may send; nothing is granted later."""
        host, _, port = address.rpartition(":")
        connection = cls(*await asyncio.open_connection(host, int(port)))
        connection._writer.write(_PREFACE)
        connection._send(_SETTINGS, 0, 0, struct.pack("!HI", _INITIAL_WINDOW_SIZE, window))
        reading = asyncio.create_task(connection._read())
        try:
            yield connection
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
            connection._writer.close()

    async def start(self, method: str, calls: int, *, message: bytes | None = None) -> None:
        """Start calls of a method ("/probe.v1.Probe/Ask"); without a message, they stay half-open."""
        headers = b"".join(
            b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
            for name, value in (
                (":method", "POST"),
                (":scheme", "http"),
                (":path", method),
                (":authority", "raw"),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
            )
        )
        for _ in range(calls):
            self._send(_HEADERS, _END_HEADERS, self._next_stream, headers)
            if message is not None:
                self._send(_DATA, _END_STREAM, self._next_stream, _framed(message))
            self._next_stream += 2
        await self._writer.drain()

    async def finish(self, call: int, *, message: bytes) -> None:
        """Send the message of a half-open call; they are counted from 1."""
        self._send(_DATA, _END_STREAM, 2 * call - 1, _framed(message))
        await self._writer.drain()

    @property
    def ended(self) -> Counter[str]:
        """How many calls the server has ended, by what ended them: "RST_STREAM" or "trailers"."""
        return Counter(self._ends.values())

    async def until_ended(self, calls: int) -> None:
        """Return once the server has ended so many calls."""
        while len(self._ends) < calls:
            self._changed.clear()
            await self._changed.wait()

    def _send(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        self._writer.write(
            struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload
        )

    async def _read(self) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await self._reader.readexactly(9)
                kind, flags, stream = struct.unpack("!BBI", head[3:])
                payload = await self._reader.readexactly(int.from_bytes(head[:3]))
                self._take(kind, flags, stream, payload)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        match kind:
            case _ if kind == _RST_STREAM:
                self._end(stream, "RST_STREAM")
            case _ if kind == _HEADERS and flags & _END_STREAM:
                self._end(stream, "trailers")
            case _ if kind == _SETTINGS and not flags & _ACK:
                self._send(_SETTINGS, _ACK, 0, b"")
            case _ if kind == _PING and not flags & _ACK:
                self._send(_PING, _ACK, 0, payload)

    def _end(self, stream: int, how: str) -> None:
        self._ends.setdefault(stream, how)
        self._changed.set()


def _framed(message: bytes) -> bytes:
    """Return a message as gRPC sends it: not compressed, and with its length."""
    return struct.pack("!BI", 0, len(message)) + message
