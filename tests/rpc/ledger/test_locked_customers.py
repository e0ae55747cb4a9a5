# SPDX-License-Identifier: Apache-2.0
"""A customer whose pool another transaction has locked waits; nobody else does, and nothing changes its order."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from grpc import StatusCode

from purser.ledger.v1 import ledger_pb2 as pb
from services.ledger.operations.gate.gate import GATE
from services.ledger.wire.gate.batches import ITEMS_MAX
from tests.support.faults import fault, outcome
from tests.support.ledger import CREDIT, JUNE, RunningLedger
from tests.support.ledger_sql import Sql
from tests.support.reported import an_event, record

ACME = "SELECT FROM ledger.pools WHERE customer_id = 'cus_acme' FOR UPDATE"
ALLOWED, DENIED = pb.DECISION_ALLOWED, pb.DECISION_DENIED
SEEN = pytest.mark.parametrize("is_seen", [False, True], ids=["unseen", "seen"])
# Decisions that wait for a lock at the same time, and writes, of the 10 connections that a test's Ledger has.
BESIDE, WRITES = 2, 3


@pytest.fixture(autouse=True)
async def globex(ledger: RunningLedger) -> None:
    """Globex has 100 credits."""
    await _sign(ledger, "globex")


async def _sign(ledger: RunningLedger, name: str) -> None:
    await ledger.tell_customer(f"cus_{name}", name)
    await ledger.apply_contract(
        customer_id=f"cus_{name}", contract_id="con_1", start=JUNE, subscriptions=[], schedules=[]
    )
    await ledger.top_up(100, customer=name)


def _in_background(*calls: Awaitable[Any]) -> list["asyncio.Future[Any]"]:
    return [asyncio.ensure_future(call) for call in calls]


async def _see_both(ledger: RunningLedger) -> None:
    """Let the gate have both customers' pools in its cache."""
    for _ in range(2):
        await ledger.debit(1)
        await ledger.debit(1, customer="globex")


def _item(ledger: RunningLedger, credits: int, customer: str = "acme") -> pb.DebitRequest:
    return pb.DebitRequest(
        request_id=ledger.request_id(),
        customer=customer,
        product_id="prd_assistant",
        credits_micros=credits * CREDIT,
    )


@SEEN
async def test_other_customers_are_answered_before_the_lock_is_released(
    ledger: RunningLedger, sql: Sql, is_seen: bool
) -> None:
    if is_seen:
        await _see_both(ledger)
    async with sql.transaction():
        await sql.execute(ACME)
        waiting = _in_background(
            ledger.debit(1), ledger.authorize(1), ledger.debit(999), record(ledger, an_event(customer="acme"))
        )
        await sql.until_somebody_waits()

        hold = await ledger.authorize(10, customer="globex")
        await ledger.capture(hold.hold_id, 5, customer="globex")
        allowed = await ledger.debit(1, customer="globex")
        denied = await ledger.debit(999, customer="globex")
        await record(ledger, an_event(customer="globex"))
        assert not any(call.done() for call in waiting)

    assert (allowed.decision, denied.decision) == (ALLOWED, DENIED)
    debit, authorize, too_much, _ = await asyncio.gather(*waiting)
    assert [one.decision for one in (debit, authorize, too_much)] == [ALLOWED, ALLOWED, DENIED]
    await ledger.assert_adds_up()


@SEEN
async def test_what_waited_is_decided_in_order_by_whatever_name_and_each_request_once(
    ledger: RunningLedger, sql: Sql, is_seen: bool
) -> None:
    if is_seen:
        await _see_both(ledger)
        await ledger.debit(1, customer="cus_acme")
    left = (await ledger.pool()).available_micros // CREDIT
    async with sql.transaction():
        await sql.execute(ACME)
        first = _in_background(ledger.debit(left - 100, request_id="first"))
        await sql.until_somebody_waits()
        # Once acme waits, what is asked about it follows, by each of its names, in the order of arrival.
        batch = pb.DebitBatchRequest(
            items=[
                _item(ledger, credits, name)
                for credits, name in [(99, "cus_acme"), (98, "acme"), (2, "acme")]
            ]
        )
        calls = _in_background(ledger.gate.DebitBatch(batch), ledger.debit(left - 100, request_id="first"))
        assert (await ledger.debit(1, customer="globex")).decision == ALLOWED
        assert not any(call.done() for call in (*first, *calls))

    (debited,), (answers, again) = await asyncio.gather(*first), await asyncio.gather(*calls)
    assert [one.response.decision for one in answers.results] == [ALLOWED, DENIED, DENIED]
    assert debited == again
    assert (await ledger.pool()).available_micros == CREDIT
    await ledger.assert_adds_up()


