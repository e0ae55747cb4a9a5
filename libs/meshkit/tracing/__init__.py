# SPDX-License-Identifier: Apache-2.0
"""Traces of calls, by OpenTelemetry, while the settings of the process name a collector.

Otherwise nothing of it is imported, and each function here costs one comparison. One per process, like its metrics.
What becomes a span: services/README.md, "Traces".
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, Protocol

from meshkit.errors import FailedPrecondition

if TYPE_CHECKING:
    import grpc.aio
    from starlette.types import ASGIApp

    from meshkit.tracing.recorder import Recorder

Behaviour = Callable[[Any, Any], Awaitable[Any]]

_NO_IDS: Final[Mapping[str, str]] = {}
_NO_SPAN: Final[AbstractContextManager[None]] = nullcontext()

_recorder: "Recorder | None" = None


class TracesSettings(Protocol):
    """What a process's settings say about traces."""

    @property
    def traces_endpoint(self) -> str: ...
    @property
    def traces_sample_ratio(self) -> float: ...


class Mark(Protocol):
    """A span that has begun and that is nobody's parent."""

    def end(self) -> None: ...


class TracesNotInstalled(FailedPrecondition):
    """The settings name a collector, and the packages that send traces are not installed."""

    reason = "TRACES_NOT_INSTALLED"

    def __init__(self) -> None:
        super().__init__(
            "a collector of traces is configured, but OpenTelemetry is not installed; install purser[traces], "
            "or leave TRACES_ENDPOINT empty"
        )


@contextmanager
def traces(service: str, settings: TracesSettings) -> Iterator[None]:
    """Record traces of this process, if its settings name a collector, until the block ends; then send the last ones.

    Enter it before servers and channels are made. Raises TracesNotInstalled.
    """
    global _recorder
    if not settings.traces_endpoint:
        yield
        return
    try:
        from meshkit.tracing.recorder import Recorder
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == "opentelemetry":
            raise TracesNotInstalled from error
        raise

    recorder = Recorder(service, settings.traces_endpoint, sample_ratio=settings.traces_sample_ratio)
    _recorder = recorder
    try:
        yield
    finally:
        _recorder = None
        recorder.stop()


def served(rpc: str, answer: Behaviour) -> Behaviour:
    """Return the behaviour of an rpc, by its full name, with a span for each call that is sampled."""
    return answer if _recorder is None else _recorder.served(rpc, answer)


def served_http(app: "ASGIApp") -> "ASGIApp":
    """Return an ASGI application with a span for each request that is sampled."""
    return app if _recorder is None else _recorder.served_http(app)


def client_interceptors() -> "Sequence[grpc.aio.ClientInterceptor]":
    """Return what makes a channel's calls belong to the trace of whoever makes them."""
    return () if _recorder is None else (_recorder.client_interceptor(),)


def span(name: str, **attributes: str | int) -> AbstractContextManager[None]:
    """Return a block that is one span: part of the present trace or, if there is none and it is sampled, a new one."""
    return _NO_SPAN if _recorder is None else _recorder.span(name, attributes)


def current() -> object | None:
    """Return the present span if it is recorded, as joint_span takes it."""
    return None if _recorder is None else _recorder.current()


def joint_span(name: str, causes: Sequence[object], **attributes: int) -> AbstractContextManager[None]:
    """Return a block that is one span of work for several others: part of the first one's trace, linked to the rest."""
    return _NO_SPAN if _recorder is None else _recorder.joint_span(name, causes, attributes)


def mark(name: str) -> Mark | None:
    """Begin a span without children inside the present one; None if that is not recorded. The caller ends it."""
    return None if _recorder is None else _recorder.mark(name)


def forget() -> None:
    """Leave the trace, in a task that outlives the work that started it."""
    if _recorder is not None:
        _recorder.forget()


def ids() -> Mapping[str, str]:
    """Return trace_id and span_id of the present span, for the log; empty if there is none."""
    return _NO_IDS if _recorder is None else _recorder.ids()
