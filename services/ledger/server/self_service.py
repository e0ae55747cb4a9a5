# SPDX-License-Identifier: Apache-2.0
"""The servicer for customers: per rpc, request → operation → response."""

from typing import Any, Final

from grpc.aio import ServicerContext

from purser.ledger.v1 import self_service_pb2 as pb
from purser.ledger.v1 import self_service_pb2_grpc
from services.ledger.operations import Operations
from services.ledger.wire.gate import caps

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["SelfService"].full_name

Context = ServicerContext[Any, Any]


class SelfServiceServicer(self_service_pb2_grpc.SelfServiceServicer):
    """purser.ledger.v1.SelfService; the proto states the promise of each rpc."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def SetOwnSpendCap(
        self, request: pb.SetOwnSpendCapRequest, context: Context
    ) -> pb.SetOwnSpendCapResponse:
        command = caps.set_own_from_wire(request)
        cap = await self._do.caps.set(command)
        return caps.set_own_to_wire(cap)

    async def RemoveOwnSpendCap(
        self, request: pb.RemoveOwnSpendCapRequest, context: Context
    ) -> pb.RemoveOwnSpendCapResponse:
        command = caps.remove_own_from_wire(request)
        await self._do.caps.remove(command)
        return pb.RemoveOwnSpendCapResponse()
