# SPDX-License-Identifier: Apache-2.0
"""Asks a server what it serves, as any gRPC tool does."""

import grpc.aio
from grpc_reflection.v1alpha import reflection_pb2


async def reflected(
    channel: grpc.aio.Channel, version: str, request: reflection_pb2.ServerReflectionRequest
) -> reflection_pb2.ServerReflectionResponse:
    """Return the answer to one question. version: "v1" or "v1alpha"."""
    call = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    async for response in call(iter([request])):
        return response
    raise AssertionError("reflection did not answer")


async def services_of(channel: grpc.aio.Channel, version: str = "v1") -> set[str]:
    """Return the full names of the services that a server has."""
    answer = await reflected(channel, version, reflection_pb2.ServerReflectionRequest(list_services=""))
    return {one.name for one in answer.list_services_response.service}
