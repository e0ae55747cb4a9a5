# SPDX-License-Identifier: Apache-2.0
"""A collector of traces: an OTLP receiver over gRPC that keeps what it is sent."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SentSpan:
    """A span and the service.name of the process that sent it."""

    service: str
    span: Span

    @property
    def name(self) -> str:
        return self.span.name

    @property
    def trace_id(self) -> str:
        return self.span.trace_id.hex()

    @property
    def attributes(self) -> dict[str, str | int]:
        return {
            one.key: one.value.int_value if one.value.HasField("int_value") else one.value.string_value
            for one in self.span.attributes
        }


@dataclass(frozen=True, slots=True)
class TracesTo:
    """Settings of traces, for a process that is made by a test itself."""

    traces_endpoint: str
    traces_sample_ratio: float


@dataclass(slots=True)
class TraceCollector(trace_service_pb2_grpc.TraceServiceServicer):
    """address: http://host:port, as TRACES_ENDPOINT takes it. spans: in the order of arrival."""

    address: str = ""
    spans: list[SentSpan] = field(default_factory=list)
    arrival: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def Export(self, request: Any, context: Any) -> Any:
        for resource in request.resource_spans:
            named = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.spans += [
                SentSpan(service=named["service.name"], span=span)
                for scope in resource.scope_spans
                for span in scope.spans
            ]
        async with self.arrival:
            self.arrival.notify_all()
        return pb.ExportTraceServiceResponse()

    async def until(
        self, names: set[tuple[str, str]], is_wanted: Callable[[SentSpan], bool]
    ) -> Sequence[SentSpan]:
        """Return the wanted spans once some have these names. Raises TimeoutError after a minute.

        names: each with the service that sends it, because a call is a span of both of its ends.
        """

        def wanted() -> list[SentSpan]:
            return [one for one in self.spans if is_wanted(one)]

        async with asyncio.timeout(SECONDS_MAX), self.arrival:
            await self.arrival.wait_for(lambda: names <= {(one.service, one.name) for one in wanted()})
        return wanted()


@asynccontextmanager
async def trace_collector() -> AsyncIterator[TraceCollector]:
    """Yield a collector on a free port that accepts traces until the block ends."""
    collector = TraceCollector()
    server = grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    collector.address = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(None)
