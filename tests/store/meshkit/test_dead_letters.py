# SPDX-License-Identifier: Apache-2.0
"""Dead letters: when a notice becomes one, what may overtake it, and what an operator can do about it."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from meshkit.clock import ManualClock
from meshkit.errors import FailedPrecondition, MeshError
from meshkit.metrics import OUTBOX_DELIVERIES
from meshkit.outbox import DeadLetter, Notice, Relay
from meshkit.outbox.dead_letters import DeadLetterEnded, DeadLetterNotFound
from meshkit.outbox.notice import enqueue_statement
from meshkit.outbox.relay import REJECTED_FOR_MIN, REJECTIONS_MIN, DeadLetterRejected
from meshkit.rpc.status import PeerUnavailable
from tests.store.meshkit.conftest import DEAD_LETTERS, OUTBOX, RECORDER

TICK = timedelta(microseconds=1)
ORDERED = "SEATS_CHANGED"
OTHER = "PAID"


class Rejected(FailedPrecondition):
    reason = "NO_SUCH_SEAT"

    def __init__(self) -> None:
        super().__init__("there is no such seat")


class Peer:
    """Accepts notices, but for those that a test gives a fault."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.faults: dict[str, MeshError] = {}

    async def deliver(self, notice: Notice) -> None:
        if notice.notice_id in self.faults:
            raise self.faults[notice.notice_id]
        self.heard.append(notice.notice_id)


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def relay(engine: AsyncEngine, peer: Peer, wall: ManualClock) -> Relay:
    return Relay(
        engine,
        OUTBOX,
        peer.deliver,
        wall,
        dead_letters=DEAD_LETTERS,
        recorder=RECORDER,
        ordered=frozenset({ORDERED}),
    )


async def write(engine: AsyncEngine, wall: ManualClock, notice_id: str, kind: str, key: str = "k") -> None:
    notice = {"key": key, "notice_id": notice_id, "kind": kind, "payload": {"n": 1}, "at": wall.now()}
    async with engine.begin() as connection:
        await connection.execute(enqueue_statement(OUTBOX), notice)


async def attempt(relay: Relay, times: int, key: str = "k") -> None:
    for _ in range(times):
        await relay.deliver_now(key)


async def reject_until_dead(relay: Relay, wall: ManualClock, key: str = "k") -> None:
    await attempt(relay, REJECTIONS_MIN - 1, key)
    wall.advance_to(wall.now() + REJECTED_FOR_MIN)
    await attempt(relay, 1, key)


async def dead(relay: Relay, *, include_ended: bool = False) -> list[DeadLetter]:
    letters, total = await relay.dead_letters.oldest(include_ended=include_ended)
    assert total == len(letters)
    return list(letters)