async def test_the_items_of_one_call_that_are_about_others_do_not_make_these_wait(
    ledger: RunningLedger, sql: Sql
) -> None:
    await _see_both(ledger)
    async with sql.transaction():
        await sql.execute(ACME)
        batch = pb.DebitBatchRequest(
            items=[
                _item(ledger, 1),
                _item(ledger, 7, "globex"),
                _item(ledger, 999),
                _item(ledger, 8, "globex"),
            ]
        )
        (call,) = _in_background(ledger.gate.DebitBatch(batch))
        await sql.until_somebody_waits()

        # Its items have been carried out, in order, though its answer waits for acme's.
        assert (
            await ledger.debit(0, credits_micros=1, customer="globex")
        ).available_micros == 83 * CREDIT - 1
        assert not call.done()

    decisions = [one.response.decision for one in (await call).results]
    assert decisions == [ALLOWED, ALLOWED, DENIED, ALLOWED]


async def test_more_customers_wait_than_there_are_connections_for_it_and_others_are_answered(
    ledger: RunningLedger, sql: Sql
) -> None:
    names = [f"waiting-{n}" for n in range(BESIDE + 1)]
    for name in names:
        await _sign(ledger, name)
    async with sql.transaction():
        await sql.lock("pools", but="cus_globex")
        waiting = _in_background(*(ledger.debit(1, customer=name) for name in names))
        await sql.until_somebody_waits()

        assert (await ledger.debit(999, customer="globex")).decision == DENIED
        assert not any(call.done() for call in waiting)

    assert [one.decision for one in await asyncio.gather(*waiting)] == [ALLOWED] * len(names)


async def test_writes_that_wait_for_locks_leave_the_gate_and_the_reads_their_connections(
    ledger: RunningLedger, sql: Sql
) -> None:
    names = [f"waiting-{n}" for n in range(2 * WRITES)]
    for name in names:
        await _sign(ledger, name)
    async with sql.transaction():
        await sql.lock("pools", but="cus_globex")
        waiting = _in_background(*(ledger.top_up(1, customer=name) for name in names))
        await sql.until_waiting(WRITES)
        await sql.until_somebody_waits()

        assert await sql.value(f"SELECT count(*) {sql.waiting}") == WRITES
        assert (await ledger.debit(999, customer="globex")).decision == DENIED
        balance = await ledger.gate.GetBalance(pb.GetBalanceRequest(customer="acme"))
        assert balance.pools[0].available_micros == 400 * CREDIT
        assert not any(call.done() for call in waiting)

    assert len(await asyncio.gather(*waiting)) == len(names)


async def test_a_customer_of_whom_too_many_wait_is_refused_and_others_are_not(
    ledger: RunningLedger, sql: Sql
) -> None:
    fit = GATE.waiting_max // ITEMS_MAX
    async with sql.transaction():
        await sql.execute(ACME)
        first = _in_background(ledger.debit(0, credits_micros=1))
        await sql.until_somebody_waits()
        calls = _in_background(
            *(
                ledger.gate.DebitBatch(
                    pb.DebitBatchRequest(items=[_item(ledger, 1) for _ in range(ITEMS_MAX)])
                )
                for _ in range(fit + 1)
            )
        )
        (refused,), waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)

        assert await outcome(refused) == (StatusCode.RESOURCE_EXHAUSTED, "LANE_FULL")
        assert (await ledger.debit(1, customer="globex")).decision == ALLOWED
        assert len(waiting) == fit
        assert not any(call.done() for call in (*first, *waiting))

    await asyncio.gather(*first, *waiting)


@pytest.mark.session_settings(lock_timeout="200")
async def test_after_a_lock_that_was_kept_too_long_the_customer_is_decided_as_before(
    ledger: RunningLedger, sql: Sql
) -> None:
    await _see_both(ledger)
    async with sql.transaction():
        await sql.execute(ACME)
        with fault(StatusCode.ABORTED, "TRANSACTION_CONFLICT", sqlstate="55P03"):
            await ledger.debit(1)

    assert (await ledger.debit(1)).decision == ALLOWED
    assert (await ledger.debit(999)).decision == DENIED
    await ledger.assert_adds_up()


async def test_a_table_that_a_migration_locks_makes_all_wait_and_nobody_fail(
    ledger: RunningLedger, sql: Sql
) -> None:
    await _see_both(ledger)
    async with sql.transaction():
        await sql.execute("LOCK ledger.pools IN ACCESS EXCLUSIVE MODE")
        waiting = _in_background(ledger.debit(1), ledger.debit(1, customer="globex"), ledger.debit(999))
        await sql.until_somebody_waits()
        # The lane's own session gives up soon; then another one waits.
        lane = await sql.until(f"SELECT min(pid) {sql.waiting}")
        await sql.until(f"SELECT EXISTS (SELECT {sql.waiting} AND pid <> {lane})")

    assert [one.decision for one in await asyncio.gather(*waiting)] == [ALLOWED, ALLOWED, DENIED]
