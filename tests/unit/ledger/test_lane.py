# SPDX-License-Identifier: Apache-2.0
"""The lane: what waits goes together with the next batch, in order, within bounds, and nobody is left waiting."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from meshkit.errors import Kind
from services.ledger.operations.gate.lane import (
    ENOUGH,
    IN_USE_SECONDS,
    PATIENCE_TURNS,
    Lane,
    LaneClosed,
    LaneFull,
    QueuedRequest,
    QueueLimits,
)
from services.ledger.operations.gate.meters import LaneMeter

Worked = Sequence[QueuedRequest[str, str]]


class Work:
    """Carries batches out when it is let: every request is answered by its own name. "bug" breaks its batch."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.calls: list[list[int]] = []
        self.free = asyncio.Event()
        self.free.set()
        self.begun = asyncio.Event()

    async def __call__(self, batch: Worked) -> None:
        self.batches.append([waiting.item for waiting in batch])
        self.calls.append([waiting.call for waiting in batch])
        self.begun.set()
        await self.free.wait()
        for waiting in batch:
            if waiting.item == "bug":
                raise ValueError("bug")
            waiting.respond(waiting.item)

    async def until_begun(self) -> None:
        """Return once a batch is in hand; from then on it stays there until `free` is set."""
        self.begun.clear()
        self.free.clear()
        await self.begun.wait()


