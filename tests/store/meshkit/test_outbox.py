# SPDX-License-Identifier: Apache-2.0
import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY
from sqlalchemy import RowMapping, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from structlog.typing import EventDict

from meshkit.clock import ManualClock
from meshkit.formats import Format, Formats, FormatUndeclared
from meshkit.ids import Ids
from meshkit.outbox import Notice, Outbox, Relay, forget_sent
from meshkit.outbox.leases import Lease, Leases, NoLease
from meshkit.outbox.notice import enqueue_statement
from meshkit.rpc import deadline
from tests.store.meshkit.conftest import DEAD_LETTERS, OUTBOX, RECORDER

AT = datetime(2025, 6, 1, tzinfo=UTC)
LEASE = timedelta(seconds=30)
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    number: int


class Peer:
    """Receives notices; refuses those that a test names, and waits while its gate is closed."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.refused: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.called = asyncio.Event()
        self.last: Notice | None = None
        self._news = asyncio.Condition()

    async def deliver(self, notice: Notice) -> None:
        self.called.set()
        await self.gate.wait()
        if notice.notice_id in self.refused:
            raise ConnectionRefusedError(f"no {notice.notice_id}")
        async with self._news:
            self.heard.append(notice.notice_id)
            self.last = notice
            self._news.notify_all()

    async def has_heard(self, *notice_ids: str) -> None:
        """Return as soon as exactly these notices have been received, in this order."""
        async with self._news:
            await self._news.wait_for(lambda: self.heard == list(notice_ids))

    async def has_heard_count(self, count: int) -> None:
        """Return as soon as `count` notices have been received."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.heard) >= count)


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def relay(engine: AsyncEngine, peer: Peer, wall: ManualClock) -> Relay:
    return a_relay(engine, peer, wall)


def a_relay(engine: AsyncEngine, peer: Peer, wall: ManualClock) -> Relay:
    return Relay(
        engine,
        OUTBOX,
        peer.deliver,
        wall,
        poll_seconds=0.01,
        jitter=lambda: 0.0,
        dead_letters=DEAD_LETTERS,
        recorder=RECORDER,
    )


async def write(engine: AsyncEngine, *notice_ids: str, key: str = "k", at: datetime = AT) -> None:
    for number, notice_id in enumerate(notice_ids):
        async with engine.begin() as connection:
            await _enqueue(connection, notice_id, number, key=key, at=at)


async def _enqueue(
    connection: AsyncConnection, notice_id: str, number: int, *, key: str, at: datetime
) -> None:
    notice = {"key": key, "notice_id": notice_id, "kind": "OPENED", "payload": {"number": number}, "at": at}
    await connection.execute(enqueue_statement(OUTBOX), notice)


async def row(engine: AsyncEngine, notice_id: str) -> RowMapping:
    async with engine.connect() as connection:
        found = await connection.execute(select(OUTBOX).where(OUTBOX.c.notice_id == notice_id))
        return found.mappings().one()


def when_logged(event: str) -> asyncio.Event:
    """Return an asyncio.Event that is set as soon as an event of this name is logged."""
    logged = asyncio.Event()

    def watch(_logger: object, _method: str, entry: EventDict) -> EventDict:
        if entry["event"] == event:
            logged.set()
        raise structlog.DropEvent

    structlog.configure(processors=[watch])
    return logged


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Any:
    yield
    structlog.reset_defaults()


async def test_a_notice_arrives_with_its_content(engine: AsyncEngine, relay: Relay, peer: Peer) -> None:
    await write(engine, "n1")

    await relay.deliver_now("k")

    assert peer.last == Notice(notice_id="n1", key="k", kind="OPENED", payload={"number": 0})
    assert (await row(engine, "n1"))["sent_time"] == AT


async def test_a_notice_is_named_and_stored_as_its_format_says(
    engine: AsyncEngine, relay: Relay, peer: Peer, wall: ManualClock
) -> None:
    formats = Formats[Opened](Format("OPENED", Opened, (lambda old: {**old, "number": 0},)))
    async with engine.begin() as connection:
        outbox = Outbox(connection, OUTBOX, formats, wall=wall, ids=Ids(wall))
        await outbox.enqueue(Opened(number=1), key="k")

    await relay.deliver_now("k")

    assert peer.last is not None
    assert (peer.last.kind, peer.last.payload) == ("OPENED", {"$format": 2, "number": 1})
    assert formats.decode(peer.last.kind, peer.last.payload) == Opened(number=1)


