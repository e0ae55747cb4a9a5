# SPDX-License-Identifier: Apache-2.0
"""Channels to peers wait for a slow connection."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from meshkit.rpc.client import open_channel
from purser_client.channel import open_channel as open_client_channel
from tests.rpc.meshkit.conftest import METHOD, Start

SLOW_SECONDS = 0.3  # as on a machine under load, or for a TLS handshake with another continent


async def _echo(text: str) -> str:
    return text


@pytest.mark.parametrize(
    "opened", [open_channel, partial(open_client_channel, credentials=None)], ids=["mesh", "client"]
)
async def test_a_call_waits_for_a_peer_that_is_slow_to_connect(
    start: Start, opened: Callable[[str], grpc.aio.Channel]
) -> None:
    probe = await start(_echo)
    may_greet = asyncio.Event()
    wires: set[asyncio.Task[None]] = set()

    async def pass_on(reader: StreamReader, writer: StreamWriter) -> None:
        await may_greet.wait()
        peer_reader, peer_writer = await asyncio.open_connection("127.0.0.1", probe.server.ports[0])
        with suppress(OSError):
            await asyncio.gather(_pass(reader, peer_writer), _pass(peer_reader, writer))
        for end in (writer, peer_writer):
            end.transport.abort()

    def connect(reader: StreamReader, writer: StreamWriter) -> None:
        wires.add(asyncio.create_task(pass_on(reader, writer)))

    async with await asyncio.start_server(connect, "127.0.0.1", 0) as slow:
        async with opened(f"127.0.0.1:{slow.sockets[0].getsockname()[1]}") as channel:
            ask = channel.unary_unary(
                METHOD,
                request_serializer=StringValue.SerializeToString,
                response_deserializer=StringValue.FromString,
            )
            asked = asyncio.ensure_future(ask(StringValue(value="there?"), timeout=10))
            answered, _ = await asyncio.wait([asked], timeout=SLOW_SECONDS)
            may_greet.set()
            response: StringValue = await asked
        await asyncio.gather(*wires)

    assert not answered
    assert response.value == "there?"


async def _pass(reader: StreamReader, writer: StreamWriter) -> None:
    while piece := await reader.read(65_536):
        writer.write(piece)
        await writer.drain()
    writer.close()
