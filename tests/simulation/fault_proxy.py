# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy between writers and several Ledgers that cuts a share of the replies: stored, but unanswered."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Self

from tests.support.cutting_proxy import Frames

PIECE_BYTES = 65_536


class FaultProxy:
    """Connects each client to a server drawn at random, or to another when that one does not listen.

    replies: pieces of replies that arrived here. cuts: those that were dropped together with their connection.
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
            server = await self._server()
            if server is None:
                return
            server_reader, server_writer = server
            wires.add(server_writer)
            self._wires |= wires
            directions = [
                asyncio.create_task(self._pass(reader, server_writer, None)),
                asyncio.create_task(self._pass(server_reader, writer, Frames())),
            ]
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._wires -= wires
            for wire in wires:
                wire.transport.abort()
            for direction in directions:
                direction.cancel()

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