async def test_a_notice_without_a_format_is_refused(engine: AsyncEngine, wall: ManualClock) -> None:
    async with engine.connect() as connection:
        outbox = Outbox[object](connection, OUTBOX, Formats(), wall=wall, ids=Ids(wall))

        with pytest.raises(FormatUndeclared, match="Opened has no format"):
            await outbox.enqueue(Opened(number=1), key="k")


async def test_a_notice_of_a_transaction_that_failed_is_never_delivered(
    engine: AsyncEngine, relay: Relay, peer: Peer
) -> None:
    async with engine.connect() as connection:
        await _enqueue(connection, "n1", 1, key="k", at=AT)
        await connection.rollback()

    assert await relay.deliver_all_now() == 0
    assert peer.heard == []


async def test_notices_of_a_key_go_out_in_the_order_written_though_the_clock_stands_still(
    engine: AsyncEngine, relay: Relay, peer: Peer
) -> None:
    await write(engine, "n3", "n1", "n2")

    await relay.deliver_now("k")

    assert peer.heard == ["n3", "n1", "n2"]


async def test_a_second_replica_whose_clock_is_behind_cannot_reverse_the_order(
    engine: AsyncEngine, relay: Relay, peer: Peer
) -> None:
    await write(engine, "n2")
    await write(engine, "n1", at=AT - timedelta(minutes=1))

    await relay.deliver_now("k")

    assert peer.heard == ["n2", "n1"]


async def test_delivering_again_delivers_nothing_again(engine: AsyncEngine, relay: Relay, peer: Peer) -> None:
    await write(engine, "n1")

    await relay.deliver_now("k")
    await relay.deliver_now("k")

    assert peer.heard == ["n1"]


async def test_a_failure_raises_nothing_keeps_the_notice_and_backs_off(
    engine: AsyncEngine, relay: Relay, peer: Peer, wall: ManualClock
) -> None:
    peer.refused = {"n1"}
    await write(engine, "n1")

    await relay.deliver_now("k")
    once = await row(engine, "n1")
    await relay.deliver_now("k")
    twice = await row(engine, "n1")

    assert (once["attempts"], once["due_time"]) == (1, AT + timedelta(seconds=0.1))
    assert (twice["attempts"], twice["due_time"]) == (2, AT + timedelta(seconds=0.2))
    assert twice["sent_time"] is None
    assert twice["lease_time"] is None
    assert twice["last_error"] == "ConnectionRefusedError: no n1"


async def test_a_failed_notice_blocks_later_ones_of_its_key_and_no_other_key(
    engine: AsyncEngine, relay: Relay, peer: Peer
) -> None:
    peer.refused = {"n1"}
    await write(engine, "n1", "n2")
    await write(engine, "m1", key="other")

    assert await relay.deliver_all_now() == 2
    assert peer.heard == ["m1"]

    peer.refused.clear()

    assert await relay.deliver_all_now() == 0
    assert peer.heard == ["m1", "n1", "n2"]


async def test_the_background_delivers_what_is_due_and_leaves_what_backs_off(
    engine: AsyncEngine, relay: Relay, peer: Peer, wall: ManualClock
) -> None:
    failed = when_logged("notice_failed")
    peer.refused = {"n1"}
    await write(engine, "n1")
    await relay.start()
    await failed.wait()

    peer.refused.clear()
    await write(engine, "m1", key="other")
    await peer.has_heard("m1")
    wall.advance(timedelta(seconds=0.1))
    await peer.has_heard("m1", "n1")

    await relay.stop()
    assert (await row(engine, "n1"))["attempts"] == 2


async def test_a_notice_dated_by_a_clock_far_ahead_is_delivered_at_once(
    engine: AsyncEngine, relay: Relay, peer: Peer
) -> None:
    await write(engine, "n1", at=AT + timedelta(days=365))

    await relay.start()
    await peer.has_heard("n1")

    await relay.stop()


