# SPDX-License-Identifier: Apache-2.0
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc.aio import AioRpcError
from sqlalchemy import MetaData, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.schema import CreateSchema

from access import CLOCK, Caller, current_caller
from access.control import INSECURE, OpenAccess
from audit import AuditTrail, audit_events_table
from meshkit.clock import ManualClock
from meshkit.db import open_engine
from meshkit.errors import InvalidFields
from meshkit.ids import Ids
from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from meshkit.rpc.server import Listener, RunningServer, start_server
from meshkit.rpc.status import from_rpc_error
from purser.sandbox.v1 import clock_pb2, clock_pb2_grpc
from sandbox import SandboxClock, load_sandbox_time, sandbox_clock_table
from sandbox.servicer import JUMP_MAX
from tests.support.postgres import Databases

JUNE = datetime(2025, 6, 1, tzinfo=UTC)
YEAR_9000 = datetime(9000, 1, 1, tzinfo=UTC)
JULY = datetime(2025, 7, 1, tzinfo=UTC)


class Sandboxed:
    """A service in sandbox mode: its clock, the calls it got, and a stub to call it."""

    def __init__(self, name: str, engine: AsyncEngine, diary: list[tuple[str, datetime]]) -> None:
        self.name = name
        self.clock = ManualClock(JUNE)
        self.engine = engine
        metadata = MetaData()
        self.table = sandbox_clock_table(metadata, name)
        self.audit_events = audit_events_table(metadata, name)
        self.callers: list[Caller] = []
        self.diary = diary
        self.broken = False
        self.server: RunningServer
        self.channel: grpc.aio.Channel

    async def run_due(self, at: datetime) -> None:
        if self.broken:
            raise ConnectionResetError("the connection to the database was lost")
        self.diary.append((self.name, at))
        self.callers.append(current_caller())

    async def kept(self) -> datetime | None:
        async with self.engine.connect() as connection:
            return await load_sandbox_time(connection, self.table)

    async def advance(self, at: datetime, *, local_only: bool = False) -> datetime:
        stub = clock_pb2_grpc.ClockServiceStub(self.channel)
        request = clock_pb2.AdvanceTimeRequest(new_time=timestamp(at), local_only=local_only)
        response = await stub.AdvanceTime(request)
        return response.now_time.ToDatetime(UTC)

    async def time(self) -> datetime:
        response = await clock_pb2_grpc.ClockServiceStub(self.channel).GetTime(clock_pb2.GetTimeRequest())
        return response.now_time.ToDatetime(UTC)


class Mesh:
    """Services "first", "second", "third"; the first passes the time on to the other two."""

    def __init__(self, services: list[Sandboxed], serve: Callable[..., Awaitable[None]]) -> None:
        self.first, self.second, self.third = services
        self.diary = self.first.diary
        self.serve = serve


@pytest.fixture
async def mesh(databases: Databases) -> AsyncIterator[Mesh]:
    async with AsyncExitStack() as stack:
        engine = open_engine(databases.admin_url, application_name="sandboxed")
        stack.push_async_callback(engine.dispose)
        diary: list[tuple[str, datetime]] = []
        services = [Sandboxed(name, engine, diary) for name in ("first", "second", "third")]
        for service in services:
            async with engine.begin() as connection:
                await connection.execute(CreateSchema(service.name))
                await connection.run_sync(service.table.metadata.create_all)

        async def serve(service: Sandboxed, *peers: Sandboxed, port: int = 0) -> None:
            audit = AuditTrail(service.audit_events, wall=service.clock, ids=Ids(service.clock))
            clock_service = SandboxClock(service.table).service(
                clock=service.clock,
                engine=engine,
                recorder=audit.recorder,
                run_due=service.run_due,
                peers={peer.name: peer.channel for peer in peers},
            )
            service.server = await start_server(
                name=service.name,
                listeners=[Listener(f"127.0.0.1:{port}")],
                access=OpenAccess(),
                recorder=audit.refusals(engine),
                services=[clock_service],
            )
            stack.push_async_callback(service.server.stop, 0)
            service.channel = open_channel(f"127.0.0.1:{service.server.ports[0]}")
            stack.push_async_callback(service.channel.close)

        first, second, third = services
        await serve(second)
        await serve(third)
        await serve(first, second, third)
        yield Mesh(services, serve)


async def refused(call: Awaitable[Any]) -> AioRpcError:
    with pytest.raises(AioRpcError) as caught:
        await call
    return caught.value


async def test_the_clock_stands_still_until_it_is_advanced(mesh: Mesh) -> None:
    assert await mesh.first.time() == JUNE

    assert await mesh.first.advance(JULY) == JULY

    assert await mesh.first.time() == JULY


async def test_the_service_called_goes_first_and_its_peers_follow_in_order(mesh: Mesh) -> None:
    await mesh.first.advance(JULY)

    assert mesh.diary == [("first", JULY), ("second", JULY), ("third", JULY)]
    assert [service.clock.now() for service in (mesh.first, mesh.second, mesh.third)] == [JULY] * 3


async def test_the_time_is_kept_before_due_work_begins(mesh: Mesh) -> None:
    mesh.first.broken = True

    await refused(mesh.first.advance(JULY))

    assert await mesh.first.kept() == JULY
    assert mesh.diary == []


