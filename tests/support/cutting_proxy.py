# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that cuts the connection at the worst moment: the server has answered, the client has no response yet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

_FRAME_HEADER_BYTES = 9  # length (3), type (1), flags (1), stream (4): RFC 9113 §4.1
_DATA = 0


class Frames:
    """Parses a stream of HTTP/2 frames piece by piece, and says whether a DATA frame, a response, begins in a piece."""

    def __init__(self) -> None:
        self._header = b""
        self._left = 0

    def has_data(self, piece: bytes) -> bool:
        found = False
        while piece:
            if self._left > 0:
                skipped = min(self._left, len(piece))
                self._left -= skipped
                piece = piece[skipped:]
                continue
            missing = _FRAME_HEADER_BYTES - len(self._header)
            self._header += piece[:missing]
            piece = piece[missing:]
            if len(self._header) == _FRAME_HEADER_BYTES:
                self._left = int.from_bytes(self._header[:3])
                found = found or self._header[3] == _DATA
                self._header = b""
        return found


class CuttingProxy:
    """Stands between a client and one server. `cuts`: how many responses were dropped."""

    def __init__(self, server: str) -> None:
        self._host, _, port = server.rpartition(":")
        self._port = int(port)
        self._listening: asyncio.Server | None = None
        self._open_port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._to_cut = 0
        self._to_forward = 0
        self.cuts = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._open_port}"

    @classmethod
    @asynccontextmanager
    async def before(cls, server: str) -> AsyncIterator[Self]:
        proxy = cls(server)
        await proxy.come_back()
        try:
            yield proxy
        finally:
            await proxy.go_away()

    def cut_next_answers(self, count: int = 1, *, after: int = 0) -> None:
        """Cut the connection instead of forwarding a response, for `count` responses after the next `after`."""
        self._to_cut = count
        self._to_forward = after

    async def go_away(self) -> None:
        """Cut every connection, and refuse new ones."""
        if self._listening is not None:
            self._listening.close()
            for writer in tuple(self._writers):
                writer.transport.abort()
            await self._listening.wait_closed()
            self._listening = None

    async def come_back(self) -> None:
        """Listen on the same port as before."""
        self._listening = await asyncio.start_server(self._accept, "127.0.0.1", self._open_port)
        self._open_port = self._listening.sockets[0].getsockname()[1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Recorded at once, so that cutting all connections cuts this one too.
        self._writers.add(writer)
        connecting = asyncio.create_task(self._connect(reader, writer))
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            self._writers.discard(writer)
            writer.transport.abort()
            return
        wires = {writer, server_writer}
        self._writers |= wires
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, server_writer, None, wires))
                both.create_task(self._pass(server_reader, writer, Frames(), wires))
        finally:
            self._writers -= wires
            for wire in wires:
                wire.transport.abort()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        frames: Frames | None,
        wires: set[asyncio.StreamWriter],
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(65_536):
                if frames is not None and frames.has_data(piece) and self._to_cut > 0:
                    if self._to_forward == 0:
                        self._to_cut -= 1
                        self.cuts += 1
                        break
                    self._to_forward -= 1
                writer.write(piece)
                await writer.drain()
        for wire in wires:
            wire.transport.abort()
