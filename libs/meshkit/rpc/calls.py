# SPDX-License-Identifier: Apache-2.0
"""Wraps every rpc: sets the deadline, maps errors to faults, counts calls. A success is not logged.

This is not a grpc.aio interceptor: grpc.aio asks interceptors again at every call, at some 20 µs of server CPU.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, NoReturn, Protocol, TypeAlias

import grpc
import structlog
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from grpc.aio import AbortError, AioRpcError, InternalError, ServicerContext, UsageError

from meshkit import tracing
from meshkit.errors import Invalid, MeshError, Unimplemented
from meshkit.faults import DatabaseUnavailable, database_text, fault_of
from meshkit.metrics import RpcMeter
from meshkit.recording import CallRecorder, RpcRecorder
from meshkit.rpc import deadline
from meshkit.rpc.intake import REQUEST_BYTES_MAX, Intake, MessageTooLarge
from meshkit.rpc.status import CODES, DETAILS_KEY, INTERNAL_TEXT, from_rpc_error, to_status

LOG_EVERY_SECONDS = 1.0

Behaviour = Callable[[Any, Any], Awaitable[Any]]
Handler: TypeAlias = Any  # grpc.RpcMethodHandler, whose types leave out its attributes

# Checks whether a call may be made. It raises a fault if not. It returns an awaitable if that takes a while.
Admit = Callable[[Any], Awaitable[None] | None]

Parse = Callable[[bytes], Any]
Read = Callable[[Any, Any], Awaitable[Any]]

log = structlog.get_logger(__name__)


class MessageMalformed(Invalid):
    """The bytes of a request are not a message of its type, or a text in it is not UTF-8."""

    reason = "MESSAGE_MALFORMED"

    def __init__(self) -> None:
        super().__init__(
            "the request is not a message of this rpc, or a text in it is not UTF-8; build it with the stubs"
        )


class MethodUnimplemented(Unimplemented):
    """The method is in the proto, but this server does not have it, such as the List of grpc.health.v1."""

    reason = "METHOD_UNIMPLEMENTED"

    def __init__(self) -> None:
        super().__init__("this server does not implement the method")


class AccessControl(Protocol):
    """Knows who may call which rpc; libs/access implements it."""

    def admission(self, rpc: str) -> Admit:
        """Return the check of one rpc, by its full name. Raises if nothing is said about the rpc."""
        ...


class CallWrapper:
    """Wraps the rpcs of one service.

    name: the service that defines the reasons of its faults. intake: of its server. recorder: records refused calls.
    """

    def __init__(
        self, name: str, access: AccessControl, intake: Intake, recorder: CallRecorder | None = None
    ) -> None:
        self._name = name
        self._access = access
        self._intake = intake
        self._recorder = recorder
        self._domain = f"{name}.purser"
        self._database_logged = 0.0

    def wrap(
        self,
        method: str,
        handler: Handler,
        *,
        bytes_max: int = REQUEST_BYTES_MAX,
        is_open: bool = False,
        is_exempt: bool = False,
    ) -> Handler:
        """Return the wrapped handler, which takes a stream of requests (see intake.py).

        method: its full name. bytes_max: the largest request. is_open: everyone may call it. is_exempt: also while the
        server is full.
        """
        parse = handler.request_deserializer
        read: Read
        if handler.request_streaming:
            read = partial(self._read_stream, parse, bytes_max=bytes_max)
        else:
            read = partial(self._read_one, parse, bytes_max=bytes_max, is_exempt=is_exempt)
        behaviour: Behaviour
        if handler.response_streaming:
            make = grpc.stream_stream_rpc_method_handler
            behaviour = partial(_write_all, handler.unary_stream or handler.stream_stream)
        else:
            make = grpc.stream_unary_rpc_method_handler
            behaviour = handler.unary_unary or handler.stream_unary
        admit = _admit_everyone if is_open else self._access.admission(method)
        recorder = None if is_open or self._recorder is None else self._recorder.of(method)
        if recorder is not None:
            read = partial(_begun, read, recorder)
        # gRPC would answer bytes that are no message with UNKNOWN and the name of a Python class, and log a traceback.
        answer = self._wrap_behaviour(method, behaviour, read, admit, recorder, is_exempt=is_exempt)
        return make(
            answer if is_exempt else tracing.served(method, answer),
            request_deserializer=None,
            response_serializer=handler.response_serializer,
        )

    def _wrap_behaviour(
        self,
        method: str,
        behaviour: Behaviour,
        read: Read,
        admit: Admit,
        recorder: RpcRecorder | None,
        *,
        is_exempt: bool,
    ) -> Behaviour:
        intake = self._intake
        meter = RpcMeter(self._name, method)
        clock = time.perf_counter

        async def answer(requests: Any, context: ServicerContext[Any, Any]) -> Any:
            began = clock()
            deadline.begin(context.time_remaining())
            try:
                if not is_exempt:
                    intake.require_room()  # first, because it costs least
                if (pending := admit(context)) is not None:
                    await pending
                response = await behaviour(await read(requests, context), context)
            except asyncio.CancelledError:
                # The caller disconnected or its deadline passed. That is not our fault, and nobody waits for a reply.
                meter.count(clock() - began, "CANCELLED")
                raise
            except AbortError:
                # A servicer of a library, such as health, has sent a status itself.
                meter.count(clock() - began, grpc.StatusCode(context.code()).name)
                raise
            except InternalError:
                # gRPC could not send what a servicer of a library wrote: the caller disconnected just then.
                meter.count(clock() - began, "CANCELLED")
                with suppress(UsageError):  # the servicer may have ended the call itself
                    await context.abort(grpc.StatusCode.CANCELLED, "the answer could not be sent")
                raise
            except Exception as error:
                status, code, reason = self._status_of(error, method)
                meter.count(clock() - began, code.name, reason)
                if recorder is not None and isinstance(error, MeshError):
                    await recorder.refused(context, error)
                await _abort(context, code, status)
            meter.count(clock() - began, "OK")
            return response

        return answer

    async def _read_one(self, parse: Parse, _: Any, context: Any, *, bytes_max: int, is_exempt: bool) -> Any:
        return _parsed(parse, await self._intake.read(context, bytes_max=bytes_max, is_exempt=is_exempt))

    async def _read_stream(self, parse: Parse, raws: Any, context: Any, *, bytes_max: int) -> Any:
        self._intake.enter(context)
        return _messages(parse, raws, bytes_max)

    def _status_of(self, error: Exception, method: str) -> tuple[Status, grpc.StatusCode, str]:
        fault = _fault_of(error)
        if fault is None:
            log.error("rpc_failed", rpc=method, exc_info=error)
            return (
                Status(code=grpc.StatusCode.INTERNAL.value[0], message=INTERNAL_TEXT),
                grpc.StatusCode.INTERNAL,
                "",
            )
        if isinstance(fault, DatabaseUnavailable):
            self._log_database(method, error)
        return to_status(fault, self._domain), CODES[fault.kind], fault.reason

    def _log_database(self, method: str, error: Exception) -> None:
        """Log that the database is unavailable, at most once a second instead of once per call."""
        now = time.monotonic()
        if now - self._database_logged >= LOG_EVERY_SECONDS:
            self._database_logged = now
            cause = database_text(error) or f"{type(error).__name__}: {error}"
            log.warning("database_unavailable", rpc=method, error=cause)


def _admit_everyone(context: object) -> None:
    """Admit a call of health or reflection."""


def _parsed(parse: Parse, raw: bytes) -> Any:
    try:
        return parse(raw)
    except DecodeError as error:
        raise MessageMalformed from error


async def _begun(read: Read, recorder: RpcRecorder, requests: Any, context: Any) -> Any:
    request = await read(requests, context)
    recorder.begin(request)
    return request


async def _messages(parse: Parse, raws: AsyncIterator[bytes], bytes_max: int) -> AsyncIterator[Any]:
    async for raw in raws:
        if len(raw) > bytes_max:
            raise MessageTooLarge(size=len(raw), largest=bytes_max)
        yield _parsed(parse, raw)


async def _write_all(behaviour: Behaviour, request: Any, context: ServicerContext[Any, Any]) -> None:
    """Carry out a method with a stream of responses: it yields them, or writes them itself."""
    responses = behaviour(request, context)
    if isinstance(responses, AsyncGenerator):
        # Closed at once when the caller disconnects: what it holds must not wait for a garbage collection.
        async with aclosing(responses):
            async for response in responses:
                await context.write(response)
    else:
        await responses


def _fault_of(error: Exception) -> MeshError | None:
    if isinstance(error, MeshError):
        return error
    if isinstance(error, NotImplementedError):
        return MethodUnimplemented()
    if isinstance(error, AioRpcError):
        return from_rpc_error(error)
    return fault_of(error)


async def _abort(context: ServicerContext[Any, Any], code: grpc.StatusCode, status: Status) -> NoReturn:
    await context.abort(code, status.message, ((DETAILS_KEY, status.SerializeToString()),))
