# SPDX-License-Identifier: Apache-2.0
"""A service with one method, Ask(StringValue) → StringValue, whose behaviour a test defines."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto
from google.protobuf.descriptor_pool import Default
from google.protobuf.wrappers_pb2 import StringValue

from access.control import OpenAccess
from meshkit.rpc.client import open_channel
from meshkit.rpc.server import Listener, RpcService, RunningServer, start_server
from purser.access.v1 import access_pb2

SERVICE_NAME = "probe.v1.Probe"
PROBE_PROTO = FileDescriptorProto(
    name="probe/v1/probe.proto",
    package="probe.v1",
    dependency=["google/protobuf/wrappers.proto", "purser/access/v1/access.proto"],
    service=[
        ServiceDescriptorProto(
            name="Probe",
            method=[
                MethodDescriptorProto(
                    name="Ask",
                    input_type=".google.protobuf.StringValue",
                    output_type=".google.protobuf.StringValue",
                )
            ],
        )
    ],
)
PROBE_PROTO.service[0].method[0].options.Extensions[access_pb2.access].CopyFrom(
    access_pb2.Access(roles=[access_pb2.ROLE_OPERATOR])
)
Default().AddSerializedFile(PROBE_PROTO.SerializeToString())
METHOD = f"/{SERVICE_NAME}/Ask"

Answer = Callable[[str], Awaitable[str]]
Start = Callable[..., Awaitable["Probe"]]


class Probe:
    """A running server and a channel to it."""

    def __init__(self, server: RunningServer, channel: grpc.aio.Channel) -> None:
        self.server = server
        self.channel = channel
        self.call = channel.unary_unary(
            METHOD,
            request_serializer=StringValue.SerializeToString,
            response_deserializer=StringValue.FromString,
        )

    async def ask(self, text: str = "", seconds: float | None = None) -> str:
        response: StringValue = await self.call(StringValue(value=text), timeout=seconds)
        return response.value


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a probe with the coroutine function that answers; it is stopped at the end of the test."""
    async with AsyncExitStack() as stack:

        async def started(
            answer: Answer, *, bytes_max: Mapping[str, int] | None = None, **options: Any
        ) -> Probe:
            server = await start_server(
                name="probe",
                listeners=[Listener("127.0.0.1:0")],
                access=OpenAccess(),
                services=[RpcService(SERVICE_NAME, lambda server: register(server, answer), bytes_max or {})],
                **options,
            )
            stack.push_async_callback(server.stop, 0)
            channel = open_channel(f"127.0.0.1:{server.ports[0]}")
            stack.push_async_callback(channel.close)
            return Probe(server, channel)

        yield started


def register(server: grpc.aio.Server, answer: Answer) -> None:
    async def ask(request: StringValue, context: object) -> StringValue:
        return StringValue(value=await answer(request.value))

    handler = grpc.unary_unary_rpc_method_handler(
        ask, request_deserializer=StringValue.FromString, response_serializer=StringValue.SerializeToString
    )
    server.add_registered_method_handlers(SERVICE_NAME, {"Ask": handler})
