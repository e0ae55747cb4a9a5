# SPDX-License-Identifier: Apache-2.0
import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from meshkit.clock import ManualClock
from meshkit.errors import RequestIdReused
from meshkit.formats import Format, Formats, FormatUndeclared
from meshkit.legacy_hash import legacy_hash
from meshkit.quantity import Credits
from meshkit.requests import StoredResponses, forget
from tests.store.meshkit.conftest import EFFECTS, RECORDER, REQUESTS

AT = datetime(2025, 6, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJar:
    request_id: str
    fingerprint: bytes
    jar_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseJar:
    request_id: str
    fingerprint: bytes
    jar_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    jar_id: str
    honey: Credits
    open_time: datetime


FORMATS = Formats[Jar](Format("Jar", Jar))
COMMAND = OpenJar(request_id="r1", fingerprint=b"open jar_1", jar_id="jar_1")


def stored(connection: AsyncConnection) -> StoredResponses[Jar]:
    return StoredResponses(connection, REQUESTS, FORMATS, wall=ManualClock(AT), recorder=RECORDER)


async def open_jar(
    engine: AsyncEngine, command: OpenJar, jar: Jar, reached: asyncio.Event | None = None
) -> Jar:
    """Do what every operation does in one transaction: claim the request_id, take effect, store the response."""
    async with engine.begin() as connection:
        if reached is not None:
            reached.set()
        if (first := await stored(connection).claim(command, Jar)) is not None:
            return first
        await connection.execute(insert(EFFECTS).values(effect=jar.jar_id))
        await stored(connection).store(command, jar)
        return jar


def jar(number: int) -> Jar:
    return Jar(jar_id=f"jar_{number}", honey=Credits(number), open_time=AT + timedelta(microseconds=number))


async def effects(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(EFFECTS))).scalar_one()


async def test_a_repeated_request_gets_the_stored_response_and_has_no_second_effect(
    engine: AsyncEngine,
) -> None:
    first = await open_jar(engine, COMMAND, jar(1))
    again = await open_jar(engine, COMMAND, jar(2))

    assert again == first == jar(1)
    assert await effects(engine) == 1


async def test_concurrent_twins_of_one_request_have_one_effect_and_one_answer(engine: AsyncEngine) -> None:
    answers = await asyncio.gather(*(open_jar(engine, COMMAND, jar(number)) for number in range(8)))

    assert len(set(answers)) == 1
    assert await effects(engine) == 1


async def test_a_twin_waits_for_the_first_to_commit(engine: AsyncEngine) -> None:
    reached = asyncio.Event()
    async with engine.begin() as first:
        assert await stored(first).claim(COMMAND, Jar) is None
        twin = asyncio.create_task(open_jar(engine, COMMAND, jar(2), reached))
        await reached.wait()
        await stored(first).store(COMMAND, jar(1))
        assert not twin.done()

    assert await twin == jar(1)
    assert await effects(engine) == 0


async def test_when_the_first_fails_its_twin_takes_effect(engine: AsyncEngine) -> None:
    reached = asyncio.Event()
    async with engine.connect() as first:
        assert await stored(first).claim(COMMAND, Jar) is None
        twin = asyncio.create_task(open_jar(engine, COMMAND, jar(2), reached))
        await reached.wait()
        await first.rollback()

    assert await twin == jar(2)
    assert await effects(engine) == 1


@pytest.mark.parametrize(
    "other",
    [
        replace(COMMAND, fingerprint=b"open jar_2", jar_id="jar_2"),
        CloseJar(request_id="r1", fingerprint=b"close jar_1", jar_id="jar_1"),
    ],
)
async def test_a_different_request_with_the_same_id_is_refused(
    engine: AsyncEngine, other: OpenJar | CloseJar
) -> None:
    await open_jar(engine, COMMAND, jar(1))

    async with engine.begin() as connection:
        with pytest.raises(RequestIdReused) as caught:
            await stored(connection).claim(other, Jar)

    assert caught.value.metadata == {"request_id": "r1"}


async def test_a_request_that_the_revision_before_answered_gets_its_first_answer(engine: AsyncEngine) -> None:
    await open_jar(engine, COMMAND, jar(1))
    async with engine.begin() as connection:
        await connection.execute(update(REQUESTS).values(body_hash=legacy_hash(COMMAND)))

    assert await open_jar(engine, COMMAND, jar(2)) == jar(1)
    with pytest.raises(RequestIdReused):
        await open_jar(engine, replace(COMMAND, fingerprint=b"open jar_2", jar_id="jar_2"), jar(2))


async def test_a_stored_response_is_found_without_a_claim(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        assert await stored(connection).find(COMMAND, Jar) is None
    await open_jar(engine, COMMAND, jar(1))

    async with engine.begin() as connection:
        assert await stored(connection).find(COMMAND, Jar) == jar(1)
        with pytest.raises(RequestIdReused):
            await stored(connection).find(replace(COMMAND, fingerprint=b"open jar_2"), Jar)


async def test_a_response_without_a_format_is_refused(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        with pytest.raises(FormatUndeclared, match="Credits has no format"):
            await StoredResponses[object](
                connection, REQUESTS, Formats(), wall=ManualClock(AT), recorder=RECORDER
            ).store(COMMAND, Credits(1))


async def test_another_request_id_is_another_request(engine: AsyncEngine) -> None:
    await open_jar(engine, COMMAND, jar(1))

    assert await open_jar(engine, replace(COMMAND, request_id="r2"), jar(2)) == jar(2)
    assert await effects(engine) == 2


async def test_an_operation_that_fails_leaves_no_claim(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await stored(connection).claim(COMMAND, Jar)
        await connection.rollback()

    assert await open_jar(engine, COMMAND, jar(2)) == jar(2)


async def test_only_requests_from_before_an_instant_are_deleted(engine: AsyncEngine) -> None:
    await open_jar(engine, COMMAND, jar(1))

    async with engine.begin() as connection:
        assert await forget(connection, REQUESTS, before=AT) == 0
        assert await forget(connection, REQUESTS, before=AT + timedelta(microseconds=1)) == 1

    assert await open_jar(engine, COMMAND, jar(2)) == jar(2)