@asynccontextmanager
async def open_lane(
    work: Work, *, waiting_max: int = 100, batch_max: int = 10
) -> AsyncIterator[Lane[str, str]]:
    limits = QueueLimits(waiting_max=waiting_max, batch_max=batch_max, shared_max=max(1, batch_max // 2))
    lane: Lane[str, str] = Lane(work, queues=(limits, limits), meter=LaneMeter())
    lane.start()
    try:
        yield lane
    finally:
        work.free.set()
        await lane.stop()


def ask(
    lane: Lane[str, str], *items: str, left_seconds: float | None = None, queue: int = 0
) -> list[asyncio.Future[str]]:
    return lane.put_all(items, left_seconds=left_seconds, queue=queue)


async def test_a_lone_request_does_not_wait_for_company() -> None:
    work = Work()
    async with open_lane(work) as lane:
        (answer,) = ask(lane, "a")

        assert await answer == "a"
        assert work.batches == [["a"]]


async def test_what_arrives_while_a_batch_is_in_hand_goes_with_the_next_in_order() -> None:
    work = Work()
    async with open_lane(work) as lane:
        first = ask(lane, "a")
        await work.until_begun()
        later = [*ask(lane, "b"), *ask(lane, "c", "d"), *ask(lane, "e")]
        work.free.set()

        assert await asyncio.gather(*first, *later) == ["a", "b", "c", "d", "e"]
        assert work.batches == [["a"], ["b", "c", "d", "e"]]


async def bring(lane: Lane[str, str], items: str, *, idle_turns: int) -> list[asyncio.Future[str]]:
    """Ask for one item after the other, with so many turns of the loop in between that bring nothing."""
    answers: list[asyncio.Future[str]] = []
    for item in items:
        for _ in range(idle_turns + 1):
            await asyncio.sleep(0)
        answers += ask(lane, item)
    return answers


async def test_where_there_was_company_a_batch_waits_for_what_the_loop_is_about_to_bring() -> None:
    work = Work()
    async with open_lane(work, batch_max=100) as lane:
        await asyncio.gather(*ask(lane, "a", "b"))
        ask(lane, "c")

        await asyncio.gather(*await bring(lane, "def", idle_turns=PATIENCE_TURNS // 2))

    assert work.batches == [["a", "b"], ["c", "d", "e", "f"]]


async def test_but_not_for_what_comes_later_than_that() -> None:
    work = Work()
    async with open_lane(work, batch_max=100) as lane:
        await asyncio.gather(*ask(lane, "a", "b"))
        ask(lane, "c")

        await asyncio.gather(*await bring(lane, "d", idle_turns=2 * PATIENCE_TURNS))

    assert work.batches == [["a", "b"], ["c"], ["d"]]


async def test_where_there_was_none_it_waits_for_nobody() -> None:
    work = Work()
    async with open_lane(work, batch_max=100) as lane:
        await asyncio.gather(*ask(lane, "a"))
        ask(lane, "b")

        await asyncio.gather(*await bring(lane, "c", idle_turns=PATIENCE_TURNS // 2))

    assert work.batches == [["a"], ["b"], ["c"]]


async def test_enough_is_enough_though_more_keep_coming() -> None:
    work = Work()
    async with open_lane(work, waiting_max=1_000, batch_max=1_000) as lane:
        await asyncio.gather(*ask(lane, "a", "b"))

        await asyncio.gather(*await bring(lane, 3 * ENOUGH * "x", idle_turns=0))

    assert [len(batch) for batch in work.batches[1:3]] == [ENOUGH, ENOUGH]


async def test_requests_of_one_call_bear_one_number_and_calls_differ() -> None:
    work = Work()
    async with open_lane(work) as lane:
        await asyncio.gather(*ask(lane, "a", "b"), *ask(lane, "c"))

    ((a, b, c),) = work.calls
    assert a == b != c


async def test_a_batch_has_at_most_so_many() -> None:
    work = Work()
    async with open_lane(work, batch_max=2) as lane:
        await asyncio.gather(*ask(lane, *"abcde"))

    assert work.batches == [["a", "b"], ["c", "d"], ["e"]]


async def test_who_finds_the_lane_full_is_refused_whole_and_told_when_to_come_back() -> None:
    work = Work()
    async with open_lane(work, waiting_max=3) as lane:
        first = ask(lane, "a")
        await work.until_begun()
        waiting = ask(lane, "b", "c")

        with pytest.raises(LaneFull) as refused:
            ask(lane, "d", "e")
        waiting += ask(lane, "f")
        with pytest.raises(LaneFull):
            ask(lane, "g")
        work.free.set()

        assert await asyncio.gather(*first, *waiting) == ["a", "b", "c", "f"]
    assert (refused.value.kind, refused.value.reason) == (Kind.RESOURCE_EXHAUSTED, "LANE_FULL")
    assert refused.value.metadata == {"waiting": "2"}
    assert refused.value.retry_after.total_seconds() > 0


async def test_an_empty_lane_takes_a_call_of_any_size() -> None:
    work = Work()
    async with open_lane(work, waiting_max=2) as lane:
        assert await asyncio.gather(*ask(lane, *"abcde")) == list("abcde")


async def test_who_has_gone_before_its_batch_begins_is_not_carried_out() -> None:
    work = Work()
    async with open_lane(work) as lane:
        first = ask(lane, "a")
        await work.until_begun()
        gone, stays = ask(lane, "b", "c")
        gone.cancel()
        work.free.set()

        assert await asyncio.gather(*first, stays) == ["a", "c"]
    assert work.batches == [["a"], ["c"]]


async def test_who_goes_while_its_batch_is_in_hand_takes_nobody_along() -> None:
    work = Work()
    async with open_lane(work) as lane:
        gone, stays = ask(lane, "a", "b")
        await work.until_begun()
        gone.cancel()
        work.free.set()

        assert await stays == "b"
        assert await asyncio.gather(*ask(lane, "c")) == ["c"]


async def test_whose_time_is_up_is_not_carried_out() -> None:
    work = Work()
    async with open_lane(work) as lane:
        first = ask(lane, "a", left_seconds=60)
        await work.until_begun()
        (late,) = ask(lane, "b", left_seconds=0)
        in_time = ask(lane, "c", left_seconds=60)
        work.free.set()

        assert await asyncio.gather(*first, *in_time) == ["a", "c"]
        assert late.cancelled()
    assert work.batches == [["a"], ["c"]]


async def test_a_batch_of_people_gone_is_no_batch() -> None:
    work = Work()
    async with open_lane(work) as lane:
        first = ask(lane, "a")
        await work.until_begun()
        (late,) = ask(lane, "b", left_seconds=0)
        work.free.set()
        await asyncio.gather(*first)

        assert await asyncio.gather(*ask(lane, "c")) == ["c"]
        assert late.cancelled()
    assert work.batches == [["a"], ["c"]]


async def test_a_bug_is_told_to_those_it_hit_and_the_lane_goes_on() -> None:
    work = Work()
    async with open_lane(work) as lane:
        answers = await asyncio.gather(*ask(lane, "a", "bug", "c"), return_exceptions=True)

        assert answers[0] == "a"
        assert [str(answer) for answer in answers[1:]] == ["bug", "bug"]
        assert await asyncio.gather(*ask(lane, "d")) == ["d"]


async def test_a_lane_that_stops_answers_who_waits_and_takes_nobody_more() -> None:
    work = Work()
    async with open_lane(work, batch_max=2) as lane:
        answers = ask(lane, "a")
        await work.until_begun()
        answers += ask(lane, "b", "c", "d")
        stopping = asyncio.ensure_future(lane.stop())
        await asyncio.wait([stopping], timeout=0)
        with pytest.raises(LaneClosed) as refused:
            ask(lane, "e")
        work.free.set()
        await stopping

        assert await asyncio.gather(*answers) == ["a", "b", "c", "d"]
    assert (refused.value.kind, refused.value.reason) == (Kind.UNAVAILABLE, "LANE_CLOSED")
    assert work.batches == [["a"], ["b", "c"], ["d"]]


async def test_a_lane_that_nobody_used_stops_at_once() -> None:
    async with open_lane(Work()):
        pass


async def test_batches_of_two_queues_take_turns_so_a_flood_delays_the_other_by_one_batch() -> None:
    work = Work()
    async with open_lane(work, batch_max=2) as lane:
        flood = ask(lane, *"abcdef", queue=1)
        await work.until_begun()
        lone = ask(lane, "x")
        work.free.set()

        await asyncio.gather(*flood, *lone)
        assert work.batches[:3] == [["a", "b"], ["x"], ["c"]]
        assert [item for batch in work.batches for item in batch if item != "x"] == list("abcdef")


async def test_a_full_queue_refuses_nothing_in_the_other() -> None:
    work = Work()
    async with open_lane(work, waiting_max=2) as lane:
        answers = ask(lane, "a", queue=1)
        await work.until_begun()
        answers += ask(lane, "b", "c", queue=1)

        with pytest.raises(LaneFull):
            ask(lane, "d", queue=1)
        answers += ask(lane, "x", "y")
        work.free.set()

        assert await asyncio.gather(*answers) == ["a", "b", "c", "x", "y"]


class Ticking:
    """A monotonic clock that goes on by a microsecond each time it is read."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1e-6
        return self.seconds


async def test_beside_a_foreground_in_use_a_queue_rests_after_each_batch() -> None:
    work, clock = Work(), Ticking()
    limits = QueueLimits(waiting_max=10, batch_max=10, shared_max=1, rests=1_000_000)
    lane: Lane[str, str] = Lane(work, queues=(limits, limits), meter=LaneMeter(), now_seconds=clock)
    lane.start()
    await asyncio.gather(*ask(lane, "x"))
    first = ask(lane, "a", "b", queue=1)
    await first[0]
    for _ in range(50):
        await asyncio.sleep(0)

    await asyncio.gather(*ask(lane, "y"))
    assert not first[1].done()
    clock.seconds += IN_USE_SECONDS
    await first[1]

    assert work.batches == [["x"], ["a"], ["y"], ["b"]]
    await lane.stop()
