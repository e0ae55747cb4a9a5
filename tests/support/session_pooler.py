# SPDX-License-Identifier: Apache-2.0
"""What a client sees of a pooler that tracks nothing: another process id, statement names as they are, no settings."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from meshkit.poolers import TIMEOUTS

SSL_REQUEST = 80877103
NO_SSL = b"N"
READY, KEY, ERROR = b"Z", b"K", b"E"


@asynccontextmanager
async def session_pooler(address: str, *, refuses_settings: bool) -> AsyncIterator[str]:
    """Yield the address of a proxy before the PostgreSQL at `address`.

    refuses_settings: as PgBouncer does; otherwise it ignores the limits of waits, as PgBouncer can be told to.
    """
    host, _, port = address.rpartition(":")
    under_way: set[asyncio.Task[None]] = set()

    async def pool(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            startup = await _startup(reader, writer)
            if startup is not None and (startup := _without_limits(startup, refuses_settings, writer)):
                await _relay(startup, reader, writer, await asyncio.open_connection(host, int(port)))
        writer.close()
        under_way.discard(task)

    server = await asyncio.start_server(pool, "127.0.0.1", 0)
    try:
        yield "{}:{}".format(*server.sockets[0].getsockname())
    finally:
        server.close()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
    """Return the parameters of a client's startup message; None if it asks for something else."""
    while True:
        length, code = struct.unpack("!ii", await reader.readexactly(8))
        if code != SSL_REQUEST:
            body = await reader.readexactly(length - 8)
            return body if code == 3 << 16 else None
        writer.write(NO_SSL)


def _without_limits(parameters: bytes, refuses: bool, writer: asyncio.StreamWriter) -> bytes:
    """Return a startup message without limits of waits; nothing if there were some and they are refused."""
    words = parameters.rstrip(b"\0").split(b"\0")
    pairs = [(name, value) for name, value in zip(words[::2], words[1::2], strict=True)]
    limits = [name for name, _ in pairs if name.decode() in TIMEOUTS]
    if limits and refuses:
        fields = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: " + limits[0] + b"\0\0"
        writer.write(ERROR + struct.pack("!i", 4 + len(fields)) + fields)
        return b""
    kept = b"".join(name + b"\0" + value + b"\0" for name, value in pairs if name not in limits) + b"\0"
    return struct.pack("!ii", 8 + len(kept), 3 << 16) + kept


async def _relay(
    startup: bytes,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    from_server, to_server = server
    to_server.write(startup)
    up = asyncio.create_task(_copy(reader, to_server))
    try:
        kind = b""
        while kind != READY:
            header = await from_server.readexactly(5)
            kind, body = header[:1], await from_server.readexactly(struct.unpack("!i", header[1:])[0] - 4)
            if kind == KEY:
                body = struct.pack("!i", struct.unpack("!i", body[:4])[0] + 1_000_000) + body[4:]
            writer.write(header + body)
        await _copy(from_server, writer)
    finally:
        up.cancel()
        to_server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65_536):
        writer.write(chunk)
