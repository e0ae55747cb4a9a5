# SPDX-License-Identifier: Apache-2.0
"""Services through PgBouncer in transaction mode: used if it tracks prepared statements, refused in one line if not."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from grpc import StatusCode
from sqlalchemy.engine import make_url

from meshkit.database_url import role_of
from meshkit.db import migrate
from meshkit.poolers import PoolerUnusable
from tests.support.faults import outcome
from tests.support.health import NOT_SERVING, SERVING, until_health
from tests.support.ledger import CREDIT, running_ledger
from tests.support.ledger_process import LedgerProcess
from tests.support.ledger_sql import Sql
from tests.support.mesh import SwitchedMesh, acme_at, pending
from tests.support.pgbouncer import POOL_SIZE, pgbouncer, pooled
from tests.support.postgres import Databases
from tests.support.silent_proxy import Silence, SilentProxy

LIMITS = {"statement_timeout": "61s", "lock_timeout": "62s", "idle_in_transaction_session_timeout": "63s"}
AWAY = (StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")


async def _limit(databases: Databases, limits: Mapping[str, str]) -> None:
    """Give the roles that serve limits of waits, in this database only."""
    async with Sql.connected(databases.admin_url) as sql:
        for url in databases.urls.values():
            for name, value in limits.items():
                role = f'"{make_url(url).username}" IN DATABASE "{databases.name}"'
                await sql.execute(f"ALTER ROLE {role} SET {name} = '{value}'")


@pytest.fixture
async def through(databases: Databases, tmp_path: Path) -> AsyncIterator[Databases]:
    program = pgbouncer()
    await _limit(databases, LIMITS)
    async with pooled(databases, tmp_path, program) as reached:
        yield reached


async def test_the_mesh_works_through_a_pooler(databases: Databases, through: Databases) -> None:
    async with SwitchedMesh(through) as mesh:
        await mesh.start()
        async with acme_at(mesh.addresses) as acme:
            warned = await acme.warn_at(1_200)
            await acme.change_seats(+1)
            await acme.buy()
            held = await asyncio.gather(*(acme.authorize(1) for _ in range(20)))
            await asyncio.gather(*(acme.debit(10) for _ in range(20)))

            assert len({one.hold_id for one in held}) == 20
            assert await acme.available() == (500 + 1_000 - 20 * 12 - 20 * 10) * CREDIT
            assert await acme.state_of(warned) is not None
            await acme.assert_adds_up()
        assert await pending(databases) == 0


async def test_no_session_of_the_pooler_keeps_what_a_service_set(through: Databases) -> None:
    async with running_ledger(through) as ledger, AsyncExitStack() as sessions:
        await ledger.sell_assistant()
        await ledger.sign_acme()
        await asyncio.gather(*(ledger.debit(1) for _ in range(30)))
        await asyncio.gather(*(ledger.authorize(1_000) for _ in range(10)))  # denials: under locks

        # As many transactions as the pooler has sessions for this role: each has another one.
        found = set()
        for _ in range(POOL_SIZE):
            session = await sessions.enter_async_context(Sql.connected(through.url("ledger")))
            await sessions.enter_async_context(session.transaction())
            session_id = await session.value("SELECT pg_backend_pid()")
            found.add((session_id, *[await session.value(f"SHOW {name}") for name in LIMITS]))

    assert {limits for _, *limits in map(tuple, found) for limits in [tuple(limits)]} == {
        ("61s", "62s", "63s")
    }
    assert len(found) == POOL_SIZE


async def test_a_full_database_behind_a_pooler_is_reported_and_used_again(
    databases: Databases, through: Databases
) -> None:
    async with running_ledger(through) as ledger, Sql.connected(databases.admin_url) as sql:
        await ledger.sell_assistant()
        await ledger.sign_acme()
        await sql.execute(f'ALTER DATABASE "{databases.name}" CONNECTION LIMIT 0')
        try:
            await sql.value(
                "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert await outcome(ledger.debit(5, request_id="again")) == AWAY
            await until_health(ledger.address, NOT_SERVING)
        finally:
            await sql.execute(f'ALTER DATABASE "{databases.name}" CONNECTION LIMIT -1')
        await until_health(ledger.address, SERVING)

        await ledger.debit(5, request_id="again")
        assert (await ledger.pool()).available_micros == 395 * CREDIT


async def test_a_database_that_falls_silent_behind_a_pooler_is_reported_and_used_again(
    databases: Databases, tmp_path: Path
) -> None:
    program, short_wait = pgbouncer(), ("server_connect_timeout = 2",)
    await _limit(databases, LIMITS)
    async with (
        SilentProxy.before(databases.address) as wire,
        pooled(databases.at(wire.address), tmp_path, program, more=short_wait) as through,
        running_ledger(through) as ledger,
    ):
        await ledger.sell_assistant()
        await ledger.sign_acme()

        wire.fall_silent(Silence.HANGS)  # the pooler still answers
        assert await outcome(ledger.debit(5, request_id="again")) == AWAY
        await until_health(ledger.address, NOT_SERVING)
        wire.another_answers()
        await until_health(ledger.address, SERVING)

        await ledger.debit(5, request_id="again")
        assert (await ledger.pool()).available_micros == 395 * CREDIT


async def test_a_pooler_that_does_not_track_prepared_statements_ends_the_start_with_one_line(
    databases: Databases, tmp_path: Path
) -> None:
    await _limit(databases, LIMITS)
    async with pooled(databases, tmp_path, pgbouncer(tracks=False), prepared_statements=0) as reached:
        process = LedgerProcess(reached.url("ledger"))
        await process.start()

        assert await process.ended() == 1

    assert process.lines == [
        f"ledger: the pooler at {reached.address_of('ledger')} does not track prepared statements; use PgBouncer"
        " 1.21 or newer with pool_mode = transaction and max_prepared_statements above 0, or connect to"
        " PostgreSQL itself"
    ]


@pytest.mark.parametrize(
    "more", [(), (f"ignore_startup_parameters = {','.join([*LIMITS, 'jit', 'plan_cache_mode'])}",)]
)
async def test_a_role_without_limits_of_waits_is_refused_behind_a_pooler(
    databases: Databases, tmp_path: Path, more: tuple[str, ...]
) -> None:
    await _limit(databases, {**LIMITS, "lock_timeout": "0"})
    async with pooled(databases, tmp_path, pgbouncer(), more=more) as reached:
        with pytest.raises(PoolerUnusable, match=r"^lock_timeout is 0 behind the pooler"):
            async with running_ledger(reached):
                pass


@pytest.mark.parametrize("limits", [{}, LIMITS], ids=["without limits", "with limits"])
async def test_migrations_through_a_pooler_are_refused(
    databases: Databases, tmp_path: Path, limits: Mapping[str, str]
) -> None:
    await _limit(databases, limits)
    async with pooled(databases, tmp_path, pgbouncer()) as reached:
        with pytest.raises(PoolerUnusable, match=r"^ledger cannot be migrated through a pooler; connect to"):
            await migrate(
                reached.url("ledger"), service="ledger", runtime_role=role_of(databases.url("ledger"))
            )