async def test_the_background_continues_after_an_unreadable_table(
    engine: AsyncEngine, relay: Relay, peer: Peer
) -> None:
    unreadable = when_logged("outbox_unreadable")
    await write(engine, "n1")
    await rename(engine, "outbox", "outbox_away")
    await relay.start()
    await unreadable.wait()

    await rename(engine, "outbox_away", "outbox")
    await peer.has_heard("n1")

    await relay.stop()


async def test_a_wake_is_faster_than_the_poll(engine: AsyncEngine, peer: Peer, wall: ManualClock) -> None:
    relay = Relay(
        engine, OUTBOX, peer.deliver, wall, poll_seconds=3_600, dead_letters=DEAD_LETTERS, recorder=RECORDER
    )
    await relay.start()
    await write(engine, "n1")

    relay.wake()
    await peer.called.wait()

    await relay.stop()
    assert peer.heard == ["n1"]


async def test_the_callers_deadline_limits_the_wait_while_the_delivery_continues(
    engine: AsyncEngine, relay: Relay, peer: Peer
) -> None:
    peer.gate.clear()
    await write(engine, "n1")
    deadline.begin(0.1)

    await relay.deliver_now("k")
    assert peer.heard == []
    await peer.called.wait()
    peer.gate.set()
    await relay.stop()

    assert peer.heard == ["n1"]


async def test_a_cancelled_caller_cancels_no_delivery(engine: AsyncEngine, relay: Relay, peer: Peer) -> None:
    peer.gate.clear()
    await write(engine, "n1")
    caller = asyncio.create_task(relay.deliver_now("k"))
    await peer.called.wait()

    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    peer.gate.set()
    await relay.stop()

    assert peer.heard == ["n1"]
    assert (await row(engine, "n1"))["sent_time"] == AT


async def test_a_delivery_does_not_inherit_its_callers_deadline(
    engine: AsyncEngine, wall: ManualClock
) -> None:
    left: list[float | None] = []

    async def deliver(notice: Notice) -> None:
        left.append(deadline.time_left())

    await write(engine, "n1")
    deadline.begin(5.0)

    await Relay(engine, OUTBOX, deliver, wall, dead_letters=DEAD_LETTERS, recorder=RECORDER).deliver_now("k")

    assert left == [None]


async def test_stop_finishes_the_delivery_in_progress_and_starts_no_other(
    engine: AsyncEngine, relay: Relay, peer: Peer
) -> None:
    peer.gate.clear()
    await write(engine, "n1", "n2")
    await relay.start()
    await peer.called.wait()

    stopping = asyncio.create_task(relay.stop())
    await asyncio.wait([stopping], timeout=0.01)
    assert not stopping.done()
    peer.gate.set()
    await stopping

    assert peer.heard == ["n1"]
    assert (await row(engine, "n2"))["attempts"] == 0


async def test_a_lease_excludes_other_relays_until_the_instant_it_ends(engine: AsyncEngine) -> None:
    leases = Leases(engine, OUTBOX)
    await write(engine, "n1")

    held = await leases.take("k", at=AT, until=AT + LEASE, early=True)
    too_soon = await leases.take("k", at=AT + LEASE - TICK, until=AT + 2 * LEASE, early=True)
    not_seen = await leases.due_keys(at=AT + LEASE - TICK, keys_max=10)
    seen = await leases.due_keys(at=AT + LEASE, keys_max=10)
    expired = await leases.take("k", at=AT + LEASE, until=AT + 2 * LEASE, early=True)

    assert isinstance(held, Lease)
    assert too_soon is NoLease.LEASED_ELSEWHERE
    assert (not_seen, seen) == ([], ["k"])
    assert isinstance(expired, Lease)
    assert (held.attempts, expired.attempts) == (1, 2)


async def test_a_notice_of_a_dead_relay_is_taken_over_when_its_lease_ends(
    engine: AsyncEngine, relay: Relay, peer: Peer, wall: ManualClock
) -> None:
    await write(engine, "n1", "n2")
    await Leases(engine, OUTBOX).take("k", at=AT, until=AT + LEASE, early=True)

    await relay.start()
    wall.advance(LEASE)
    await peer.has_heard("n1", "n2")

    await relay.stop()


