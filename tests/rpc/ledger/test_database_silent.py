# SPDX-License-Identifier: Apache-2.0
"""A database that falls silent, or stays read-only, is noticed at once; nothing waits for it, not even the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from grpc import StatusCode
from sqlalchemy.engine import make_url

from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.faults import outcome
from tests.support.health import NOT_SERVING, SERVING, until_health
from tests.support.ledger import CREDIT, RunningLedger, running_ledger
from tests.support.ledger_process import ledger_process
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.silent_proxy import Silence, SilentProxy

AWAY = (StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")
FINE = (StatusCode.OK, "")
any_silence = pytest.mark.parametrize("silence", list(Silence))


@pytest.fixture
async def wire(databases: Databases) -> AsyncIterator[SilentProxy]:
    async with SilentProxy.before(databases.address) as proxy:
        yield proxy


@asynccontextmanager
async def _ledger_behind(wire: SilentProxy, databases: Databases) -> AsyncIterator[RunningLedger]:
    async with running_ledger(databases.at(wire.address)) as running:
        await running.sell_assistant()
        await running.sign_acme()
        yield running


@any_silence
async def test_calls_get_a_reason_and_then_their_answers_from_the_host_that_took_over(
    databases: Databases, wire: SilentProxy, silence: Silence
) -> None:
    async with _ledger_behind(wire, databases) as ledger:
        await ledger.debit(10)
        wire.fall_silent(silence)
        wire.another_answers()

        lost = await asyncio.gather(*(outcome(ledger.debit(1, request_id=f"r-{n}")) for n in range(5)))
        again = [await outcome(ledger.debit(1, request_id=f"r-{n}")) for n in range(5)]

        assert set(lost) <= {AWAY, FINE}
        assert AWAY in lost
        assert again == [FINE] * 5
        assert (await ledger.pool()).available_micros == 385 * CREDIT
        await ledger.assert_adds_up()


@any_silence
async def test_a_silent_database_is_reported_and_fails_calls_at_once_until_it_is_back(
    databases: Databases, wire: SilentProxy, silence: Silence
) -> None:
    async with _ledger_behind(wire, databases) as ledger:
        wire.fall_silent(silence)
        assert await outcome(ledger.authorize(10, request_id="again")) == AWAY
        await until_health(ledger.address, NOT_SERVING)

        # Faster than any attempt to connect: many calls, one after the other.
        async with asyncio.timeout(2):
            for n in range(50):
                assert await outcome(ledger.debit(1, request_id=f"r-{n}")) == AWAY
        wire.another_answers()
        await until_health(ledger.address, SERVING)

        allowed = await ledger.authorize(10, request_id="again")
        assert allowed.decision == pb.DECISION_ALLOWED
        await ledger.assert_adds_up()


@any_silence
async def test_a_ledger_whose_database_is_silent_ends_when_it_is_asked_to(
    databases: Databases, wire: SilentProxy, silence: Silence
) -> None:
    async with ledger_process(databases.at(wire.address).url("ledger")) as process:
        wire.fall_silent(silence)
        process.ask_to_stop()

        async with asyncio.timeout(8):
            assert await process.ended() == 0
    assert not [line for line in process.lines if "Traceback" in line]


async def test_a_slow_statement_is_not_taken_for_silence(ledger: RunningLedger, sql: Sql) -> None:
    """It waits for a lock for longer than the watch waits for an answer."""
    async with sql.transaction():
        await sql.lock("pools")
        asked = asyncio.create_task(ledger.debit(100))
        await sql.until_somebody_waits()
        await sql.value("SELECT pg_sleep(2.2)")
        assert not asked.done()

    assert (await asked).debited_micros == 100 * CREDIT


async def test_sessions_that_stayed_read_only_after_a_failover_cost_one_call(
    ledger: RunningLedger, databases: Databases, sql: Sql
) -> None:
    url = make_url(databases.url("ledger"))
    # In this database only: other tests use the same role at the same time.
    role = f'ALTER ROLE "{url.username}" IN DATABASE "{url.database}"'
    await ledger.debit(10)
    await sql.execute(f"{role} SET default_transaction_read_only = on")
    await sql.value(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    try:
        for n in range(4):  # until each session is one that began while writes were refused
            assert (await outcome(ledger.debit(1, request_id=f"r-{n}")))[0] is StatusCode.UNAVAILABLE
    finally:
        await sql.execute(f"{role} RESET default_transaction_read_only")

    outcomes = [await outcome(ledger.debit(1, request_id=f"r-{n}")) for n in range(4)]
    again = [await outcome(ledger.debit(1, request_id=f"r-{n}")) for n in range(4)]

    assert outcomes.count(AWAY) <= 1
    assert again == [FINE] * 4
    assert (await ledger.pool()).available_micros == 386 * CREDIT
