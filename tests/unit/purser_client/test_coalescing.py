# SPDX-License-Identifier: Apache-2.0
"""Calls that arrive while a batch is in flight go into the next batch; callers see no difference."""

import asyncio
from collections.abc import Sequence

import pytest
from grpc import StatusCode

from purser_client import LedgerFault
from purser_client.coalescing import BYTES_MAX, ITEMS_MAX, QUEUED_MAX, CallQueue, Coalescer, QueuedCall

LONG = 10.0


class Item:
    """A request that contains its answer: a text that starts with "!" is an error."""

    def __init__(self, text: str, *, length: int = 10) -> None:
        self.text = text
        self._length = length

    def ByteSize(self) -> int:
        return self._length


class Sender:
    """`sent`: the texts of each batch. While `away` is cleared, batches stay in flight."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.seconds: list[float] = []
        self.away = asyncio.Event()
        self.away.set()
        self.fails_with: LedgerFault | None = None
        self.coalescer: Coalescer[Item, str] = Coalescer(self._one, self._batch, now=lambda: 100.0)

    async def send(self, text: str, seconds: float = LONG) -> str:
        return await self.coalescer.send(Item(text), seconds)

    def start(self, *texts: str, seconds: float = LONG) -> list["asyncio.Task[str]"]:
        return [asyncio.create_task(self.send(text, seconds)) for text in texts]

    async def _one(self, item: Item, seconds: float) -> str:
        answer = (await self._batch([item], seconds))[0]
        if isinstance(answer, LedgerFault):
            raise answer
        return answer

    async def _batch(self, items: Sequence[Item], seconds: float) -> list[str | LedgerFault]:
        self.sent.append([item.text for item in items])
        self.seconds.append(seconds)
        await self.away.wait()
        if self.fails_with is not None:
            raise self.fails_with
        return [
            LedgerFault(StatusCode.NOT_FOUND, item.text) if item.text.startswith("!") else f"{item.text} done"
            for item in items
        ]


@pytest.fixture
async def sender() -> Sender:
    return Sender()


async def turns() -> None:
    """Let every runnable task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_single_call_does_not_wait_for_others(sender: Sender) -> None:
    assert await sender.send("a") == "a done"
    assert sender.sent == [["a"]]


async def test_calls_made_in_the_same_turn_go_together(sender: Sender) -> None:
    answers = await asyncio.gather(*(sender.send(text) for text in "abc"))

    assert answers == ["a done", "b done", "c done"]
    assert sender.sent == [["a", "b", "c"]]


async def test_calls_during_a_batch_go_into_the_next_one_in_order_of_arrival(
    sender: Sender,
) -> None:
    sender.away.clear()
    first = sender.start("a")
    await turns()
    later = sender.start("b", "c")
    await turns()
    later += sender.start("d")
    await turns()
    assert sender.sent == [["a"]]

    sender.away.set()

    assert await asyncio.gather(*first, *later) == ["a done", "b done", "c done", "d done"]
    assert sender.sent == [["a"], ["b", "c", "d"]]


async def test_a_caller_that_was_just_answered_joins_the_waiting_calls(sender: Sender) -> None:
    async def two_calls() -> None:
        await sender.send("a1")
        await sender.send("a2")

    sender.away.clear()
    first = asyncio.create_task(two_calls())
    await turns()
    second = sender.start("b")
    await turns()
    sender.away.set()
    await asyncio.gather(first, *second)

    assert sender.sent == [["a1"], ["b", "a2"]]


async def test_an_error_of_one_item_does_not_affect_the_others(sender: Sender) -> None:
    outcomes = await asyncio.gather(*(sender.send(text) for text in ("a", "!b", "c")), return_exceptions=True)

    assert (outcomes[0], outcomes[2]) == ("a done", "c done")
    assert isinstance(outcomes[1], LedgerFault)
    assert outcomes[1].code is StatusCode.NOT_FOUND


