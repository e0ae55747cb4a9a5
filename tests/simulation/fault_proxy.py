# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy between writers and several Ledgers that cuts a share of the replies: done, and never heard of."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Self

from tests.support.cutting_proxy import Frames

PIECE_BYTES = 65_536


class FaultProxy:
    """Each connection goes to a server drawn by lot, or to another when that is away.

    replies: pieces of answers that came by; cuts: those in whose place the wire was cut.
    """

    def __init__(self, servers: Sequence[str], *, cut_share: float, dice: random.Random) -> None:
        self.replies = 0
        self.cuts = 0
        self._servers = list(servers)
        self._cut_share = cut_share
        self._dice = dice
        self._listening: asyncio.Server | None = None
        self._wires: set[asyncio.StreamWriter] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        assert self._listening is not None
        return f"127.0.0.1:{self._listening.sockets[0].getsockname()[1]}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """Listen until the block ends."""
        self._listening = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        try:
            yield self
        finally:
            self._listening.close()
            for wire in tuple(self._wires):
                wire.transport.abort()
            await self._listening.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Known at once, so that whoever cuts all wires cuts this one too.
        self._wires.add(writer)
        connecting = asyncio.create_task(self._connect(reader, writer))
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = await self._server()
        if server is None:
            self._wires.discard(writer)
            writer.transport.abort()
            return
        server_reader, server_writer = server
        wires = {writer, server_writer}
        self._wires |= wires
        try:
            ways = (self._pass(reader, server_writer, None), self._pass(server_reader, writer, Frames()))
            await asyncio.wait(
                [asyncio.create_task(way) for way in ways], return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            self._wires -= wires
            for wire in wires:
                wire.transport.abort()

    async def _server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for server in self._dice.sample(self._servers, len(self._servers)):
            host, _, port = server.rpartition(":")
            with suppress(OSError):
                return await asyncio.open_connection(host, int(port))
        return None

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: Frames | None
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE_BYTES):
                if frames is not None and frames.has_data(piece):
                    self.replies += 1
                    if self._dice.random() < self._cut_share:
                        self.cuts += 1
                        return
                writer.write(piece)
                await writer.drain()
