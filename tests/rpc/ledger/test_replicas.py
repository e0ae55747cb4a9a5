# SPDX-License-Identifier: Apache-2.0
"""Two replicas on one database: what either has seen of a customer is a guess, and never an answer gone stale."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
from grpc import StatusCode

from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import fault
from tests.support.ledger import CREDIT, JULY, JUNE, RunningLedger, a_rate, two_ledgers
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases

Change = Callable[[RunningLedger], Awaitable[object]]


@pytest.fixture
async def replicas(databases: Databases) -> AsyncIterator[tuple[RunningLedger, RunningLedger]]:
    """Two Ledgers that share database and clock; the first has answered for acme, and ann, before."""
    async with two_ledgers(databases) as (first, second):
        for customer in ("acme", "cus_acme"):
            for _ in range(2):
                assert (await first.debit(10, user="ann", customer=customer)).decision == pb.DECISION_ALLOWED
        yield first, second


async def _suspend(ledger: RunningLedger) -> object:
    return await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)


async def _end_contract(ledger: RunningLedger) -> object:
    return await ledger.apply_contract(start=JUNE, end=JUNE + timedelta(microseconds=1), version=2)


async def _unprice(ledger: RunningLedger) -> object:
    return await ledger.tell_card(version=2)


async def _cap_ann(ledger: RunningLedger) -> object:
    return await ledger.set_cap(45, user="ann")


async def _spend_all(ledger: RunningLedger) -> object:
    return await ledger.debit(360)


async def _hold_all(ledger: RunningLedger) -> object:
    return await ledger.authorize(360)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_suspend, pb.DENIAL_REASON_CUSTOMER_SUSPENDED),
        (_end_contract, pb.DENIAL_REASON_NOT_ENTITLED),
        (_unprice, pb.DENIAL_REASON_NOT_ENTITLED),
        (_cap_ann, pb.DENIAL_REASON_SPEND_CAP_REACHED),
        (_spend_all, pb.DENIAL_REASON_INSUFFICIENT_CREDITS),
        (_hold_all, pb.DENIAL_REASON_INSUFFICIENT_CREDITS),
    ],
)
async def test_what_one_replica_is_told_the_other_denies_by(
    replicas: tuple[RunningLedger, RunningLedger], change: Change, reason: int
) -> None:
    first, second = replicas
    await change(second)
    first.clock.advance(timedelta(microseconds=1))

    assert (await first.debit(10, user="ann")).denial_reason == reason
    assert (await first.authorize(10, user="ann")).denial_reason == reason
    await first.assert_adds_up()


async def test_an_alias_that_went_to_another_customer_is_its_at_once(
    replicas: tuple[RunningLedger, RunningLedger],
) -> None:
    first, second = replicas
    await second.tell_customer("cus_globex", "acme")

    assert (await first.debit(10)).denial_reason == pb.DENIAL_REASON_NOT_ENTITLED
    assert (await first.debit(10, customer="cus_acme")).decision == pb.DECISION_ALLOWED


async def test_an_alias_that_was_taken_away_is_unknown_at_once(
    replicas: tuple[RunningLedger, RunningLedger],
) -> None:
    first, second = replicas
    await second.tell_customer("cus_acme", version=2)

    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="acme"):
        await first.debit(10)


async def test_a_new_price_is_the_price_at_once(replicas: tuple[RunningLedger, RunningLedger]) -> None:
    first, second = replicas
    await second.tell_card(a_rate(price_micros=20 * CREDIT), version=2)

    assert (await first.debit(0, quantity_micros=1_000_000)).debited_micros == 20 * CREDIT


async def test_how_usage_is_converted_changes_at_once(
    replicas: tuple[RunningLedger, RunningLedger],
) -> None:
    first, second = replicas
    assert (await first.authorize(0, quantity_micros=1_000_000)).held_micros == 12 * CREDIT
    doubled = peer_pb.QuantityConversion(priced_micros=2, per_micros=1)
    await second.tell_product("prd_assistant", conversion=doubled, version=2)

    assert (await first.authorize(0, quantity_micros=1_000_000)).held_micros == 24 * CREDIT


async def test_a_cap_that_was_lifted_denies_no_more(replicas: tuple[RunningLedger, RunningLedger]) -> None:
    first, second = replicas
    cap = await first.set_cap(45, user="ann")
    assert (await first.debit(1, user="ann")).decision == pb.DECISION_ALLOWED
    await second.lift_cap(cap.spend_cap_id)

    assert (await first.debit(100, user="ann")).decision == pb.DECISION_ALLOWED


async def test_open_holds_of_one_replica_fill_the_cap_of_the_other(
    replicas: tuple[RunningLedger, RunningLedger],
) -> None:
    first, second = replicas
    cap = await second.set_concurrency_cap(2, group_key="user_id")
    holds = [(await replica.authorize(1, user="ann")).hold_id for replica in replicas]
    full = [(await replica.authorize(1, user="ann")).denial_reason for replica in replicas]
    await second.release(holds[0])
    again = [(await replica.authorize(1, user="ann")).denial_reason for replica in replicas]
    await second.lift_concurrency_cap(cap.concurrency_cap_id)

    too_many = pb.DENIAL_REASON_TOO_MANY_IN_FLIGHT
    assert (full, again) == ([too_many, too_many], [0, too_many])
    assert (await first.authorize(1, user="ann")).decision == pb.DECISION_ALLOWED


async def test_shadow_mode_begins_and_ends_on_every_replica_with_the_next_call(
    replicas: tuple[RunningLedger, RunningLedger],
) -> None:
    first, second = replicas
    await second.set_shadow()
    in_shadow = await first.debit(1_000, user="ann")
    await second.set_shadow(is_on=False)
    denied = await first.debit(1, user="ann")

    assert in_shadow.shadow_denial.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    assert denied.denial_reason == pb.DENIAL_REASON_INSUFFICIENT_CREDITS
    await first.assert_adds_up()


async def test_a_hold_of_one_replica_is_captured_extended_and_released_by_the_other(
    replicas: tuple[RunningLedger, RunningLedger],
) -> None:
    first, second = replicas
    holds = [(await first.authorize(10, user="ann")).hold_id for _ in range(3)]

    await second.extend(holds[0], 5)
    captured = await first.capture(holds[0])
    await second.capture(holds[1], 3)
    released = await second.release(holds[2])

    assert (captured.captured_micros, released.released_micros) == (15 * CREDIT, 10 * CREDIT)
    for hold_id in holds:
        with fault(StatusCode.FAILED_PRECONDITION, "HOLD_ALREADY_RESOLVED"):
            await first.capture(hold_id)
    assert (await first.pool()).available_micros == 342 * CREDIT
    await first.assert_adds_up()


async def test_a_top_up_and_a_new_month_of_one_replica_are_there_for_the_other(
    replicas: tuple[RunningLedger, RunningLedger],
) -> None:
    first, second = replicas
    await second.top_up(1_000)
    assert (await first.debit(1_360)).decision == pb.DECISION_ALLOWED
    first.clock.advance_to(JULY)
    await second.debit(1)

    assert (await first.debit(399)).decision == pb.DECISION_ALLOWED
    assert (await first.debit(1)).decision == pb.DECISION_DENIED
    await first.assert_adds_up()


async def test_one_request_sent_to_both_replicas_is_one_debit(
    replicas: tuple[RunningLedger, RunningLedger],
) -> None:
    first, second = replicas
    asked = [replica.debit(100, user="ann", request_id=f"same-{n}") for n in range(3) for replica in replicas]

    answers = await asyncio.gather(*asked)

    assert answers[0::2] == answers[1::2]
    assert (await second.pool()).available_micros == 60 * CREDIT
    await first.assert_adds_up()


async def test_a_price_that_changes_while_an_account_is_read_is_not_remembered_as_the_new_one(
    replicas: tuple[RunningLedger, RunningLedger], sql: Sql
) -> None:
    first, _ = replicas
    await first.tell_product("prd_preview")
    await first.tell_card(a_rate(), a_rate("prd_preview"), version=2)

    async with sql.transaction(keeps=True):
        await sql.execute("LOCK ledger.epochs IN ACCESS EXCLUSIVE MODE")
        before = asyncio.create_task(first.debit(0, quantity_micros=1_000_000, product_id="prd_preview"))
        await sql.until_somebody_waits()
        await sql.execute("UPDATE ledger.rates SET price_micros = 20000000 WHERE product_id = 'prd_preview'")
        await sql.execute("UPDATE ledger.epochs SET version = version + 1")
    await before
    after = await first.debit(0, quantity_micros=1_000_000, product_id="prd_preview")

    assert after.debited_micros == 20 * CREDIT


async def test_a_cap_set_while_a_pool_is_made_is_not_overlooked(
    replicas: tuple[RunningLedger, RunningLedger], sql: Sql
) -> None:
    first, second = replicas
    await first.tell_customer("cus_globex")
    await first.apply_contract(customer_id="cus_globex", start=JUNE, subscriptions=[], schedules=[])

    async def make_pool_and_spend() -> None:
        await first.top_up(100, customer="cus_globex")
        await first.debit(1, user="bob", customer="cus_globex")

    async with sql.transaction():
        # The cap's transaction has to wait at its very end, for whoever holds its request_id.
        await sql.execute(
            "INSERT INTO ledger.requests SELECT 'cus_globex', 'slow', '', '{}', now(), generate_series(0, 2)"
        )
        cap = asyncio.create_task(second.set_cap(5, customer="cus_globex", request_id="slow"))
        await sql.until_somebody_waits()
        spending = asyncio.create_task(make_pool_and_spend())
        await sql.until_somebody_waits()
    await asyncio.gather(cap, spending)

    denied = await first.debit(5, user="bob", customer="cus_globex")
    assert denied.denial_reason == pb.DENIAL_REASON_SPEND_CAP_REACHED
