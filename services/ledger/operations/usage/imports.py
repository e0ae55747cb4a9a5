# SPDX-License-Identifier: Apache-2.0
"""ImportUsage: a stream of events is recorded chunk by chunk; nothing about the stream itself is stored."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from services.ledger.domain.usage.event import EventResult, RecordEvent
from services.ledger.domain.usage.tally import Tally
from services.ledger.operations.gate.lane import LaneFull
from services.ledger.operations.usage.intake import Intake

Chunk = Sequence[RecordEvent]

# All imports of a replica together take at most half of the intake's queue, and leave the rest to RecordUsage.
CHUNKS_AT_ONCE_MAX = 4
# After so many problems the response is sent, because it must fit into one message.
PROBLEMS_MAX = 1_000
FULL_SECONDS = 0.1
FULL_TIMES_MAX = 600


class Imports:
    """Records streams of events. Calls no other service."""

    def __init__(
        self, intake: Intake, *, sleep_seconds: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._intake = intake
        self._sleep_seconds = sleep_seconds
        self._turn = asyncio.Semaphore(CHUNKS_AT_ONCE_MAX)

    async def run(self, chunks: AsyncIterator[Chunk]) -> Tally:
        """Record a stream until it ends or has many problems; returns what became of its first events.

        One chunk is read ahead while another one is recorded; it is dropped if the stream ends early. Raises LaneFull
        after a minute without room, LaneClosed, and Unavailable when the outcome of a chunk is unknown: then repeat the
        stream.
        """
        tally = Tally.empty()
        ahead = _read(chunks)
        try:
            while len(tally.problems) < PROBLEMS_MAX and (chunk := await ahead) is not None:
                ahead = _read(chunks)
                tally = tally.plus(await self._record(chunk))
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)
        return tally

    async def _record(self, chunk: Chunk) -> list[EventResult]:
        async with self._turn:
            for _ in range(FULL_TIMES_MAX):
                try:
                    return await self._intake.record(chunk)
                except LaneFull:
                    await self._sleep_seconds(FULL_SECONDS)
            return await self._intake.record(chunk)


def _read(chunks: AsyncIterator[Chunk]) -> "asyncio.Task[Chunk | None]":
    """Start to read the next chunk; its result is None at the end of the stream."""

    async def read() -> Chunk | None:
        return await anext(chunks, None)

    return asyncio.create_task(read())
