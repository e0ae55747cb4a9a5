# SPDX-License-Identifier: Apache-2.0
"""Connections end by themselves, and servers stop, without a caller noticing."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc.aio import InternalError
from grpc_health.v1 import health_pb2, health_pb2_grpc

from access.control import OpenAccess
from meshkit.faults import DatabaseUnavailable
from meshkit.rpc import client, server
from meshkit.rpc.client import open_channel
from meshkit.rpc.server import ConnectionLifetime, Listener, RpcService, start_server
from purser_client import channel as client_channel
from tests.rpc.meshkit.conftest import METHOD, SERVICE_NAME, Start

HANG_SECONDS = 60
SHORT = ConnectionLifetime(age_seconds=0.2, grace_seconds=HANG_SECONDS)


def free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@asynccontextmanager
async def serving(address: str, answer: Callable[[Any], str]) -> AsyncIterator[None]:
    """A server of short connections, which shares its port. answer: gets the context of each call."""

    async def ask(_: StringValue, context: Any) -> StringValue:
        return StringValue(value=answer(context))

    def register(to: grpc.aio.Server) -> None:
        handler = grpc.unary_unary_rpc_method_handler(
            ask,
            request_deserializer=StringValue.FromString,
            response_serializer=StringValue.SerializeToString,
        )
        to.add_registered_method_handlers(SERVICE_NAME, {"Ask": handler})

    running = await start_server(
        name="probe",
        listeners=[Listener(address)],
        access=OpenAccess(),
        services=[RpcService(SERVICE_NAME, register)],
        reuse_port=True,
        lifetime=SHORT,
    )
    try:
        yield
    finally:
        await running.stop(HANG_SECONDS)


async def answers_until(address: str, is_enough: Callable[[set[str]], bool]) -> set[str]:
    """Have eight callers ask one channel until their answers are enough. Any error of a call is raised."""
    seen: set[str] = set()
    async with open_channel(address) as channel, asyncio.timeout(HANG_SECONDS):
        ask = channel.unary_unary(
            METHOD,
            request_serializer=StringValue.SerializeToString,
            response_deserializer=StringValue.FromString,
        )

        async def call() -> None:
            while not is_enough(seen):
                seen.add((await ask(StringValue(), timeout=HANG_SECONDS)).value)

        async with asyncio.TaskGroup() as callers:
            for _ in range(8):
                callers.create_task(call())
    return seen


async def test_connections_that_reach_their_age_are_replaced_and_no_call_fails() -> None:
    address = free_address()

    async with serving(address, lambda context: str(context.peer())):
        peers = await answers_until(address, lambda seen: len(seen) >= 5)

    assert len(peers) >= 5


async def test_callers_of_an_old_replica_find_a_new_one_when_their_connection_ends() -> None:
    address = free_address()

    async with serving(address, lambda _: "old"):
        assert await answers_until(address, bool) == {"old"}
        async with serving(address, lambda _: "new"):
            assert "new" in await answers_until(address, lambda seen: "new" in seen)


async def test_a_call_that_a_stopping_server_cancelled_is_sent_again_and_other_faults_are_not(
    start: Start,
) -> None:
    asked: list[str] = []

    async def answer(text: str) -> str:
        asked.append(text)
        if text == "fault":
            raise DatabaseUnavailable
        if asked.count(text) == 1:
            raise InternalError("the call ends with CANCELLED, as in the instant of a GOAWAY")
        return "done"

    probe = await start(answer)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await probe.ask("fault")

    assert await probe.ask("stopping") == "done"
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert asked == ["fault", "stopping", "stopping"]


async def test_a_server_that_stops_waits_for_calls_in_progress_but_for_nobody_who_watches_its_health(
    start: Start,
) -> None:
    called, finish = asyncio.Event(), asyncio.Event()

    async def answer(_: str) -> str:
        called.set()
        await finish.wait()
        return "done"

    probe = await start(answer)
    watched = health_pb2_grpc.HealthStub(probe.channel).Watch(health_pb2.HealthCheckRequest(service=""))
    await watched.read()
    caller = asyncio.create_task(probe.ask())
    await called.wait()

    async with asyncio.timeout(HANG_SECONDS):
        stopping = asyncio.create_task(probe.server.stop(10 * HANG_SECONDS))
        await watched.read()  # it drains
        finish.set()
        await stopping

    assert await caller == "done"


@pytest.mark.parametrize("options", [client._OPTIONS, client_channel._OPTIONS], ids=["mesh", "client"])
def test_clients_ping_idle_connections_for_ever_and_no_more_often_than_servers_allow(
    options: tuple[tuple[str, object], ...],
) -> None:
    asked = dict(options)
    allowed = dict(server._OPTIONS)

    assert asked["grpc.keepalive_permit_without_calls"] == allowed["grpc.keepalive_permit_without_calls"] == 1
    assert asked["grpc.http2.max_pings_without_data"] == 0
    # A ping that comes a little early, because an earlier one was late, must not count as too many.
    least = allowed["grpc.http2.min_ping_interval_without_data_ms"] * 1.5
    assert int(str(asked["grpc.keepalive_time_ms"])) >= least