async def test_a_batch_that_fails_as_a_whole_raises_a_separate_exception_for_each_call(
    sender: Sender,
) -> None:
    sender.fails_with = LedgerFault(StatusCode.UNAVAILABLE, "cut off")

    outcomes = await asyncio.gather(*(sender.send(text) for text in "ab"), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [LedgerFault, LedgerFault]
    assert outcomes[0] is not outcomes[1]
    sender.fails_with = None
    assert await sender.send("c") == "c done"


async def test_a_cancelled_caller_affects_no_other(sender: Sender) -> None:
    sender.away.clear()
    away = sender.start("a", "b")
    await turns()
    waiting = sender.start("c", "d")
    await turns()

    away[0].cancel()
    waiting[0].cancel()
    await turns()
    sender.away.set()
    outcomes = await asyncio.gather(*away, *waiting, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [
        asyncio.CancelledError,
        str,
        asyncio.CancelledError,
        str,
    ]
    assert sender.sent == [["a", "b"], ["d"]]


async def test_a_call_past_its_own_deadline_is_not_sent(sender: Sender) -> None:
    sender.away.clear()
    away = sender.start("a")
    await turns()
    hasty, patient = sender.start("b", seconds=0.01), sender.start("c")

    with pytest.raises(LedgerFault) as raised:
        await hasty[0]
    sender.away.set()

    assert raised.value.code is StatusCode.DEADLINE_EXCEEDED
    assert await asyncio.gather(*away, *patient) == ["a done", "c done"]
    assert sender.sent == [["a"], ["c"]]


async def test_a_batch_has_the_latest_deadline_of_its_calls(sender: Sender) -> None:
    await asyncio.gather(sender.send("a", 3), sender.send("b", 8), sender.send("c", 5))

    assert sender.seconds == [8.0]


async def test_closing_ends_the_waiting_calls(sender: Sender) -> None:
    sender.away.clear()
    calls = sender.start("a")
    await turns()
    calls += sender.start("b")
    await turns()

    await sender.coalescer.close()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert [outcome.reason for outcome in outcomes if isinstance(outcome, LedgerFault)] == ["GATE_CLOSED"] * 2


class TestQueue:
    async def _queue(self, *items: Item, ends: float = 200.0) -> CallQueue[Item, str]:
        queue: CallQueue[Item, str] = CallQueue()
        for item in items:
            queue.add(QueuedCall(item, ends, asyncio.get_running_loop().create_future()))
        return queue

    async def test_a_batch_has_at_most_a_thousand_items(self) -> None:
        queue = await self._queue(*(Item(str(n)) for n in range(ITEMS_MAX + 1)))

        assert [len(queue.take(100.0)), len(queue.take(100.0)), len(queue.take(100.0))] == [ITEMS_MAX, 1, 0]

    async def test_a_batch_has_at_most_two_mebibytes(self) -> None:
        half = BYTES_MAX // 2
        queue = await self._queue(Item("a", length=half), Item("b", length=half), Item("c", length=1))

        assert [[one.request.text for one in queue.take(100.0)] for _ in range(2)] == [["a", "b"], ["c"]]

    async def test_a_single_item_is_sent_however_large_it_is(self) -> None:
        queue = await self._queue(Item("a", length=BYTES_MAX + 1), Item("b"))

        assert [one.request.text for one in queue.take(100.0)] == ["a"]

    @pytest.mark.parametrize(("now", "taken"), [(199.9, 1), (200.0, 0)])
    async def test_a_call_past_its_deadline_is_left_out(self, now: float, taken: int) -> None:
        queue = await self._queue(Item("a"))

        assert len(queue.take(now)) == taken
        assert len(queue) == 0

    async def test_more_than_fifty_batches_do_not_wait(self) -> None:
        item = Item("a")
        queue = await self._queue(*[item] * QUEUED_MAX)

        with pytest.raises(LedgerFault, match="GATE_QUEUE_FULL") as raised:
            queue.add(QueuedCall(item, 200.0, asyncio.get_running_loop().create_future()))
        assert raised.value.code is StatusCode.RESOURCE_EXHAUSTED
