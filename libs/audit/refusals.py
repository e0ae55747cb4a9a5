# SPDX-License-Identifier: Apache-2.0
"""Records refused writes in a separate transaction, since that of the write is rolled back. A flood is limited.

A record that is left out for that is counted in the next one.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncEngine

from access import Call, Caller, current_call, with_request
from audit.event import PREFIX, AuditEvent, refused_event
from audit.recorder import AuditRecorder
from audit.rpcs import is_recorded
from meshkit.clock import Clock
from meshkit.errors import Kind, MeshError, error_text
from meshkit.ids import Ids

# Answers that refuse the write as it is. All other faults, such as an unavailable database, are failures.
REFUSALS: Final = frozenset(
    {
        Kind.UNAUTHENTICATED,
        Kind.PERMISSION_DENIED,
        Kind.INVALID_ARGUMENT,
        Kind.NOT_FOUND,
        Kind.ALREADY_EXISTS,
        Kind.FAILED_PRECONDITION,
    }
)
RECORDS_PER_SECOND: Final = 5.0
RECORDS_AT_ONCE_MAX: Final = 50
WRITE_SECONDS_MAX: Final = 2.0
# A caller without an identity.
NOBODY: Final = Caller("")

log = structlog.get_logger(__name__)


class Limit:
    """Lets at most `burst` through at once, and `per_second` in the long run; counts what it leaves out.

    now_seconds: monotonic.
    """

    def __init__(self, per_second: float, burst: int, now_seconds: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._now_seconds = now_seconds
        self._tokens = float(burst)
        self._then = now_seconds()
        self._left_out = 0

    def take(self) -> int | None:
        """Return how many were left out before this one; None: this one is left out too."""
        now = self._now_seconds()
        self._tokens = min(self._burst, self._tokens + (now - self._then) * self._per_second)
        self._then = now
        if self._tokens < 1:
            self._left_out += 1
            return None
        self._tokens -= 1
        left_out, self._left_out = self._left_out, 0
        return left_out

    def put_back(self, left_out: int) -> None:
        """Count one that was let through and could not be recorded, and those left out before it."""
        self._left_out += left_out + 1


class Refusals:
    """Records the refused calls of a service. Callers without an identity have another limit."""

    def __init__(
        self,
        recorder: AuditRecorder,
        engine: AsyncEngine,
        *,
        wall: Clock,
        ids: Ids,
        now_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recorder = recorder
        self._engine = engine
        self._wall = wall
        self._ids = ids
        self._known = Limit(RECORDS_PER_SECOND, RECORDS_AT_ONCE_MAX, now_seconds)
        self._unknown = Limit(RECORDS_PER_SECOND, RECORDS_AT_ONCE_MAX, now_seconds)
        self._writes: set[asyncio.Task[None]] = set()

    def of(self, rpc: str) -> "RpcRefusals | None":
        """Return what records the calls of an rpc; None: they are not recorded. Raises AccessUndeclared."""
        return RpcRefusals(rpc, self) if is_recorded(rpc) else None

    async def record(self, call: Call, reason: str) -> None:
        """Record a refused call. It ends also if the caller, who waits for it, leaves."""
        limit = self._unknown if call.caller is NOBODY else self._known
        left_out = limit.take()
        if left_out is None:
            return
        event = refused_event(
            call, event_id=self._ids.new(PREFIX), at=self._wall.now(), reason=reason, left_out=left_out
        )
        write = asyncio.create_task(self._insert(event, limit))
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)
        await asyncio.shield(write)

    async def _insert(self, event: AuditEvent, limit: Limit) -> None:
        try:
            async with asyncio.timeout(WRITE_SECONDS_MAX), self._engine.begin() as connection:
                await self._recorder.insert(connection, event)
        except Exception as error:  # the refusal must be answered, whatever the database does
            limit.put_back(event.left_out)
            log.warning("refusal_not_recorded", rpc=event.rpc, reason=event.reason, error=error_text(error))


class RpcRefusals:
    """Records the refused calls of one rpc."""

    def __init__(self, rpc: str, refusals: Refusals) -> None:
        self._rpc = rpc
        self._refusals = refusals

    def begin(self, request: Message) -> None:
        """Remember the request: the record of the write, or of its refusal, says what it was to change."""
        with_request(request)

    async def refused(self, context: Any, fault: MeshError) -> None:
        """Record the refusal of the present call; other faults are none."""
        if fault.kind not in REFUSALS:
            return
        call = current_call()
        if call.rpc != self._rpc:  # it was refused before its caller was known
            call = Call(NOBODY, self._rpc, context)
        await self._refusals.record(call, fault.reason)
