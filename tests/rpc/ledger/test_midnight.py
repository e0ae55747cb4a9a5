# SPDX-License-Identifier: Apache-2.0
"""Answers are kept in slots of 35 days. At the midnight between two of them, too, a request has one effect."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

import pytest
from grpc import StatusCode

from meshkit.clock import ManualClock
from purser.ledger.v1 import ledger_pb2 as pb
from services.ledger.domain.retention import generation_start, places_at
from tests.support.faults import fault
from tests.support.ledger import CREDIT, JUNE, RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
MIDNIGHT = generation_start(579)  # 26 June
WRITERS = 40

Replicas = tuple[RunningLedger, RunningLedger]


@pytest.fixture
async def replicas(databases: Databases) -> AsyncIterator[Replicas]:
    """Two Ledgers on one database: one's clock stands a microsecond before midnight, the other's at midnight."""
    async with AsyncExitStack() as stack:
        before = await stack.enter_async_context(running_ledger(databases, clock=ManualClock(JUNE)))
        await before.sell_assistant()
        await before.sign_acme()
        before.clock.advance_to(MIDNIGHT - TICK)
        after = await stack.enter_async_context(running_ledger(databases, clock=ManualClock(MIDNIGHT)))
        for ledger in (before, after):
            # Both remember acme: what comes now is decided from memory, where nothing is looked up first.
            assert (await ledger.debit(1, request_id=f"{ledger.address}-1")).decision == pb.DECISION_ALLOWED
            assert (await ledger.debit(1, request_id=f"{ledger.address}-2")).decision == pb.DECISION_ALLOWED
        yield before, after


@pytest.mark.parametrize(
    ("first_at", "later_at"),
    [
        (MIDNIGHT - TICK, MIDNIGHT),
        (MIDNIGHT - DAY, MIDNIGHT),
        (MIDNIGHT - DAY - TICK, MIDNIGHT),
        (MIDNIGHT - DAY - TICK, MIDNIGHT - DAY),
        (MIDNIGHT - TICK, MIDNIGHT + timedelta(days=34)),
        (MIDNIGHT - DAY - TICK, MIDNIGHT + timedelta(days=33)),
        (JUNE, JUNE + timedelta(days=34)),
        (MIDNIGHT, MIDNIGHT + timedelta(days=34)),
        (MIDNIGHT, MIDNIGHT + timedelta(days=35) - TICK),
    ],
)
async def test_a_repetition_gets_the_first_answer_for_35_days(
    ledger: RunningLedger, first_at: datetime, later_at: datetime
) -> None:
    ledger.clock.advance_to(first_at)
    await ledger.debit(1)
    first = await ledger.debit(7, request_id="the-one")
    ledger.clock.advance_to(later_at)
    await ledger.debit(1)
    await ledger.debit(1)
    available = (await ledger.pool()).available_micros

    again = await ledger.debit(7, request_id="the-one")
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await ledger.debit(8, request_id="the-one")
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await ledger.set_cap(8, request_id="the-one")

    assert again == first
    assert (await ledger.pool()).available_micros == available
    await ledger.assert_adds_up()


async def test_two_replicas_on_either_side_of_midnight_carry_a_request_out_once(replicas: Replicas) -> None:
    ids = [f"twin-{number}" for number in range(WRITERS)]

    answers = await asyncio.gather(
        *(ledger.debit(5, request_id=request_id) for request_id in ids for ledger in replicas)
    )

    assert answers[::2] == answers[1::2]
    spent = -sum(entry.amount_micros for entry in await replicas[0].entries() if entry.cause_id in ids)
    assert spent == WRITERS * 5 * CREDIT
    await replicas[0].assert_adds_up()


async def test_a_cap_and_a_debit_of_one_id_on_either_side_of_midnight_are_one_of_them(
    replicas: Replicas,
) -> None:
    """The two lock different rows, so nothing but the key can tell that they are twins."""
    outcomes = await asyncio.gather(
        *(
            call
            for number in range(WRITERS)
            for call in (
                replicas[number % 2].set_cap(9, user=f"user-{number}", request_id=f"one-{number}"),
                replicas[1 - number % 2].debit(5, request_id=f"one-{number}"),
            )
        ),
        return_exceptions=True,
    )

    refused = [isinstance(outcome, BaseException) for outcome in outcomes]
    assert all(cap != debit for cap, debit in zip(refused[::2], refused[1::2], strict=True))
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
                raise outcome


@pytest.mark.parametrize("kept_in_both", [True, False], ids=["as on a seam's day", "in one slot only"])
async def test_what_is_written_before_midnight_is_met_after_it_because_the_next_slot_has_it_too(
    replicas: Replicas, sql: Sql, kept_in_both: bool
) -> None:
    """In one slot only, the twin whose transaction is still open would not be met: that is why there are seams."""
    _, after = replicas
    slots = places_at(MIDNIGHT - TICK).written
    assert len(slots) == 2
    async with sql.transaction(keeps=True):
        await sql.execute(
            "INSERT INTO ledger.requests SELECT 'cus_acme', 'the-one', '', '{}', $1, unnest($2::smallint[])",
            MIDNIGHT - TICK,
            slots if kept_in_both else slots[:1],
        )
        asked = asyncio.create_task(after.debit(5, request_id="the-one"))
        if kept_in_both:
            await sql.until_somebody_waits()
        else:
            assert (await asked).decision == pb.DECISION_ALLOWED

    if kept_in_both:
        with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
            await asked
