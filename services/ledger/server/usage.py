# SPDX-License-Identifier: Apache-2.0
"""The servicer for reported usage: per rpc, request → operation → response."""

from collections.abc import AsyncIterator
from typing import Any, Final

from grpc.aio import ServicerContext

from purser.ledger.v1 import usage_pb2 as pb
from purser.ledger.v1 import usage_pb2_grpc
from services.ledger.operations import Operations
from services.ledger.wire.usage import corrections, events, imports

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["UsageService"].full_name

Context = ServicerContext[Any, Any]


class UsageServicer(usage_pb2_grpc.UsageServiceServicer):
    """purser.ledger.v1.UsageService; the proto states the promise of each rpc."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def RecordUsage(self, request: pb.RecordUsageRequest, context: Context) -> pb.RecordUsageResponse:
        commands = events.events_from_wire(request)
        results = await self._do.intake.record(commands)
        return events.results_to_wire(results)

    async def ImportUsage(
        self, request_iterator: AsyncIterator[pb.ImportUsageRequest], context: Context
    ) -> pb.ImportUsageResponse:
        chunks = (events.events_from_wire(request) async for request in request_iterator)
        tally = await self._do.imports.run(chunks)
        return imports.tally_to_wire(tally)

    async def VoidUsage(self, request: pb.VoidUsageRequest, context: Context) -> pb.VoidUsageResponse:
        command = corrections.void_from_wire(request)
        corrected = await self._do.corrections.void(command)
        return corrections.void_to_wire(corrected)
