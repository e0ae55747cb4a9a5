# SPDX-License-Identifier: Apache-2.0
"""Records spans with OpenTelemetry's SDK and sends them by OTLP. Imported only while traces are on.

OpenTelemetry's own instrumentation of gRPC is an interceptor, which grpc.aio asks again at every call, and begins a
span for each call before it is sampled. Here a call that is not sampled costs a look at its metadata and a random
number.
"""

import os
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

import grpc
import grpc.aio
from grpc.aio import ClientCallDetails, Metadata
from opentelemetry.context import Context, attach
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanKind,
    StatusCode,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meshkit.errors import MeshError
from meshkit.tracing import Behaviour

# More spans than this are dropped while the collector is slow. All of them are sent at once, so that a process which
# stops while the collector is away waits for one attempt only.
SPANS_MAX: Final = 2_048
EXPORT_SECONDS_MAX: Final = 2.0
LINKS_MAX: Final = 32
TRACEPARENT: Final = "traceparent"

_W3C = TraceContextTextMapPropagator()
_UNSET: Final = 0  # what grpc.aio says of a call whose status nobody has set: OK
_CANCELLED: Final = grpc.StatusCode.CANCELLED.value[0]
# The fault is the server's; all others are the caller's. Source: OpenTelemetry's conventions for gRPC.
_SERVER_FAULTS: Final = frozenset(
    code.value[0]
    for code in (
        *(grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNIMPLEMENTED),
        *(grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DATA_LOSS),
    )
)

Attributes = Mapping[str, str | int]


class Recorder:
    """The spans of one process. service: its name. endpoint: the collector's URL; https means TLS.

    sample_ratio: 0 to 1, the share of traces that begin here which are recorded. A trace that begins elsewhere is
    recorded if its caller records it.
    """

    def __init__(self, service: str, endpoint: str, *, sample_ratio: float) -> None:
        self._sample_ratio = sample_ratio
        self._provider = TracerProvider(
            # What begins here is sampled before a span is made of it.
            sampler=ParentBased(ALWAYS_ON),
            resource=Resource.create(
                {
                    "service.name": service,
                    "service.namespace": "purser",
                    "service.instance.id": f"{os.uname().nodename}:{os.getpid()}",
                }
            ),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS_MAX),
                max_queue_size=SPANS_MAX,
                max_export_batch_size=SPANS_MAX,
            )
        )
        self._tracer = self._provider.get_tracer("purser")

    def stop(self) -> None:
        """Send what is recorded, if the collector takes it, and end."""
        self._provider.shutdown()

    def served(self, rpc: str, answer: Behaviour) -> Behaviour:
        name, attributes = rpc.removeprefix("/"), _rpc_attributes(rpc)

        async def traced(requests: Any, context: Any) -> Any:
            parent = self._parent(_metadata_of(context))
            if parent is None:
                return await answer(requests, context)
            if not _is_recorded(parent):
                attach(parent)  # the call's task ends with it, so nothing is detached
                return await answer(requests, context)
            with self._begun(name, parent, SpanKind.SERVER, attributes) as span:
                code = _CANCELLED
                try:
                    response = await answer(requests, context)
                    code = _UNSET
                except Exception:
                    code = _number(context.code())
                    raise
                finally:
                    _end_rpc(span, code)
            return response

        return traced

    def served_http(self, app: ASGIApp) -> ASGIApp:
        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            parent = self._parent(_header_of(scope)) if scope["type"] == "http" else None
            if parent is None or not _is_recorded(parent):
                return await app(scope, receive, send)
            attributes = {"http.request.method": scope["method"], "url.path": scope["path"]}
            with self._begun(f"{scope['method']}", parent, SpanKind.SERVER, attributes) as span:

                async def sent(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        span.set_attribute("http.response.status_code", message["status"])
                    await send(message)

                return await app(scope, receive, sent)

        return traced

    def client_interceptor(self) -> grpc.aio.ClientInterceptor:
        return _CallSpans(self)

    @contextmanager
    def call(self, method: str) -> Iterator[tuple[Span, str | None]]:
        """Yield the span of an outgoing call, and what the called service is to receive as traceparent."""
        present = get_current_span()
        if present.is_recording():
            attributes = _rpc_attributes(method)
            with self._begun(method.removeprefix("/"), None, SpanKind.CLIENT, attributes) as span:
                yield span, _traceparent()
        else:
            yield present, _traceparent()

    @contextmanager
    def span(self, name: str, attributes: Attributes) -> Iterator[None]:
        present = get_current_span()
        is_new = present is INVALID_SPAN and random.random() < self._sample_ratio
        if not present.is_recording() and not is_new:
            yield
            return
        with self._begun(name, None, SpanKind.INTERNAL, attributes) as span:
            try:
                yield
            except Exception as error:
                cause = error.reason if isinstance(error, MeshError) else type(error).__name__
                span.set_status(StatusCode.ERROR, cause)
                raise

    def current(self) -> object | None:
        span = get_current_span()
        return span if span.is_recording() else None

    @contextmanager
    def joint_span(self, name: str, causes: Sequence[object], attributes: Attributes) -> Iterator[None]:
        spans = cast(Sequence[Span], causes)
        links = [Link(one.get_span_context()) for one in spans[1:LINKS_MAX]]
        parent = set_span_in_context(spans[0], Context())
        with self._begun(name, parent, SpanKind.INTERNAL, attributes, links):
            yield

    def mark(self, name: str) -> Span | None:
        return self._tracer.start_span(name) if get_current_span().is_recording() else None

    def forget(self) -> None:
        attach(Context())

    def ids(self) -> Mapping[str, str]:
        context = get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}

    def _parent(self, traceparent: str | None) -> Context | None:
        """Return the context to begin a span in; None: this call is not sampled, and begins no trace."""
        if traceparent is not None:
            parent = _W3C.extract({TRACEPARENT: traceparent}, Context())
            if get_current_span(parent) is not INVALID_SPAN:
                return parent
        return Context() if random.random() < self._sample_ratio else None

    @contextmanager
    def _begun(
        self,
        name: str,
        parent: Context | None,
        kind: SpanKind,
        attributes: Attributes,
        links: Sequence[Link] = (),
    ) -> Iterator[Span]:
        span = self._tracer.start_span(name, parent, kind, attributes, links)
        # Texts of exceptions may name customers, so they stay in the log.
        with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            yield span


