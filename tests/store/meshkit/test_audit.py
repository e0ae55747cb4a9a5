# SPDX-License-Identifier: Apache-2.0
"""Records are committed with their effects; those of refusals are limited."""

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from access import Call, Caller
from audit import AuditRecorder
from audit.refusals import NOBODY, RECORDS_AT_ONCE_MAX, RECORDS_PER_SECOND, Limit, Refusals
from meshkit.clock import ManualClock
from meshkit.ids import Ids
from tests.store.meshkit.conftest import AUDIT_EVENTS, EFFECTS, RECORDER

ALICE = Call(Caller("alice"), "/purser.pantry.v1.PantryService/CreateJar")
NO_IDENTITY = Call(NOBODY, "/purser.pantry.v1.PantryService/CreateJar")


class Seconds:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def recorded(engine: AsyncEngine) -> list[tuple[str, int]]:
    columns = AUDIT_EVENTS.c
    in_order = select(columns.subject, columns.left_out).order_by(columns.audit_event_id)
    async with engine.connect() as connection:
        return [(row.subject, row.left_out) for row in await connection.execute(in_order)]


async def test_a_write_that_is_rolled_back_leaves_no_record(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(insert(EFFECTS).values(effect="half done"))
        await RECORDER.record(connection, {"jar_id": "jar_1"})
        await connection.rollback()

    assert await recorded(engine) == []


async def test_outside_of_calls_the_clock_signs(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await RECORDER.record(connection, {"jar_id": "jar_1"})
        await RECORDER.record_due(connection, "stir", {"jar_id": "jar_2"})

    assert await recorded(engine) == [("clock", 0), ("clock", 0)]


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def refusals(engine: AsyncEngine, wall: ManualClock, seconds: Seconds) -> Refusals:
    ids = Ids(wall)
    recorder = AuditRecorder(AUDIT_EVENTS, wall=wall, ids=ids)
    return Refusals(recorder, engine, wall=wall, ids=ids, now_seconds=seconds)


async def test_a_flood_of_refusals_is_limited_and_the_next_record_counts_what_was_left_out(
    engine: AsyncEngine, refusals: Refusals, seconds: Seconds
) -> None:
    for _ in range(RECORDS_AT_ONCE_MAX + 3):
        await refusals.record(ALICE, "ACCESS_DENIED")
    assert await recorded(engine) == [("alice", 0)] * RECORDS_AT_ONCE_MAX

    seconds.now = 1 / RECORDS_PER_SECOND
    await refusals.record(ALICE, "ACCESS_DENIED")
    await refusals.record(ALICE, "ACCESS_DENIED")

    assert (await recorded(engine))[RECORDS_AT_ONCE_MAX:] == [("alice", 3)]


async def test_a_flood_without_identities_hides_no_caller_with_one(
    engine: AsyncEngine, refusals: Refusals
) -> None:
    for _ in range(RECORDS_AT_ONCE_MAX + 1):
        await refusals.record(NO_IDENTITY, "TOKEN_MISSING")

    await refusals.record(ALICE, "ACCESS_DENIED")

    assert (await recorded(engine))[RECORDS_AT_ONCE_MAX:] == [("alice", 0)]


async def test_a_refusal_that_the_database_does_not_take_is_counted_in_the_next_record(
    engine: AsyncEngine, refusals: Refusals
) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(AUDIT_EVENTS.drop)
    await refusals.record(ALICE, "ACCESS_DENIED")
    async with engine.begin() as connection:
        await connection.run_sync(AUDIT_EVENTS.create)

    await refusals.record(ALICE, "ACCESS_DENIED")

    assert await recorded(engine) == [("alice", 1)]


def test_the_limit_fills_up_to_the_burst_and_not_beyond(seconds: Seconds) -> None:
    limit = Limit(2.0, 3, seconds)
    assert [limit.take() for _ in range(5)] == [0, 0, 0, None, None]

    seconds.now = 0.25
    assert limit.take() is None
    seconds.now = 0.5
    assert limit.take() == 3
    seconds.now = 1_000.0
    assert [limit.take() for _ in range(4)] == [0, 0, 0, None]
