# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy between clients and the replicas of a server. It cuts a share of the replies: stored, but unanswered.

It also cuts servers off, or lets them fall silent, as a broken network does.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Self

from tests.support.cutting_proxy import Frames

PIECE_BYTES = 65_536


# A TLS 1.3 handshake and the first frames of HTTP/2 take fewer records than this.
OPENING_RECORDS = 8
_RECORD_HEADER_BYTES = 5  # type (1), version (2), length (2): RFC 8446 §5.1
_APPLICATION_DATA = 23


class Records:
    """As Frames, for a stream of TLS records, whose content is secret: any record after the opening may be a reply."""

    def __init__(self) -> None:
        self._header = b""
        self._left = 0
        self._count = 0

    def has_data(self, piece: bytes) -> bool:
        found = False
        while piece:
            if self._left > 0:
                skipped = min(self._left, len(piece))
                self._left -= skipped
                piece = piece[skipped:]
                continue
            missing = _RECORD_HEADER_BYTES - len(self._header)
            self._header += piece[:missing]
            piece = piece[missing:]
            if len(self._header) == _RECORD_HEADER_BYTES:
                self._left = int.from_bytes(self._header[3:])
                self._count += 1
                is_data = self._header[0] == _APPLICATION_DATA
                found = found or (is_data and self._count > OPENING_RECORDS)
                self._header = b""
        return found


class FaultProxy:
    """Connects each client to a server drawn at random, or to another when that one does not listen.

    replies: pieces of replies that arrived here. cuts: those that were dropped together with their connection.
    has_tls: client and server speak TLS.
    """

    def __init__(
        self, servers: Sequence[str], *, cut_share: float, dice: random.Random, has_tls: bool = False
    ) -> None:
        self.replies = 0
        self.cuts = 0
        self.servers = tuple(servers)
        self._cut_share = cut_share
        self._dice = dice
        self._listening: asyncio.Server | None = None
        self._wires: set[asyncio.StreamWriter] = set()
        self._frames = Records if has_tls else Frames
        self._wires_of: dict[str, set[asyncio.StreamWriter]] = {server: set() for server in servers}
        self._away: set[str] = set()
        # Not set: the server is silent.
        self._flowing = {server: asyncio.Event() for server in servers}
        self.heal()
        self._connecting: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        assert self._listening is not None
        return f"127.0.0.1:{self._listening.sockets[0].getsockname()[1]}"

    def cut_off(self, *servers: str) -> None:
        """Reset all connections with these servers, and open none until they heal."""
        self._away.update(servers)
        self.reset(*servers)

    def reset(self, *servers: str) -> None:
        """Reset all connections with these servers; new ones are let through."""
        for server in servers:
            for wire in tuple(self._wires_of[server]):
                wire.transport.abort()

    def silence(self, *servers: str) -> None:
        """Let nothing through, on old and new connections with these servers, until they heal; then all that waits."""
        for server in servers:
            self._flowing[server].clear()

    def heal(self) -> None:
        """No server is cut off or silent any more."""
        self._away.clear()
        for flowing in self._flowing.values():
            flowing.set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """Listen until the block ends; then no connection of this proxy is open any more."""
        self._listening = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        try:
            yield self
        finally:
            self._listening.close()
            for wire in tuple(self._wires):
                wire.transport.abort()
            # A task that was still connecting would open a connection after this.
            connecting = tuple(self._connecting)
            for task in connecting:
                task.cancel()
            await asyncio.gather(*connecting, return_exceptions=True)
            await self._listening.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._listening is not None
        if not self._listening.is_serving():  # accepted while the proxy closed
            writer.transport.abort()
            return
        # Recorded at once, so that closing the proxy closes this connection too.
        self._wires.add(writer)
        connecting = asyncio.create_task(self._connect(reader, writer))
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wires = {writer}
        directions: list[asyncio.Task[None]] = []
        try:
            found = await self._server()
            if found is None:
                return
            server, server_reader, server_writer = found
            wires.add(server_writer)
            self._wires |= wires
            self._wires_of[server] |= wires
            flowing = self._flowing[server]
            directions = [
                asyncio.create_task(self._pass(reader, server_writer, None, flowing)),
                asyncio.create_task(self._pass(server_reader, writer, self._frames(), flowing)),
            ]
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._wires -= wires
            for wires_of_one in self._wires_of.values():
                wires_of_one -= wires
            for wire in wires:
                wire.transport.abort()
            for direction in directions:
                direction.cancel()

    async def _server(self) -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter] | None:
        for server in self._dice.sample(self.servers, len(self.servers)):
            if server in self._away:
                continue
            host, _, port = server.rpartition(":")
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(host, int(port))
                if server not in self._away:  # it may have been cut off meanwhile
                    return server, reader, writer
                writer.transport.abort()
        return None

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        frames: Frames | Records | None,
        flowing: asyncio.Event,
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE_BYTES):
                await flowing.wait()
                if frames is not None and frames.has_data(piece):
                    self.replies += 1
                    if self._dice.random() < self._cut_share:
                        self.cuts += 1
                        return
                writer.write(piece)
                await writer.drain()
