# SPDX-License-Identifier: Apache-2.0
"""The servicer for reported usage: per rpc, request → operation → response."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from grpc.aio import ServicerContext

from meshkit.rpc.intake import MESSAGE_BYTES_MAX
from purser.ledger.v1 import usage_pb2 as pb
from purser.ledger.v1 import usage_pb2_grpc
from services.ledger.domain.usage.event import EventResult, RecordEvent
from services.ledger.operations import Operations
from services.ledger.operations.gate.batch import GateRpc
from services.ledger.wire.usage import corrections, events, history, imports, reads, rerates

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["UsageService"].full_name

EVENT: Final[GateRpc[pb.UsageEvent, EventResult, pb.UsageResult]] = GateRpc(
    read=events.event_from_wire, write=events.result_to_wire
)

READ_AT_ONCE = 32

BYTES_MAX: Final = dict.fromkeys(("RecordUsage", "ImportUsage"), MESSAGE_BYTES_MAX)

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

    async def AmendUsage(self, request: pb.AmendUsageRequest, context: Context) -> pb.AmendUsageResponse:
        command = corrections.amend_from_wire(request)
        corrected = await self._do.corrections.amend(command)
        return corrections.amend_to_wire(corrected)

    async def RerateUsage(self, request: pb.RerateUsageRequest, context: Context) -> pb.RerateUsageResponse:
        command = rerates.rerate_from_wire(request)
        job = await self._do.rerates.start(command)
        return rerates.rerate_to_wire(job)

    async def GetRerateJob(
        self, request: pb.GetRerateJobRequest, context: Context
    ) -> pb.GetRerateJobResponse:
        job = await self._do.rerates.get(rerates.job_id_from_wire(request))
        return rerates.job_to_wire(job)

    async def ListRerateJobs(
        self, request: pb.ListRerateJobsRequest, context: Context
    ) -> pb.ListRerateJobsResponse:
        page = rerates.list_from_wire(request)
        jobs = await self._do.rerates.jobs(page)
        return rerates.list_to_wire(jobs, page)

    async def GetUsage(self, request: pb.GetUsageRequest, context: Context) -> pb.GetUsageResponse:
        query = reads.usage_from_wire(request)
        found = await self._do.usage.sums(query.question, query.page)
        return reads.usage_to_wire(found, query)

    async def ListUsageEvents(
        self, request: pb.ListUsageEventsRequest, context: Context
    ) -> pb.ListUsageEventsResponse:
        query = history.events_from_wire(request)
        found = await self._do.usage.events(query.customer, query.asked, query.page)
        return history.events_to_wire(found, query)

    async def ListTopSpenders(
        self, request: pb.ListTopSpendersRequest, context: Context
    ) -> pb.ListTopSpendersResponse:
        question = reads.spenders_from_wire(request)
        found = await self._do.usage.top_spenders(question)
        return reads.spenders_to_wire(found)

    async def ExplainEntry(
        self, request: pb.ExplainEntryRequest, context: Context
    ) -> pb.ExplainEntryResponse:
        customer, credit_type_id, sequence = history.entry_from_wire(request)
        origin = await self._do.usage.origin(customer, credit_type_id, sequence)
        return history.origin_to_wire(origin, credit_type_id)

    async def ListGrantUsage(
        self, request: pb.ListGrantUsageRequest, context: Context
    ) -> pb.ListGrantUsageResponse:
        query = history.grant_uses_from_wire(request)
        rows = await self._do.usage.grant_uses(query.customer, query.grant_id, query.page)
        return history.grant_uses_to_wire(rows, query)


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
