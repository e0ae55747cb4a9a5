# SPDX-License-Identifier: Apache-2.0
"""Calls by an rpc's bare name, whichever gRPC service it is in, and a peer that takes any call."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self

import grpc.aio
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

Json = Any


def methods(service: str) -> Iterator[MethodDescriptor]:
    """Every rpc of a service of the mesh ("ledger"), in whichever gRPC service."""
    package = importlib.import_module(f"purser.{service}.v1")
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(module.name).DESCRIPTOR
            for one in file.services_by_name.values():
                yield from one.methods


def method(service: str, rpc: str) -> MethodDescriptor:
    return next(one for one in methods(service) if one.name == rpc)


def request_of(service: str, rpc: str, body: Json) -> Message:
    """The request of an rpc, from its JSON."""
    return json_format.ParseDict(body, GetMessageClass(method(service, rpc).input_type)())


def to_json(message: Message) -> Json:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


async def call(channel: grpc.aio.Channel, service: str, rpc: str, request: Message) -> Json:
    """Call an rpc; returns its response as JSON. Raises AioRpcError."""
    described = method(service, rpc)
    response_type = GetMessageClass(described.output_type)
    stub = channel.unary_unary(
        f"/{described.containing_service.full_name}/{rpc}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=response_type.FromString,
    )
    return to_json(await stub(request, timeout=20))


class AnyPeer:
    """A service of the mesh that takes every call. heard: (rpc, request) in order.

    answers: the response to a request, by rpc; the others are answered with nothing in particular.
    """

    def __init__(
        self, service: str, answers: Mapping[str, Callable[[Any], Message]] = MappingProxyType({})
    ) -> None:
        self._service = service
        self._answers = answers
        self._server = grpc.aio.server(handlers=(_Handlers(self),))
        self.address = ""
        self.heard: list[tuple[str, Json]] = []

    async def __aenter__(self) -> Self:
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._server.stop(0)

    async def take(self, rpc: str, body: bytes) -> bytes:
        request = GetMessageClass(method(self._service, rpc).input_type).FromString(body)
        self.heard.append((rpc, to_json(request)))
        return self._answers[rpc](request).SerializeToString() if rpc in self._answers else b""


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, peer: AnyPeer) -> None:
        self._peer = peer

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        rpc = details.method.rpartition("/")[2]

        async def take(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            return await self._peer.take(rpc, request)

        return grpc.unary_unary_rpc_method_handler(take)
