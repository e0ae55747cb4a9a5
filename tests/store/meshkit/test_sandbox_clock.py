# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.clock import ManualClock
from sandbox import load_sandbox_time, restore_time, save_sandbox_time
from tests.store.meshkit.conftest import SANDBOX_CLOCK

AT = datetime(2025, 6, 1, 0, 0, 0, 1, tzinfo=UTC)


async def kept(engine: AsyncEngine) -> datetime | None:
    async with engine.connect() as connection:
        return await load_sandbox_time(connection, SANDBOX_CLOCK)


async def save(engine: AsyncEngine, at: datetime) -> None:
    async with engine.begin() as connection:
        await save_sandbox_time(connection, SANDBOX_CLOCK, at)


async def test_a_sandbox_that_was_never_advanced_has_no_time(engine: AsyncEngine) -> None:
    assert await kept(engine) is None


async def test_the_sandbox_time_is_stored_to_the_microsecond_and_only_moves_forward(
    engine: AsyncEngine,
) -> None:
    await save(engine, AT)
    assert await kept(engine) == AT

    await save(engine, AT + timedelta(days=31))
    await save(engine, AT)

    assert await kept(engine) == AT + timedelta(days=31)


async def test_a_clock_continues_at_the_sandbox_time_and_never_goes_back(engine: AsyncEngine) -> None:
    clock = ManualClock(AT)
    await restore_time(clock, engine, SANDBOX_CLOCK)
    assert clock.now() == AT

    await save(engine, AT + timedelta(days=31))
    await restore_time(clock, engine, SANDBOX_CLOCK)
    assert clock.now() == AT + timedelta(days=31)

    later = ManualClock(AT + timedelta(days=32))
    await restore_time(later, engine, SANDBOX_CLOCK)
    assert later.now() == AT + timedelta(days=32)
