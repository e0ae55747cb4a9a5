# SPDX-License-Identifier: Apache-2.0
"""Makes a call as bytes, and judges its answer."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc.aio
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc.aio import AioRpcError

from meshkit.errors import MeshError
from meshkit.rpc.status import from_rpc_error
from tests.fuzz.methods import Method
from tests.fuzz.requests import Attempt, Metadata

ANSWER_SECONDS_MAX = 30.0

# Each says that something is broken, whatever the request was.
BROKEN = frozenset(
    {
        StatusCode.INTERNAL,
        StatusCode.UNKNOWN,
        StatusCode.DATA_LOSS,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.CANCELLED,
        StatusCode.UNAVAILABLE,
        StatusCode.OUT_OF_RANGE,
    }
)
# What grpc.aio's client says, instead of the server's answer, if the answer arrives while it still sends its stream.
LOST_WRITE = "Internal error from Core"
_BROKEN_NUMBERS = {code.value[0] for code in BROKEN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a call ended. reason: of a fault. fault: what is wrong with the answer, in one line; empty if nothing is."""

    code: StatusCode
    reason: str
    fault: str
    response: Message | None = None


@dataclass(frozen=True, slots=True)
class Channels:
    """One connection to each service of the mesh, for one caller."""

    by_service: dict[str, grpc.aio.Channel]

    async def close(self) -> None:
        for channel in self.by_service.values():
            await channel.close()


def open_channels(addresses: dict[str, str]) -> Channels:
    """Connect a caller. The only place where the fuzzer opens channels, so the place for credentials."""
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1))
    return Channels(
        {
            service: grpc.aio.insecure_channel(address, options=options)
            for service, address in addresses.items()
        }
    )


async def make(channels: Channels, attempt: Attempt) -> Answer:
    """Make a call and return its answer. Raises nothing but CancelledError."""
    channel = channels.by_service[attempt.method.service]
    call = asyncio.create_task(_called(channel, attempt.method, attempt.bodies, attempt.metadata))
    if attempt.hangs_up_after is not None:
        await asyncio.wait([call], timeout=attempt.hangs_up_after)
        if not call.done():
            call.cancel()
            await asyncio.wait([call])
            return Answer(code=StatusCode.CANCELLED, reason="hung up", fault="")
    try:
        raw = await call
    except AioRpcError as error:
        return _refused(error)
    try:
        response = attempt.method.response_type.FromString(raw)
    except DecodeError:
        return Answer(code=StatusCode.OK, reason="", fault="its response cannot be read")
    broken = [one for one in _statuses(response) if one.code in _BROKEN_NUMBERS]
    return Answer(
        code=StatusCode.OK,
        reason="",
        fault=f"an item ended with {broken[0].code}: {broken[0].message}" if broken else "",
        response=response,
    )


def _refused(error: AioRpcError) -> Answer:
    code = error.code()
    if error.details() == LOST_WRITE:
        return Answer(code=StatusCode.CANCELLED, reason="answer lost", fault="")
    told: MeshError = from_rpc_error(error)
    fault = f"{code.name}: {error.details()}" if code in BROKEN else ""
    return Answer(code=code, reason=told.reason, fault=fault)


async def _called(
    channel: grpc.aio.Channel, method: Method, bodies: Sequence[bytes], metadata: Metadata
) -> bytes:
    more: dict[str, Any] = {"timeout": ANSWER_SECONDS_MAX, "metadata": metadata}
    if method.gives_stream:
        call = (
            channel.stream_stream(method.path)(_each(bodies), **more)
            if method.takes_stream
            else channel.unary_stream(method.path)(bodies[0], **more)
        )
        return await _first(call)
    if method.takes_stream:
        return bytes(await channel.stream_unary(method.path)(_each(bodies), **more))
    return bytes(await channel.unary_unary(method.path)(bodies[0], **more))


async def _each(bodies: Sequence[bytes]) -> AsyncIterator[bytes]:
    for body in bodies:
        yield body


async def _first(call: Any) -> bytes:
    """Return the first message of a stream, which need not end; no bytes if it ends without one."""
    try:
        async for raw in call:
            return bytes(raw)
        return b""
    finally:
        call.cancel()


def _statuses(message: Message) -> Iterator[Status]:
    for described, value in message.ListFields():
        if described.message_type is None or described.message_type.GetOptions().map_entry:
            continue
        for item in value if described.is_repeated else (value,):
            if isinstance(item, Status):
                yield item
            else:
                yield from _statuses(item)
