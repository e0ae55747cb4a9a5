# SPDX-License-Identifier: Apache-2.0
"""purser.sandbox.v1.ClockService: GetTime, and AdvanceTime for this service and then for its peers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import grpc.aio
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from access import no_call
from meshkit.clock import ManualClock
from meshkit.errors import FailedPrecondition
from meshkit.recording import Recorder
from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.status import faults_of
from purser.sandbox.v1 import clock_pb2, clock_pb2_grpc
from sandbox.table import save_sandbox_time

SERVICE_NAME = clock_pb2.DESCRIPTOR.services_by_name["ClockService"].full_name
YEAR_END = 9000  # every billing period must have an end that can be represented
# A century of monthly periods is carried out within seconds. Several calls go further, and each of them ends.
JUMP_MAX = timedelta(days=36_525)
PEER_SECONDS_MAX = 60.0  # a peer may have months of due work to do

Context = grpc.aio.ServicerContext[Any, Any]


class ClockMovesForwardOnly(FailedPrecondition):
    """AdvanceTime got a time before the current sandbox time."""

    reason = "CLOCK_MOVES_FORWARD_ONLY"

    def __init__(self, *, now_time: datetime, new_time: datetime) -> None:
        super().__init__(
            f"the clock is at {now_time.isoformat()}; {new_time.isoformat()} is earlier",
            now_time=now_time.isoformat(),
            new_time=new_time.isoformat(),
        )


class ClockServicer(clock_pb2_grpc.ClockServiceServicer):
    """Stores the new time in `table`, advances `clock`, runs `run_due`, then advances the peers.

    recorder: records each advance. peers: channels by name, called in this order with local_only, so that each
    advances only itself. run_due: does everything due up to the given instant, in order. Called with the same instant
    again, it does what is left, so an AdvanceTime that failed halfway can be repeated.
    """

    def __init__(
        self,
        *,
        clock: ManualClock,
        engine: AsyncEngine,
        recorder: Recorder,
        table: Table,
        run_due: Callable[[datetime], Awaitable[None]],
        peers: Mapping[str, grpc.aio.Channel],
    ) -> None:
        self._clock = clock
        self._engine = engine
        self._recorder = recorder
        self._table = table
        self._run_due = run_due
        self._peers = {name: clock_pb2_grpc.ClockServiceStub(channel) for name, channel in peers.items()}
        self._own_lock = asyncio.Lock()
        # Not held by a forwarded call: two services that are called at the same time would wait for each other.
        self._mesh_lock = asyncio.Lock()

    async def GetTime(self, request: clock_pb2.GetTimeRequest, context: Context) -> clock_pb2.GetTimeResponse:
        return clock_pb2.GetTimeResponse(now_time=timestamp(self._clock.now()))

    async def AdvanceTime(
        self, request: clock_pb2.AdvanceTimeRequest, context: Context
    ) -> clock_pb2.AdvanceTimeResponse:
        at = _new_time(request)
        if request.local_only:
            await self._advance(at)
        else:
            async with self._mesh_lock:
                _check_jump(at - self._clock.now())
                await self._advance(at)
                for name, peer in self._peers.items():
                    await _advance_peer(name, peer, at)
        return clock_pb2.AdvanceTimeResponse(now_time=timestamp(at))

    async def _advance(self, at: datetime) -> None:
        async with self._own_lock:
            now = self._clock.now()
            if at < now:
                raise ClockMovesForwardOnly(now_time=now, new_time=at)
            # Stored first: after a restart, the clock must not be earlier than what due work wrote.
            async with self._engine.begin() as connection:
                if await save_sandbox_time(connection, self._table, at):
                    await self._recorder.record(connection, ())
            self._clock.advance_to(at)
            # In another task: what falls due is signed by the clock.
            await asyncio.create_task(self._run_due_by_itself(at))

    async def _run_due_by_itself(self, at: datetime) -> None:
        no_call()
        await self._run_due(at)


def _new_time(request: clock_pb2.AdvanceTimeRequest) -> datetime:
    fields = Fields()
    at = fields.time("new_time", request.new_time, request.HasField("new_time"))
    if at.year >= YEAR_END:
        fields.add("new_time", f"must be before the year {YEAR_END}")
    fields.check()
    return at


def _check_jump(jump: timedelta) -> None:
    if jump > JUMP_MAX:
        fields = Fields()
        fields.add("new_time", f"must be at most {JUMP_MAX.days} days ahead; go further in several calls")
        fields.check()


async def _advance_peer(name: str, peer: "clock_pb2_grpc.ClockServiceAsyncStub", at: datetime) -> None:
    request = clock_pb2.AdvanceTimeRequest(new_time=timestamp(at), local_only=True)
    with faults_of(name):
        await peer.AdvanceTime(request, timeout=PEER_SECONDS_MAX)
