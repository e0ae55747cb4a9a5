# SPDX-License-Identifier: Apache-2.0
"""Every method that a running mesh serves: what reflection lists, with the types from the descriptors.

So a new rpc, or a new gRPC service, is fuzzed without a change here.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import grpc.aio
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

import purser
from purser.access.v1 import access_pb2

# Reflection v1 has the messages of v1alpha (meshkit/rpc/reflection.py), but no descriptor of its own.
REFLECTION = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """An rpc of one service of the mesh. service: "ledger". path: "/purser.ledger.v1.LedgerService/Authorize".

    peer: the service that calls it, if no role may. is_self_service: only customers may call it.
    """

    service: str
    path: str
    request_type: type[Message]
    response_type: type[Message]
    takes_stream: bool
    gives_stream: bool
    peer: str = ""
    is_self_service: bool = False

    @property
    def name(self) -> str:
        """Such as "Authorize"."""
        return self.path.rpartition("/")[2]

    @property
    def label(self) -> str:
        """Such as "ledger ledger.v1.LedgerService/Authorize", for reports."""
        return f"{self.service} {self.path.removeprefix('/purser.').removeprefix('/')}"

    def fields(self) -> Mapping[str, FieldDescriptor]:
        return self.request_type.DESCRIPTOR.fields_by_name


async def methods_of(service: str, channel: grpc.aio.Channel) -> list[Method]:
    """Return all methods that a service of the mesh serves."""
    _import_all()
    assert health_pb2.DESCRIPTOR.name  # its descriptors are in the pool because it is imported
    found = []
    for name in await _listed(channel):
        described = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]
        if name not in REFLECTION:
            described = descriptor_pool.Default().FindServiceByName(name)
        found += [_method(service, name, method) for method in described.methods]
    return sorted(found, key=lambda one: one.path)


def _method(service: str, name: str, method: MethodDescriptor) -> Method:
    access = cast(Any, method.GetOptions()).Extensions[access_pb2.access]
    return Method(
        service=service,
        path=f"/{name}/{method.name}",
        request_type=GetMessageClass(method.input_type),
        response_type=GetMessageClass(method.output_type),
        takes_stream=method.client_streaming,
        gives_stream=method.server_streaming,
        peer=access.peers[0] if access.peers and not access.roles else "",
        is_self_service=list(access.roles) == [access_pb2.ROLE_CUSTOMER],
    )


async def _listed(channel: grpc.aio.Channel) -> list[str]:
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([asked]))
    async for answer in call:
        return [one.name for one in answer.list_services_response.service]
    raise AssertionError("reflection gave no answer")


def _import_all() -> None:
    for module in pkgutil.walk_packages(purser.__path__, "purser."):
        if module.name.endswith("_pb2"):
            importlib.import_module(module.name)