async def test_a_late_failure_does_not_take_the_lease_of_another(engine: AsyncEngine) -> None:
    leases = Leases(engine, OUTBOX)
    await write(engine, "n1")
    late = await leases.take("k", at=AT, until=AT + LEASE, early=True)
    await leases.take("k", at=AT + LEASE, until=AT + 2 * LEASE, early=True)

    assert isinstance(late, Lease)
    await leases.mark_failed(late, error="too late", due=AT)

    assert (await row(engine, "n1"))["lease_time"] == AT + 2 * LEASE


async def test_a_late_success_counts_and_unblocks_later_notices(engine: AsyncEngine) -> None:
    leases = Leases(engine, OUTBOX)
    await write(engine, "n1", "n2")
    late = await leases.take("k", at=AT, until=AT + LEASE, early=True)
    await leases.take("k", at=AT + LEASE, until=AT + 2 * LEASE, early=True)

    assert isinstance(late, Lease)
    await leases.mark_sent(late, at=AT + LEASE)
    following = await leases.take("k", at=AT + LEASE, until=AT + 2 * LEASE, early=True)

    assert isinstance(following, Lease)
    assert following.notice.notice_id == "n2"


async def test_a_caller_waiting_for_another_relays_notice_returns_when_it_is_delivered(
    engine: AsyncEngine, relay: Relay, peer: Peer, wall: ManualClock
) -> None:
    other = a_relay(engine, peer, wall)
    peer.gate.clear()
    await write(engine, "n1")
    first = asyncio.create_task(other.deliver_now("k"))
    await peer.called.wait()

    second = asyncio.create_task(relay.deliver_now("k"))
    await asyncio.wait([second], timeout=0.05)
    assert not second.done()
    peer.gate.set()
    await asyncio.gather(first, second)

    assert peer.heard == ["n1"]


async def test_two_relays_deliver_each_notice_once_and_never_out_of_order(
    engine: AsyncEngine, peer: Peer, wall: ManualClock
) -> None:
    relays = [a_relay(engine, peer, wall), a_relay(engine, peer, wall)]
    written = {f"k{key}": [f"k{key}-{number}" for number in range(6)] for key in range(5)}
    for relay in relays:
        await relay.start()

    async def write_and_tell(key: str, relay: Relay) -> None:
        for notice_id in written[key]:
            await write(engine, notice_id, key=key)
            await relay.deliver_now(key)

    await asyncio.gather(*(write_and_tell(key, relays[number % 2]) for number, key in enumerate(written)))
    await peer.has_heard_count(30)
    for relay in relays:
        await relay.stop()

    heard = {key: [one for one in peer.heard if one.startswith(f"{key}-")] for key in written}
    assert heard == written


async def test_only_notices_delivered_before_an_instant_are_deleted(
    engine: AsyncEngine, relay: Relay
) -> None:
    await write(engine, "n1")
    await relay.deliver_now("k")
    await write(engine, "n2")

    async with engine.begin() as connection:
        assert await forget_sent(connection, OUTBOX, before=AT) == 0
        assert await forget_sent(connection, OUTBOX, before=AT + TICK) == 1

    assert (await row(engine, "n2"))["sent_time"] is None


async def test_metrics_say_how_many_notices_wait_and_since_when(
    engine: AsyncEngine, relay: Relay, wall: ManualClock
) -> None:
    def shown() -> tuple[float | None, float | None]:
        labels = {"outbox": OUTBOX.fullname}
        return (
            REGISTRY.get_sample_value("mesh_outbox_pending_notices", labels),
            REGISTRY.get_sample_value("mesh_outbox_oldest_seconds", labels),
        )

    await write(engine, "n1", "n2", at=wall.now())
    wall.advance(timedelta(seconds=90))
    await relay.measure()
    waiting = shown()
    await relay.deliver_now("k")
    await relay.measure()

    assert (waiting, shown()) == ((2.0, 90.0), (0.0, 0.0))


async def rename(engine: AsyncEngine, old: str, new: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(f"ALTER TABLE probe.{old} RENAME TO {new}"))
