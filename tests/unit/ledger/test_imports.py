# SPDX-License-Identifier: Apache-2.0
"""ImportUsage's bounds: what it reads ahead, how much it queues, when it waits and when it ends early."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.ledger.domain.responses import LaneResponse
from services.ledger.domain.usage.event import (
    EventResult,
    EventStatus,
    RecordEvent,
    RejectionReason,
    rejected,
)
from services.ledger.domain.usage.tally import Tally
from services.ledger.operations.gate.batch import LaneItem
from services.ledger.operations.gate.gate import GateLane
from services.ledger.operations.gate.lane import Lane, LaneFull, QueuedRequest, QueueLimits
from services.ledger.operations.gate.meters import LaneMeter
from services.ledger.operations.usage.imports import CHUNKS_AT_ONCE_MAX, FULL_TIMES_MAX, Chunk, Imports
from services.ledger.operations.usage.intake import Intake

ACCEPTED = EventResult(status=EventStatus.ACCEPTED)
TURNS = 100


class Work:
    """Accepts every event of a batch, once it is let."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.accepted: list[str] = []

    async def __call__(self, batch: Sequence[QueuedRequest[LaneItem, LaneResponse]]) -> None:
        await self.free.wait()
        for waiting in batch:
            assert isinstance(waiting.item, RecordEvent)
            self.accepted.append(waiting.item.transaction_id)
            waiting.respond(ACCEPTED)


class Chunks:
    """A stream of chunks that counts those that were read."""

    def __init__(self, *chunks: Chunk) -> None:
        self._chunks = chunks
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        for chunk in self._chunks:
            self.read += 1
            yield chunk


@asynccontextmanager
async def open_intake(work: Work, *, waiting_max: int = 10_000) -> AsyncIterator[tuple[Intake, GateLane]]:
    limits = QueueLimits(waiting_max=waiting_max, batch_max=10)
    lane: GateLane = Lane(work, queues=(limits, limits), meter=LaneMeter())
    lane.start()
    try:
        yield Intake(lane, left_seconds=lambda: None), lane
    finally:
        work.free.set()
        await lane.stop()


def an_event(name: str) -> RecordEvent:
    return RecordEvent(
        transaction_id=name,
        fingerprint=b"",
        customer="acme",
        event_type="ai_call",
        timestamp=datetime(2025, 6, 1, tzinfo=UTC),
        properties={},
    )


def events(prefix: str, count: int) -> list[RecordEvent]:
    return [an_event(f"{prefix}-{number}") for number in range(count)]


def bad(count: int) -> list[RecordEvent]:
    rejection = rejected(RejectionReason.INVALID_FIELD, field="customer", detail="is required")
    return [replace(an_event("bad"), rejection=rejection)] * count


def run(imports: Imports, stream: Chunks) -> "asyncio.Task[Tally]":
    return asyncio.create_task(imports.run(aiter(stream)))


async def some_turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


def never() -> Callable[[float], Awaitable[object]]:
    async def sleep(seconds: float) -> None:
        raise AssertionError("nothing is full")

    return sleep


async def test_one_chunk_is_read_ahead_while_another_one_is_recorded() -> None:
    work, stream = Work(), Chunks(*(events(f"{n}", 10) for n in range(5)))
    async with open_intake(work) as (intake, _):
        importing = run(Imports(intake, sleep_seconds=never()), stream)
        await some_turns()
        read_while_the_first_waits = stream.read
        work.free.set()
        tally = await importing

    assert read_while_the_first_waits == 2
    assert (tally.event_count, tally.by_status, stream.read) == (50, {EventStatus.ACCEPTED: 50}, 5)
    assert work.accepted == [f"{n}-{m}" for n in range(5) for m in range(10)]


async def test_imports_leave_half_of_the_queue_to_others() -> None:
    work = Work()
    streams = [Chunks(events(f"{n}", 20)) for n in range(CHUNKS_AT_ONCE_MAX + 3)]
    async with open_intake(work, waiting_max=CHUNKS_AT_ONCE_MAX * 20 + 10) as (intake, lane):
        imports = Imports(intake, sleep_seconds=never())
        importing = [run(imports, stream) for stream in streams]
        await some_turns()
        others = lane.put_all(events("other", 20), left_seconds=None, queue=1)
        work.free.set()
        tallies = await asyncio.gather(*importing)
        await asyncio.gather(*others)

    assert {tally.event_count for tally in tallies} == {20}


async def test_an_import_waits_while_the_queue_is_full_and_then_goes_on() -> None:
    work = Work()
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            work.free.set()
            await some_turns()

    async with open_intake(work, waiting_max=20) as (intake, lane):
        others = lane.put_all(events("other", 30), left_seconds=None, queue=1)
        await some_turns()
        tally = await Imports(intake, sleep_seconds=sleep).run(aiter(Chunks(events("mine", 10))))
        await asyncio.gather(*others)

    assert (tally.event_count, len(pauses)) == (10, 3)


async def test_an_import_does_not_wait_for_ever() -> None:
    work = Work()
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async with open_intake(work, waiting_max=20) as (intake, lane):
        others = lane.put_all(events("other", 30), left_seconds=None, queue=1)
        await some_turns()
        with pytest.raises(LaneFull):
            await Imports(intake, sleep_seconds=sleep).run(aiter(Chunks(events("mine", 10))))
        work.free.set()
        await asyncio.gather(*others)

    assert len(pauses) == FULL_TIMES_MAX


@pytest.mark.parametrize(("problems", "event_count"), [(999, 3_000), (1_000, 2_000)])
async def test_a_stream_with_1000_problems_ends_early(problems: int, event_count: int) -> None:
    work = Work()
    work.free.set()
    first = [*bad(problems), *events("first", 1_000 - problems)]
    stream = Chunks(events("zeroth", 1_000), first, events("second", 1_000))
    async with open_intake(work) as (intake, _):
        tally = await Imports(intake, sleep_seconds=never()).run(aiter(stream))

    assert (tally.event_count, len(tally.problems)) == (event_count, problems)
    assert tally.problems[0].event_index == 1_000


async def test_a_caller_that_leaves_ends_its_import_and_gives_its_turn_back() -> None:
    work = Work()
    async with open_intake(work) as (intake, _):
        imports = Imports(intake, sleep_seconds=never())
        left = [run(imports, Chunks(events(f"{n}", 10))) for n in range(CHUNKS_AT_ONCE_MAX)]
        await some_turns()
        for one in left:
            one.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        work.free.set()
        tally = await imports.run(aiter(Chunks(events("mine", 10))))

    assert tally.event_count == 10
