# SPDX-License-Identifier: Apache-2.0
"""How a peer is called, and what its faults mean here."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar

import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.errors import Unavailable
from meshkit.rpc.status import from_rpc_error
from services.contract.domain.errors.catalog import PeerUnavailable

T = TypeVar("T")
CALLS_AT_ONCE_MAX = 16


@asynccontextmanager
async def calling(peer: str) -> AsyncIterator[None]:
    """Raise the fault of a failed call as a MeshError: PeerUnavailable if the peer is down."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        fault = from_rpc_error(error, peer=peer)
        if isinstance(fault, Unavailable):
            raise PeerUnavailable(peer=peer, details=error.details() or error.code().name) from error
        raise fault from error


async def some_at_once(calls: Collection[Awaitable[T]]) -> list[T]:
    """Await all calls, CALLS_AT_ONCE_MAX at a time, and return the results in order. A fault cancels the rest."""
    places = asyncio.Semaphore(CALLS_AT_ONCE_MAX)

    async def in_turn(call: Awaitable[T]) -> T:
        async with places:
            return await call

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(in_turn(call)) for call in calls]
    except ExceptionGroup as faults:
        raise faults.exceptions[0] from None
    return [task.result() for task in tasks]


def instant(message: Timestamp) -> datetime:
    return message.ToDatetime(tzinfo=UTC)