async def pending(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        waiting = (
            select(OUTBOX.c.notice_id).where(OUTBOX.c.sent_time.is_(None)).order_by(OUTBOX.c.create_time)
        )
        return list((await connection.execute(waiting)).scalars())


async def test_a_notice_rejected_long_enough_is_dead_and_later_ones_are_delivered(
    engine: AsyncEngine, relay: Relay, peer: Peer, wall: ManualClock
) -> None:
    peer.faults["n1"] = Rejected()
    begin = wall.now()
    await write(engine, wall, "n1", OTHER)
    await write(engine, wall, "n2", OTHER)
    counted = OUTBOX_DELIVERIES.labels(OUTBOX.fullname, OTHER, "dead")
    before = counted._value.get()

    with capture_logs() as logs:
        await reject_until_dead(relay, wall)

    (letter,) = await dead(relay)
    assert letter.notice == Notice(notice_id="n1", key="k", kind=OTHER, payload={"n": 1})
    assert (letter.attempts, letter.last_error) == (REJECTIONS_MIN, "NO_SUCH_SEAT: there is no such seat")
    assert (letter.create_time, letter.dead_time, letter.end_time) == (begin, wall.now(), None)
    assert peer.heard == ["n2"]
    assert await pending(engine) == []
    assert counted._value.get() == before + 1
    (entry,) = [entry for entry in logs if entry["event"] == "notice_dead"]
    assert (entry["log_level"], entry["notice_id"], entry["key"]) == ("error", "n1", "k")


async def test_a_tick_less_or_one_rejection_less_is_not_enough(
    engine: AsyncEngine, relay: Relay, peer: Peer, wall: ManualClock
) -> None:
    peer.faults |= {"early": Rejected(), "few": Rejected()}
    await write(engine, wall, "early", OTHER, key="early")
    await write(engine, wall, "few", OTHER, key="few")
    await attempt(relay, REJECTIONS_MIN, key="early")
    await attempt(relay, REJECTIONS_MIN - 2, key="few")

    wall.advance_to(wall.now() + REJECTED_FOR_MIN - TICK)
    await attempt(relay, 1, key="early")
    wall.advance_to(wall.now() + TICK)
    await attempt(relay, 1, key="few")

    assert await dead(relay) == []
    assert sorted(await pending(engine)) == ["early", "few"]


async def test_time_and_attempts_while_the_peer_is_away_do_not_count(
    engine: AsyncEngine, relay: Relay, peer: Peer, wall: ManualClock
) -> None:
    peer.faults["n1"] = PeerUnavailable(peer="ledger", details="away")
    await write(engine, wall, "n1", OTHER)
    await attempt(relay, 20)
    wall.advance_to(wall.now() + 10 * REJECTED_FOR_MIN)

    peer.faults["n1"] = Rejected()
    await attempt(relay, REJECTIONS_MIN)

    assert await dead(relay) == []
    assert await pending(engine) == ["n1"]


async def test_notices_of_an_ordered_kind_wait_for_a_dead_one_and_other_kinds_and_keys_do_not(
    engine: AsyncEngine, relay: Relay, peer: Peer, wall: ManualClock
) -> None:
    peer.faults["s1"] = Rejected()
    for notice_id, kind, key in (
        ("s1", ORDERED, "k"),
        ("s2", ORDERED, "k"),
        ("p1", OTHER, "k"),
        ("s3", ORDERED, "k2"),
    ):
        await write(engine, wall, notice_id, kind, key)

    await reject_until_dead(relay, wall)
    await relay.deliver_all_now()

    assert peer.heard == ["p1", "s3"]
    assert await pending(engine) == ["s2"]


async def test_a_retry_delivers_it_once_and_what_waited_follows(
    engine: AsyncEngine, relay: Relay, peer: Peer, wall: ManualClock
) -> None:
    peer.faults["s1"] = Rejected()
    await write(engine, wall, "s1", ORDERED)
    await write(engine, wall, "s2", ORDERED)
    await reject_until_dead(relay, wall)

    del peer.faults["s1"]
    first, again = await relay.retry("s1"), await relay.retry("s1")
    await relay.deliver_all_now()

    assert first == again
    assert (first.end_time, first.attempts) == (wall.now(), REJECTIONS_MIN + 1)
    assert peer.heard == ["s1", "s2"]
    assert await dead(relay) == []
    assert await dead(relay, include_ended=True) == [first]


async def test_a_retry_that_is_rejected_says_why_and_changes_nothing_else(
    engine: AsyncEngine, relay: Relay, peer: Peer, wall: ManualClock
) -> None:
    peer.faults["s1"] = Rejected()
    await write(engine, wall, "s1", ORDERED)
    await write(engine, wall, "s2", ORDERED)
    await reject_until_dead(relay, wall)

    with pytest.raises(DeadLetterRejected, match="there is no such seat"):
        await relay.retry("s1")
    peer.faults["s1"] = PeerUnavailable(peer="ledger", details="away")
    with pytest.raises(PeerUnavailable):
        await relay.retry("s1")

    (letter,) = await dead(relay)
    assert (letter.notice.notice_id, letter.attempts) == ("s1", REJECTIONS_MIN + 1)
    assert await pending(engine) == ["s2"]


async def test_a_dropped_one_is_never_sent_and_what_waited_follows(
    engine: AsyncEngine, relay: Relay, peer: Peer, wall: ManualClock
) -> None:
    peer.faults["s1"] = Rejected()
    await write(engine, wall, "s1", ORDERED)
    await write(engine, wall, "s2", ORDERED)
    await reject_until_dead(relay, wall)

    del peer.faults["s1"]
    dropped = await relay.drop("s1", reason="the seats were sold twice", actor="ops")
    again = await relay.drop("s1", reason="another reason", actor="another")
    with pytest.raises(DeadLetterEnded, match="dropped"):
        await relay.retry("s1")
    await relay.deliver_all_now()

    assert dropped == again
    assert (dropped.drop_reason, dropped.drop_actor) == ("the seats were sold twice", "ops")
    assert peer.heard == ["s2"]


async def test_a_delivered_one_cannot_be_dropped_and_an_unknown_one_is_not_found(
    engine: AsyncEngine, relay: Relay, peer: Peer, wall: ManualClock
) -> None:
    peer.faults["n1"] = Rejected()
    await write(engine, wall, "n1", OTHER)
    await reject_until_dead(relay, wall)
    del peer.faults["n1"]
    await relay.retry("n1")

    with pytest.raises(DeadLetterEnded, match="delivered"):
        await relay.drop("n1", reason="late", actor="ops")
    with pytest.raises(DeadLetterNotFound):
        await relay.drop("n2", reason="unknown", actor="ops")
    with pytest.raises(DeadLetterNotFound):
        await relay.retry("n2")


async def test_a_relay_whose_lease_was_taken_over_makes_no_dead_letter(
    engine: AsyncEngine, relay: Relay, wall: ManualClock
) -> None:
    await write(engine, wall, "n1", OTHER)
    late = await relay._leases.take("k", at=wall.now(), until=wall.now() + TICK, early=True)
    wall.advance_to(wall.now() + TICK)
    await relay._leases.take("k", at=wall.now(), until=wall.now() + TICK, early=True)

    assert not isinstance(late, type(None))
    assert not await relay.dead_letters.add(late, error="x", at=wall.now())  # type: ignore[arg-type]
    assert await pending(engine) == ["n1"]
