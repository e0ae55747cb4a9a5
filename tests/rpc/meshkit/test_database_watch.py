# SPDX-License-Identifier: Apache-2.0
"""When a database counts as silent: after two questions in a row without an answer, not before."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from meshkit import database_watch
from meshkit.clock import ManualClock, SystemClock
from meshkit.connections import Connections, DatabaseSilent
from meshkit.database_watch import DatabaseWatch
from tests.support.postgres import Databases
from tests.support.silent_proxy import Silence, SilentProxy


@pytest.fixture
async def wire(databases: Databases) -> AsyncIterator[SilentProxy]:
    async with SilentProxy.before(databases.address) as proxy:
        yield proxy


@pytest.fixture
async def watched(
    databases: Databases, wire: SilentProxy, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[DatabaseWatch, Connections]]:
    monkeypatch.setattr(database_watch, "ANSWER_SECONDS_MAX", 0.5)
    connections = Connections(databases.at(wire.address).url("ledger"))
    watch = DatabaseWatch(connections, SystemClock(), application_name="watch")
    yield watch, connections
    await watch.stop()


async def test_one_unanswered_attempt_at_the_start_is_not_taken_for_silence(
    watched: tuple[DatabaseWatch, Connections], wire: SilentProxy
) -> None:
    watch, connections = watched
    wire.fall_silent(Silence.HANGS)

    first = (await watch.look(), connections.is_silent)
    second = (await watch.look(), connections.is_silent)
    wire.another_answers()
    third = (await watch.look(), connections.is_silent)

    assert (first, second, third) == ((False, False), (False, True), (True, False))


async def test_open_connections_are_dropped_when_the_watch_gets_no_answer_and_new_ones_refused_while_it_is_silent(
    watched: tuple[DatabaseWatch, Connections], wire: SilentProxy
) -> None:
    watch, connections = watched
    assert await watch.look()
    connection = await connections.connect(timeout=60)
    wire.fall_silent(Silence.HANGS)

    assert not await watch.look()

    assert connection.is_closed()
    with pytest.raises(DatabaseSilent):
        await connections.connect(timeout=60)


async def test_a_host_that_took_over_is_used_at_once(
    watched: tuple[DatabaseWatch, Connections], wire: SilentProxy
) -> None:
    watch, connections = watched
    assert await watch.look()
    old = await connections.connect(timeout=60)
    wire.fall_silent(Silence.HANGS)
    wire.another_answers()

    assert await watch.look()

    assert old.is_closed()
    new = await connections.connect(timeout=60)
    assert await new.fetchval("SELECT 1") == 1
    new.terminate()


async def test_metrics_say_whether_the_database_answers(
    watched: tuple[DatabaseWatch, Connections], wire: SilentProxy
) -> None:
    watch, _ = watched

    await watch.look()
    before = REGISTRY.get_sample_value("mesh_database_up")
    wire.fall_silent(Silence.HANGS)
    await watch.look()

    assert (before, REGISTRY.get_sample_value("mesh_database_up")) == (1.0, 0.0)


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(hours=-2)])
async def test_metrics_say_how_far_the_clock_is_ahead_of_the_databases(
    databases: Databases, ahead: timedelta
) -> None:
    wall = ManualClock(datetime.now(UTC) + ahead)
    watch = DatabaseWatch(Connections(databases.url("ledger")), wall, application_name="watch")

    await watch.look()  # connects
    await watch.look()
    await watch.stop()

    shown = REGISTRY.get_sample_value("mesh_clock_ahead_seconds")
    assert shown is not None
    # The manual clock stands still meanwhile, for as long as this test takes.
    assert abs(shown - ahead.total_seconds()) < 600