async def test_local_only_leaves_the_peers_where_they_are(mesh: Mesh) -> None:
    await mesh.first.advance(JULY, local_only=True)

    assert await mesh.second.time() == JUNE
    assert mesh.diary == [("first", JULY)]


async def test_an_earlier_time_is_refused_and_changes_nothing(mesh: Mesh) -> None:
    error = await refused(mesh.first.advance(JUNE - timedelta(microseconds=1)))

    heard = from_rpc_error(error)
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert heard.reason == "CLOCK_MOVES_FORWARD_ONLY"
    assert heard.metadata == {
        "now_time": "2025-06-01T00:00:00+00:00",
        "new_time": "2025-05-31T23:59:59.999999+00:00",
    }
    assert await mesh.first.kept() is None
    assert mesh.diary == []


@pytest.mark.parametrize(
    "request_",
    [
        clock_pb2.AdvanceTimeRequest(),
        clock_pb2.AdvanceTimeRequest(new_time=Timestamp()),
        clock_pb2.AdvanceTimeRequest(new_time=timestamp(YEAR_9000)),
    ],
)
async def test_no_time_the_zero_time_and_one_after_the_last_are_refused(
    mesh: Mesh, request_: clock_pb2.AdvanceTimeRequest
) -> None:
    error = await refused(clock_pb2_grpc.ClockServiceStub(mesh.first.channel).AdvanceTime(request_))

    heard = from_rpc_error(error)
    assert isinstance(heard, InvalidFields)
    assert [violation.field for violation in heard.violations] == ["new_time"]


async def test_a_call_moves_the_clock_by_a_century_at_most(mesh: Mesh) -> None:
    error = await refused(mesh.first.advance(JUNE + JUMP_MAX + timedelta(microseconds=1)))

    heard = from_rpc_error(error)
    assert isinstance(heard, InvalidFields)
    assert [violation.field for violation in heard.violations] == ["new_time"]
    assert mesh.diary == []
    for centuries in (1, 2):
        assert await mesh.first.advance(JUNE + centuries * JUMP_MAX) == JUNE + centuries * JUMP_MAX


async def test_a_peer_that_stayed_behind_follows_however_far(mesh: Mesh) -> None:
    await mesh.first.advance(JUNE + JUMP_MAX, local_only=True)

    assert await mesh.first.advance(JUNE + 2 * JUMP_MAX) == JUNE + 2 * JUMP_MAX

    assert await mesh.third.time() == JUNE + 2 * JUMP_MAX


async def test_the_last_instant_is_accepted(mesh: Mesh) -> None:
    last = YEAR_9000 - timedelta(microseconds=1)

    assert await mesh.first.advance(last, local_only=True) == last


async def test_an_unavailable_peer_is_named_and_a_retry_finishes_the_work(mesh: Mesh) -> None:
    port = mesh.second.server.ports[0]
    await mesh.second.server.stop(0)

    error = await refused(mesh.first.advance(JULY))

    heard = from_rpc_error(error)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert (heard.reason, await mesh.third.time()) == ("PEER_UNAVAILABLE", JUNE)
    assert "second did not answer" in (error.details() or "")
    assert await mesh.first.time() == JULY

    channel = mesh.second.channel
    await mesh.serve(mesh.second, port=port)
    await channel.channel_ready()
    await mesh.first.advance(JULY)

    assert mesh.diary == [("first", JULY), ("first", JULY), ("second", JULY), ("third", JULY)]


async def test_a_peer_that_is_ahead_already_says_so(mesh: Mesh) -> None:
    await mesh.second.advance(JULY)

    error = await refused(mesh.first.advance(JUNE + timedelta(days=1)))

    assert from_rpc_error(error).reason == "CLOCK_MOVES_FORWARD_ONLY"


async def test_simultaneous_advances_run_one_after_the_other(mesh: Mesh) -> None:
    outcomes = await asyncio.gather(
        mesh.first.advance(JULY), mesh.first.advance(JUNE + timedelta(days=1)), return_exceptions=True
    )

    assert outcomes[0] == JULY
    assert await mesh.first.time() == await mesh.third.time() == JULY
    assert mesh.diary[-3:] == [("first", JULY), ("second", JULY), ("third", JULY)]


async def test_an_advance_leaves_a_record_in_each_service_and_what_falls_due_is_the_clocks(
    mesh: Mesh,
) -> None:
    await mesh.first.advance(JULY)
    await mesh.first.advance(JULY)
    await refused(mesh.first.advance(JUNE))

    for service in (mesh.first, mesh.second, mesh.third):
        columns = service.audit_events.c
        async with service.engine.connect() as connection:
            found = await connection.execute(
                select(columns.subject, columns.outcome, columns.reason).order_by(columns.audit_event_id)
            )
        written, *rest = [tuple(row) for row in found]
        assert written == (INSECURE.subject, "DONE", "")
        is_called_by_the_test = service is mesh.first
        assert rest == [(INSECURE.subject, "REFUSED", "CLOCK_MOVES_FORWARD_ONLY")] * is_called_by_the_test
        assert service.callers == [CLOCK, CLOCK]