class _CallSpans(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def intercept_unary_unary(
        self,
        continuation: Callable[[ClientCallDetails, Any], Awaitable[Any]],
        client_call_details: ClientCallDetails,
        request: Any,
    ) -> Any:
        method = client_call_details.method
        name = method.decode() if isinstance(method, bytes) else method
        with self._recorder.call(name) as (span, traceparent):
            if traceparent is None:
                return await continuation(client_call_details, request)
            details = client_call_details
            call = await continuation(
                ClientCallDetails(
                    details.method,
                    details.timeout,
                    Metadata(*(details.metadata or ()), (TRACEPARENT, traceparent)),
                    details.credentials,
                    details.wait_for_ready,
                ),
                request,
            )
            if span.is_recording():
                _end_rpc(span, _number(await call.code()))
            return call


def _is_recorded(context: Context) -> bool:
    """Whether a span that begins in this context is recorded: its caller records it, or it has none."""
    span = get_current_span(context)
    return span is INVALID_SPAN or span.get_span_context().trace_flags.sampled


def _traceparent() -> str | None:
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get(TRACEPARENT)


def _metadata_of(context: Any) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == TRACEPARENT:
            return value if isinstance(value, str) else None
    return None


def _header_of(scope: Scope) -> str | None:
    for key, value in scope["headers"]:
        if key == TRACEPARENT.encode():
            return cast(bytes, value).decode("latin-1")
    return None


def _rpc_attributes(rpc: str) -> dict[str, str | int]:
    service, _, method = rpc.removeprefix("/").partition("/")
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}


def _number(code: Any) -> int:
    return cast(int, code.value[0] if isinstance(code, grpc.StatusCode) else code or _UNSET)


def _end_rpc(span: Span, code: int) -> None:
    span.set_attribute("rpc.grpc.status_code", code)
    if code in _SERVER_FAULTS:
        span.set_status(StatusCode.ERROR)
