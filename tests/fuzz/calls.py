# SPDX-License-Identifier: Apache-2.0
"""Makes a call as bytes, and judges its answer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import grpc.aio
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc.aio import AioRpcError

from deploy.local.identity import TRUST_DOMAIN
from deploy.local.mesh import Secured
from meshkit.errors import MeshError
from meshkit.rpc.status import from_rpc_error
from meshkit.rpc.tls import Certificate, channel_credentials, server_name
from tests.fuzz.methods import Method
from tests.fuzz.requests import AUTHORIZATION, Attempt, Metadata

ROLES = ("gate", "usage", "payments", "security", "operator", "viewer")
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
    """One caller's connections: to each service with a token, and as each peer that a service has methods for."""

    by_service: dict[str, grpc.aio.Channel]
    by_peer: dict[tuple[str, str], grpc.aio.Channel] = field(default_factory=dict)
    token: str = ""
    customer_token: Callable[[str], str] = str

    def of(self, method: Method) -> grpc.aio.Channel:
        return self.by_peer[method.service, method.peer] if method.peer else self.by_service[method.service]

    def metadata_of(self, attempt: Attempt) -> Metadata:
        """Return the attempt's metadata, with the caller's token unless it has another."""
        is_named = any(key == AUTHORIZATION for key, _ in attempt.metadata)
        if is_named or attempt.method.peer or not self.token:
            return attempt.metadata
        token = self.customer_token(attempt.customer_id) if attempt.method.is_self_service else self.token
        return (*attempt.metadata, (AUTHORIZATION, f"Bearer {token}"))

    async def close(self) -> None:
        for channel in (*self.by_service.values(), *self.by_peer.values()):
            await channel.close()


def open_channels(addresses: Mapping[str, str], access: Secured) -> Channels:
    """Connect a caller with all roles, who can also show the certificate of each service.

    The only place where the fuzzer opens channels.
    """
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1))
    identity = access.identity
    files = identity.files
    by_peer = {}
    for peer in addresses:
        certificate = Certificate(
            files.chain(peer).read_bytes(), files.key(peer).read_bytes(), files.authority.read_bytes()
        )
        for service, address in access.peer_addresses.items():
            name = ("grpc.ssl_target_name_override", server_name(service, TRUST_DOMAIN))
            by_peer[service, peer] = grpc.aio.secure_channel(
                address, channel_credentials(certificate), options=(*options, name)
            )
    return Channels(
        by_service={
            service: grpc.aio.secure_channel(address, identity.credentials(), options=options)
            for service, address in addresses.items()
        },
        by_peer=by_peer,
        token=identity.token(*ROLES, subject="fuzzer"),
        customer_token=cache(lambda customer: identity.token("customer", subject="ann", customer=customer)),
    )


async def make(channels: Channels, attempt: Attempt) -> Answer:
    """Make a call and return its answer. Raises nothing but CancelledError."""
    channel, metadata = channels.of(attempt.method), channels.metadata_of(attempt)
    call = asyncio.create_task(_called(channel, attempt.method, attempt.bodies, metadata))
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
