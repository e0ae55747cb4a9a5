# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that falls silent: its connections stay open, and nothing comes through any more.

As after a power failure of the server's host there is neither FIN nor RST. DROPS: nor an ACK, because the kernel drops
every packet (socket(7), SO_ATTACH_FILTER). HANGS: the kernel still acknowledges, as for a server that is stuck.
"""

import asyncio
import ctypes
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import Any, Self

_SO_ATTACH_FILTER = 26
_DROP = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # a BPF program: return 0 bytes
_FILTER = struct.pack("HL", 1, ctypes.addressof(_DROP))


class Silence(Enum):
    DROPS = "DROPS"
    HANGS = "HANGS"


class SilentProxy:
    """Stands between a client and one server."""

    def __init__(self, server: str) -> None:
        self._host, _, port = server.rpartition(":")
        self._port = int(port)
        self._listening: asyncio.Server | None = None
        self._open_port = 0
        self._wires: list[tuple[Any, Any]] = []
        self._passing: set[asyncio.Task[None]] = set()
        self._silence: Silence | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._open_port}"

    @classmethod
    @asynccontextmanager
    async def before(cls, server: str) -> AsyncIterator[Self]:
        proxy = cls(server)
        proxy._listening = await asyncio.start_server(proxy._accept, "127.0.0.1")
        proxy._open_port = proxy._listening.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            proxy._listening.close()
            for task in proxy._passing:
                task.cancel()
            for client, server_side in proxy._wires:
                client.transport.abort()
                if server_side is not None:
                    server_side.transport.abort()

    def fall_silent(self, silence: Silence) -> None:
        """Let nothing through any more, on no connection there is, nor on new ones."""
        self._silence = silence
        for task in self._passing:
            task.cancel()
        for _, server_side in self._wires:
            if server_side is not None:
                server_side.transport.abort()  # a host without power does nothing and locks nothing
        if silence is Silence.DROPS:
            for client, _ in self._wires:
                client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _FILTER)

    def another_answers(self) -> None:
        """Let new connections through; the silent ones stay silent."""
        self._silence = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._silence is not None:
            self._wires.append((writer, None))
            return
        server_reader, server_writer = await asyncio.open_connection(self._host, self._port)
        self._wires.append((writer, server_writer))
        for source, sink in ((reader, server_writer), (server_reader, writer)):
            task = asyncio.create_task(self._pass(source, sink))
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65_536):
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()
