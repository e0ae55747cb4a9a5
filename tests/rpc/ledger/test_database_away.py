# SPDX-License-Identifier: Apache-2.0
"""A database that goes away is a fault with a reason; when it is back, so is the Ledger, and nothing is done twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import pytest
from grpc import StatusCode
from pydantic import ValidationError

from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from services.ledger.config import LedgerSettings
from tests.support.cutting_proxy import CuttingProxy
from tests.support.faults import fault, outcome
from tests.support.ledger import CREDIT, RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases


@pytest.fixture
async def wire(databases: Databases) -> AsyncIterator[CuttingProxy]:
    """What lies between the Ledger and its database."""
    async with CuttingProxy.before(databases.address) as proxy:
        yield proxy


@asynccontextmanager
async def _ledger_behind(wire: CuttingProxy, databases: Databases) -> AsyncIterator[RunningLedger]:
    async with running_ledger(databases.at(wire.address)) as running:
        yield running


@pytest.fixture
async def wired(databases: Databases, wire: CuttingProxy) -> AsyncIterator[RunningLedger]:
    async with _ledger_behind(wire, databases) as running:
        await running.sell_assistant()
        await running.sign_acme()
        yield running


async def _is_away(call: Awaitable[object]) -> None:
    assert await outcome(call) == (StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")


async def test_every_family_of_calls_says_so_and_goes_on_afterwards(
    wired: RunningLedger, wire: CuttingProxy
) -> None:
    hold = await wired.authorize(10)
    await wire.go_away()

    await _is_away(wired.authorize(10, request_id="again"))
    await _is_away(wired.debit(10))
    await _is_away(wired.capture(hold.hold_id))
    await _is_away(wired.pool())
    await _is_away(wired.entries())
    await _is_away(wired.top_up(5))
    await _is_away(wired.set_cap(5))
    await _is_away(wired.watch(5))
    await _is_away(wired.change_seats(1, wired.clock.now(), sequence=1))
    await _is_away(wired.admin.VerifyLedger(admin.VerifyLedgerRequest()))
    await wire.come_back()

    assert (await wired.authorize(10, request_id="again")).available_micros == 380 * CREDIT
    assert (await wired.capture(hold.hold_id)).captured_micros == 10 * CREDIT
    assert (await wired.pool()).available_micros == 380 * CREDIT
    await wired.assert_adds_up()


async def test_a_batch_whose_outcome_is_unknown_fails_as_a_whole_and_is_repeated(
    wired: RunningLedger, wire: CuttingProxy
) -> None:
    batch = pb.DebitBatchRequest(
        items=[
            pb.DebitRequest(
                request_id=f"item-{n}", customer="acme", product_id="prd_assistant", credits_micros=CREDIT
            )
            for n in range(3)
        ]
    )
    await wire.go_away()
    await _is_away(wired.gate.DebitBatch(batch))
    await wire.come_back()

    answer = await wired.gate.DebitBatch(batch)

    assert [one.response.debited_micros for one in answer.results] == [CREDIT] * 3
    await wired.assert_adds_up()


async def test_a_ledger_starts_while_its_database_is_away(databases: Databases, wire: CuttingProxy) -> None:
    await wire.go_away()
    async with _ledger_behind(wire, databases) as ledger:
        await _is_away(ledger.authorize(1))
        await wire.come_back()
        await ledger.sell_assistant()
        await ledger.sign_acme()

        assert (await ledger.authorize(1)).decision == pb.DECISION_ALLOWED


async def test_connections_that_the_server_ended_are_replaced(wired: RunningLedger, sql: Sql) -> None:
    for n in range(3):
        await wired.debit(10)
        await wired.pool()
        await sql.value(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        # The first may be who finds out that its connection is gone.
        first = await outcome(wired.debit(10, request_id=f"retried-{n}"))
        assert first[0] in (StatusCode.OK, StatusCode.UNAVAILABLE)
        assert (await outcome(wired.debit(10, request_id=f"retried-{n}")))[0] is StatusCode.OK

    assert (await wired.debit(10)).available_micros == 330 * CREDIT
    await wired.assert_adds_up()


@pytest.mark.parametrize("has_seen", [False, True], ids=["unseen", "seen"])
async def test_a_write_whose_answer_was_lost_is_done_once_and_told_when_asked_again(
    wired: RunningLedger, wire: CuttingProxy, sql: Sql, has_seen: bool
) -> None:
    if has_seen:
        await wired.debit(0, credits_micros=1)
        await wired.debit(0, credits_micros=1)
    async with sql.transaction():
        await sql.lock("pools")
        asked = asyncio.create_task(wired.debit(100, request_id="lost"))
        await sql.until_somebody_waits()
        # The statement is on its way and goes on without us: nobody here knows what it did.
        await wire.go_away()
        await _is_away(asked)
    await wire.come_back()

    again = await wired.debit(100, request_id="lost")
    twice = await wired.debit(100, request_id="lost")

    assert again == twice
    assert again.debited_micros == 100 * CREDIT
    assert (await wired.pool()).available_micros // CREDIT in (299, 300)
    assert await sql.value("SELECT count(*) FROM ledger.entries WHERE cause_id = 'lost'") == 1
    await wired.assert_adds_up()


async def test_two_connections_are_enough_and_one_is_not(databases: Databases) -> None:
    async with running_ledger(databases, connections=2) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_acme()
        for _ in range(3):
            await asyncio.gather(
                *(ledger.debit(1) for _ in range(9)),
                *(ledger.debit(401) for _ in range(9)),
                *(ledger.pool() for _ in range(9)),
                ledger.assert_adds_up(),
                ledger.flush(),
            )

        assert (await ledger.pool()).available_micros == 373 * CREDIT
    with pytest.raises(ValidationError, match="database_connections"):
        LedgerSettings(insecure=True, database_url=databases.url("ledger"), database_connections=1)


@pytest.mark.session_settings(lock_timeout="200")
async def test_a_lock_that_is_kept_too_long_is_aborted_and_may_be_asked_again(
    ledger: RunningLedger, sql: Sql
) -> None:
    async with sql.transaction():
        await sql.lock("pools")
        with fault(StatusCode.ABORTED, "TRANSACTION_CONFLICT"):
            await ledger.debit(100, request_id="again")

    assert (await ledger.debit(100, request_id="again")).decision == pb.DECISION_ALLOWED
    await ledger.assert_adds_up()
