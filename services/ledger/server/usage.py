# SPDX-License-Identifier: Apache-2.0
"""The servicer for reported usage: per rpc, request → operation → response."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from grpc.aio import ServicerContext

from purser.ledger.v1 import usage_pb2 as pb
from purser.ledger.v1 import usage_pb2_grpc
from services.ledger.domain.usage.event import EventResult, RecordEvent
from services.ledger.operations import Operations
from services.ledger.operations.gate.batch import GateRpc
from services.ledger.wire.usage import corrections, events, imports

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["UsageService"].full_name

EVENT: Final[GateRpc[pb.UsageEvent, EventResult, pb.UsageResult]] = GateRpc(
    read=events.event_from_wire, write=events.result_to_wire
)

READ_AT_ONCE = 32

Context = ServicerContext[Any, Any]


class UsageServicer(usage_pb2_grpc.UsageServiceServicer):
    """purser.ledger.v1.UsageService; the proto states the promise of each rpc."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def RecordUsage(self, request: pb.RecordUsageRequest, context: Context) -> pb.RecordUsageResponse:
        events.check_size(request)
        results: list[pb.UsageResult] = await self._do.intake.call_all(request.events, EVENT)
        return pb.RecordUsageResponse(results=results)

    async def ImportUsage(
        self, request_iterator: AsyncIterator[pb.ImportUsageRequest], context: Context
    ) -> pb.ImportUsageResponse:
        tally = await self._do.imports.run(_chunks(request_iterator))
        return imports.tally_to_wire(tally)

    async def VoidUsage(self, request: pb.VoidUsageRequest, context: Context) -> pb.VoidUsageResponse:
        command = corrections.void_from_wire(request)
        corrected = await self._do.corrections.void(command)
        return corrections.void_to_wire(corrected)


async def _chunks(requests: AsyncIterator[pb.ImportUsageRequest]) -> AsyncIterator[list[RecordEvent]]:
    """Read chunks a few events at a time: a thousand at once would keep the gate waiting."""
    async for request in requests:
        events.check_size(request)
        chunk = []
        for number, event in enumerate(request.events, start=1):
            chunk.append(events.event_from_wire(event))
            if number % READ_AT_ONCE == 0:
                await asyncio.sleep(0)
        yield chunk
