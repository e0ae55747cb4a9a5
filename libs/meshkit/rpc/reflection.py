# SPDX-License-Identifier: Apache-2.0
"""Server reflection, v1 and v1alpha, so that `grpcurl -plaintext localhost:PORT list` works with any version.

grpcio-reflection implements v1alpha only. v1 is the same protocol under another name, with the same messages on the
wire, so one servicer answers both.
"""

from collections.abc import Sequence

import grpc
import grpc.aio
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

V1_NAME = "grpc.reflection.v1.ServerReflection"


def add_reflection(server: grpc.aio.Server, service_names: Sequence[str]) -> None:
    """Let clients query the server's services and their descriptors."""
    servicer = reflection.aio.ReflectionServicer(
        service_names=(*service_names, reflection.SERVICE_NAME, V1_NAME)
    )
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
    v1 = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_registered_method_handlers(V1_NAME, {"ServerReflectionInfo": v1})
