# SPDX-License-Identifier: Apache-2.0
"""The sandbox clock of one service, as meshkit's service builder uses it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import grpc.aio
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.clock import ManualClock
from meshkit.recording import Recorder
from meshkit.rpc.server import RpcService
from purser.sandbox.v1 import clock_pb2_grpc
from sandbox.servicer import SERVICE_NAME, ClockServicer
from sandbox.table import restore_time


@dataclass(frozen=True, slots=True)
class SandboxClock:
    """Keeps business time in `table`, which sandbox_clock_table made, and serves it as ClockService."""

    table: Table

    async def restore(self, clock: ManualClock, engine: AsyncEngine) -> None:
        """Advance `clock` to the last time kept, if that is later."""
        await restore_time(clock, engine, self.table)

    def service(
        self,
        *,
        clock: ManualClock,
        engine: AsyncEngine,
        recorder: Recorder,
        run_due: Callable[[datetime], Awaitable[None]],
        peers: Mapping[str, grpc.aio.Channel],
    ) -> RpcService:
        """Return ClockService; the arguments are those of ClockServicer."""
        servicer = ClockServicer(
            clock=clock, engine=engine, recorder=recorder, table=self.table, run_due=run_due, peers=peers
        )
        return RpcService(SERVICE_NAME, partial(clock_pb2_grpc.add_ClockServiceServicer_to_server, servicer))
