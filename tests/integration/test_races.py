# SPDX-License-Identifier: Apache-2.0
"""Many simultaneous callers on two Ledger replicas: all credits are given out, and each only once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.ledger import CREDIT, RunningLedger, running_ledger
from tests.support.postgres import Databases

ALLOWED, DENIED = pb.DECISION_ALLOWED, pb.DECISION_DENIED


@pytest.fixture
async def replicas(databases: Databases) -> AsyncIterator[list[RunningLedger]]:
    """Two Ledgers on one database and one clock; acme has four seats and 400 credits."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_ledger(databases))
        second = await stack.enter_async_context(running_ledger(databases, clock=first.clock))
        await first.sell_assistant()
        await first.sign_acme()
        yield [first, second]


async def _ask_at_once(
    replicas: list[RunningLedger], callers: int, credits: int, user: str | None = None
) -> list[pb.AuthorizeResponse]:
    return await asyncio.gather(
        *(
            replicas[number % 2].authorize(credits, user=user, request_id=f"caller-{credits}-{number}")
            for number in range(callers)
        )
    )


async def test_of_fifty_callers_that_each_want_one_of_ten_credits_exactly_ten_get_it(
    replicas: list[RunningLedger],
) -> None:
    await replicas[0].debit(390)

    answers = await _ask_at_once(replicas, 50, 1)

    assert [answer.decision for answer in answers].count(ALLOWED) == 10
    refused = {answer.denial_reason for answer in answers if answer.decision == DENIED}
    assert refused == {pb.DENIAL_REASON_INSUFFICIENT_CREDITS}
    pool = await replicas[0].pool()
    assert (pool.available_micros, pool.held_micros) == (0, 10 * CREDIT)
    await replicas[0].assert_adds_up()


async def test_twenty_holds_of_75_on_500_are_six_held_and_fourteen_denied(
    replicas: list[RunningLedger],
) -> None:
    await replicas[0].top_up(100)

    answers = await _ask_at_once(replicas, 20, 75)

    assert [answer.decision for answer in answers].count(ALLOWED) == 6
    pool = await replicas[0].pool()
    assert (pool.available_micros, pool.held_micros) == (50 * CREDIT, 450 * CREDIT)
    await replicas[0].assert_adds_up()


async def test_of_fifty_calls_of_one_user_exactly_the_cap_is_allowed(replicas: list[RunningLedger]) -> None:
    await replicas[0].set_cap(10, user="ann")

    answers = await _ask_at_once(replicas, 50, 1, user="ann")

    assert [answer.decision for answer in answers].count(ALLOWED) == 10
    refused = {answer.denial_reason for answer in answers if answer.decision == DENIED}
    assert refused == {pb.DENIAL_REASON_SPEND_CAP_REACHED}
    await replicas[0].assert_adds_up()


async def test_of_twenty_calls_at_once_exactly_as_many_as_the_concurrency_cap_are_allowed(
    replicas: list[RunningLedger],
) -> None:
    await replicas[0].set_concurrency_cap(5, group_key="user_id", group_value="ann")

    answers = await _ask_at_once(replicas, 20, 1, user="ann")
    others = await _ask_at_once(replicas, 20, 2, user="bob")

    held = [answer.hold_id for answer in answers if answer.decision == ALLOWED]
    assert len(held) == 5
    refused = {answer.denial_reason for answer in answers if answer.decision == DENIED}
    assert refused == {pb.DENIAL_REASON_TOO_MANY_IN_FLIGHT}
    assert {answer.decision for answer in others} == {ALLOWED}
    await asyncio.gather(
        *(replicas[number % 2].capture(hold_id) for number, hold_id in enumerate(held[:3], 1))
    )
    again = await _ask_at_once(replicas, 20, 3, user="ann")
    assert [answer.decision for answer in again].count(ALLOWED) == 3
    await replicas[0].assert_adds_up()


async def test_in_shadow_mode_all_of_twenty_calls_at_once_are_allowed_and_those_beyond_the_cap_counted(
    replicas: list[RunningLedger],
) -> None:
    await replicas[0].set_concurrency_cap(5, group_key="user_id", is_shadow=True)

    answers = await _ask_at_once(replicas, 20, 1, user="ann")

    assert {answer.decision for answer in answers} == {ALLOWED}
    assert [answer.HasField("shadow_denial") for answer in answers].count(True) == 15
    (line,) = await replicas[1].shadow_denials()
    assert (line.denials, line.credits_micros) == (15, 15 * CREDIT)
    await replicas[0].assert_adds_up()


async def test_debits_in_shadow_mode_draw_every_credit_once_and_the_rest_is_a_shortfall(
    replicas: list[RunningLedger],
) -> None:
    await replicas[0].set_shadow()

    answers = await asyncio.gather(*(replicas[number % 2].debit(30) for number in range(20)))

    assert sum(answer.debited_micros for answer in answers) == 400 * CREDIT
    assert sum(answer.shadow_denial.missing_micros for answer in answers) == 200 * CREDIT
    (line,) = await replicas[0].shadow_denials()
    assert line.denials == [answer.HasField("shadow_denial") for answer in answers].count(True) == 7
    pool = await replicas[1].pool()
    assert (pool.available_micros, pool.shortfall_micros) == (0, 200 * CREDIT)
    await replicas[0].assert_adds_up()


async def test_fifty_copies_of_one_request_make_one_hold(replicas: list[RunningLedger]) -> None:
    answers = await asyncio.gather(
        *(replicas[number % 2].authorize(7, request_id="one-call") for number in range(50))
    )

    assert {answer.hold_id for answer in answers} == {answers[0].hold_id} != {""}
    assert (await replicas[0].pool()).held_micros == 7 * CREDIT
    await replicas[0].assert_adds_up()


async def test_a_hold_captured_by_fifty_at_once_is_spent_once(replicas: list[RunningLedger]) -> None:
    hold = await replicas[0].authorize(40)

    outcomes = await asyncio.gather(
        *(
            replicas[number % 2].capture(hold.hold_id, 30, request_id=f"capture-{number}")
            for number in range(50)
        ),
        return_exceptions=True,
    )

    captured = [outcome for outcome in outcomes if isinstance(outcome, pb.CaptureResponse)]
    assert [(one.captured_micros, one.released_micros) for one in captured] == [(30 * CREDIT, 10 * CREDIT)]
    assert {
        str(outcome.details()) for outcome in outcomes if not isinstance(outcome, pb.CaptureResponse)
    } == {f"hold '{hold.hold_id}' is CAPTURED and can no longer change"}
    assert (await replicas[0].pool()).available_micros == 370 * CREDIT
    await replicas[0].assert_adds_up()
