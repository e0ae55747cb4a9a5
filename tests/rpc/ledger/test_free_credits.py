# SPDX-License-Identifier: Apache-2.0
"""Free credits are granted once per customer and usage period, however many contracts bring them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.ledger import (
    AUGUST,
    CREDIT,
    JULY,
    JUNE,
    RunningLedger,
    a_schedule,
    running_ledger,
    two_ledgers,
)
from tests.support.ledger_plans import CHANGE, KEEP, ROLL, VOID, change_plan, plan_a, plan_b
from tests.support.postgres import Databases

DAILY, QUARTERLY, ANNUAL = (
    peer_pb.GRANT_FREQUENCY_DAILY,
    peer_pb.GRANT_FREQUENCY_QUARTERLY,
    peer_pb.GRANT_FREQUENCY_ANNUAL,
)


@pytest.fixture
async def free(databases: Databases) -> AsyncIterator[RunningLedger]:
    """acme's usage periods begin on the first; it has no contract yet."""
    async with running_ledger(databases) as running:
        await running.sell_assistant()
        await running.tell_customer("cus_acme", "acme")
        yield running


async def _sign(
    ledger: RunningLedger,
    number: int,
    *,
    credits: int = 100,
    seats: int = 1,
    start: datetime = JUNE,
    end: datetime | None = None,
    version: int = 1,
    is_free: bool = True,
    **more: object,
) -> None:
    """Apply a contract of so many seats, each with credits a month; `more` overrides fields of its schedule."""
    terms: dict[str, object] = {
        "grant_schedule_id": f"sch_{number}",
        "subscription_id": f"sub_{number}",
        "unit_amount_micros": credits * CREDIT,
        "anchor_time": timestamp(start),
        "is_free": is_free,
    }
    await ledger.apply_contract(
        start=start,
        end=end,
        version=version,
        contract_id=f"con_{number}",
        subscriptions=[peer_pb.SubscriptionSeats(subscription_id=f"sub_{number}", initial_quantity=seats)],
        schedules=[a_schedule(**(terms | more))],
    )


async def _granted(ledger: RunningLedger, number: int) -> list[int]:
    """Return what each grant of a contract was granted, the first one first."""
    grants = [one for one in await ledger.grants() if one.grant_schedule_id == f"sch_{number}"]
    return [
        one.granted_micros // CREDIT for one in sorted(grants, key=lambda one: one.effective_time.seconds)
    ]


@pytest.mark.parametrize(("credits", "brought"), [(100, 0), (101, 1), (99, 0), (250, 150)])
async def test_a_new_free_contract_brings_what_exceeds_the_free_credits_of_the_usage_period(
    free: RunningLedger, credits: int, brought: int
) -> None:
    await _sign(free, 1)
    await free.debit(70)
    free.clock.advance_to(CHANGE)
    await _sign(free, 1, end=CHANGE, version=2)

    await _sign(free, 2, credits=credits, start=CHANGE)

    assert await _granted(free, 2) == [brought]
    assert (await free.pool()).available_micros == (30 + brought) * CREDIT
    free.clock.advance_to(CHANGE + timedelta(days=30))
    assert (await free.pool()).available_micros == credits * CREDIT  # July's
    await free.assert_adds_up()


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (False, False)])
async def test_credits_that_somebody_pays_for_are_granted_in_full(
    free: RunningLedger, *, first: bool, second: bool
) -> None:
    await _sign(free, 1, is_free=first)
    free.clock.advance_to(CHANGE)

    await _sign(free, 2, start=CHANGE, is_free=second)

    assert await _granted(free, 2) == [100]


async def test_at_the_next_usage_period_free_credits_are_granted_again(free: RunningLedger) -> None:
    await _sign(free, 1)
    free.clock.advance_to(JULY - timedelta(microseconds=1))
    await _sign(free, 1, end=free.clock.now(), version=2)
    await _sign(free, 2, start=free.clock.now())
    assert await _granted(free, 2) == [0]
    await _sign(free, 2, start=free.clock.now(), end=free.clock.now(), version=2)

    free.clock.advance_to(JULY)
    await _sign(free, 3, start=JULY)

    assert await _granted(free, 3) == [100]
    await free.assert_adds_up()


async def test_two_free_contracts_in_force_bring_what_the_larger_one_brings(free: RunningLedger) -> None:
    await _sign(free, 1, credits=100)
    await _sign(free, 2, credits=150)
    await _sign(free, 3, credits=120)

    free.clock.advance_to(AUGUST)
    await free.pool()

    assert [await _granted(free, number) for number in (1, 2, 3)] == [
        [100, 100, 100],
        [50, 50, 50],
        [0, 0, 0],
    ]
    await free.assert_adds_up()


async def test_free_contracts_told_to_two_replicas_at_once_bring_what_the_larger_one_does(
    databases: Databases,
) -> None:
    """Beside acme's 400 credits that are not free."""
    async with two_ledgers(databases) as (first, second):
        await asyncio.gather(
            _sign(first, 2, credits=100), _sign(second, 3, credits=150), _sign(first, 4, credits=120)
        )

        assert sum([sum(await _granted(second, number)) for number in (2, 3, 4)]) == 150
        first.clock.advance_to(JULY)
        await asyncio.gather(*(ledger.debit(1) for ledger in (first, second, first, second)))
        assert (await first.pool()).available_micros == (400 + 150 - 4) * CREDIT
        await first.assert_adds_up()


async def test_several_grants_of_one_contract_in_a_usage_period_do_not_reduce_each_other(
    free: RunningLedger,
) -> None:
    await _sign(free, 1, credits=25, frequency=DAILY)
    free.clock.advance_to(JUNE + timedelta(days=2))
    await _sign(free, 2, credits=40, start=free.clock.now(), frequency=DAILY, commit_duration=30)
    await _sign(free, 1, credits=25, end=free.clock.now() + timedelta(hours=1), version=2, frequency=DAILY)

    free.clock.advance_to(JUNE + timedelta(days=5))
    await free.pool()

    # The 75 that the first contract was granted are withheld once from the second one's 40 a day.
    assert await _granted(free, 1) == [25, 25, 25]
    assert await _granted(free, 2) == [0, 5, 40, 40]
    await free.assert_adds_up()


@pytest.mark.parametrize("frequency", [QUARTERLY, ANNUAL])
async def test_a_longer_free_period_counts_in_each_usage_period_of_it(
    free: RunningLedger, frequency: "peer_pb.GrantFrequency"
) -> None:
    await _sign(free, 1, credits=300, end=JUNE + timedelta(hours=1), frequency=frequency, period_proration=4)
    free.clock.advance_to(JUNE + timedelta(hours=1))
    await _sign(free, 2, credits=100, start=free.clock.now())

    free.clock.advance_to(datetime(2025, 9, 2, tzinfo=JUNE.tzinfo))
    await free.pool()

    assert await _granted(free, 2) == ([0, 0, 0, 100] if frequency == QUARTERLY else [0, 0, 0, 0])


async def test_seats_that_are_added_bring_what_exceeds_the_free_credits_of_others(
    free: RunningLedger,
) -> None:
    await _sign(free, 1, credits=150)
    await _sign(free, 2, credits=100)  # 100 of 150 are withheld
    more = {"subscription_id": "sub_2"}

    first = await free.change_seats(1, JUNE, sequence=1, **more)
    second = await free.change_seats(1, JUNE, sequence=2, **more)

    assert [one.amount_micros for one in first.credits] == [50 * CREDIT]
    assert [one.amount_micros for one in second.credits] == [100 * CREDIT]
    await free.change_seats(-2, JUNE + timedelta(days=1), sequence=3, **more)
    again = await free.change_seats(2, JUNE + timedelta(days=1), sequence=4, **more)
    assert not again.credits  # the high-water mark counts what was withheld, too
    assert await _granted(free, 2) == [150]
    await free.assert_adds_up()


async def test_a_preview_of_added_seats_says_what_they_bring(free: RunningLedger) -> None:
    await _sign(free, 1, credits=150)
    await _sign(free, 2, credits=100)

    preview = await free.peer.PreviewSeatChange(
        peer_pb.PreviewSeatChangeRequest(
            customer_id="cus_acme",
            subscription_id="sub_2",
            effective_time=timestamp(JUNE),
            quantity_delta=1,
        )
    )

    assert [one.amount_micros for one in preview.credits] == [50 * CREDIT]


async def test_a_free_contract_that_never_was_in_force_counts_as_far_as_it_was_used(
    free: RunningLedger,
) -> None:
    """Its unspent credits were taken back, so the next one brings them."""
    await _sign(free, 1)
    await free.debit(30)
    await _sign(free, 1, end=JUNE, version=2)

    await _sign(free, 2)

    assert await _granted(free, 2) == [70]
    assert (await free.pool()).available_micros == 70 * CREDIT
    await free.assert_adds_up()


async def test_expired_and_voided_free_credits_stay_granted(free: RunningLedger) -> None:
    await _sign(free, 1, credits=60, frequency=DAILY)
    (grant,) = await free.grants()
    await free.void(grant.grant_id)
    free.clock.advance_to(JUNE + timedelta(days=1))
    await _sign(free, 1, credits=60, end=free.clock.now(), version=2, frequency=DAILY)

    await _sign(free, 2, credits=100, start=free.clock.now())

    assert await _granted(free, 2) == [40]


async def test_a_repeated_or_late_notice_withholds_nothing_more(free: RunningLedger) -> None:
    await _sign(free, 1)
    await _sign(free, 2, credits=150)
    await _sign(free, 2, credits=150)
    await _sign(free, 2, credits=150, version=2)
    await _sign(free, 1)

    assert [await _granted(free, number) for number in (1, 2)] == [[100], [50]]


async def test_a_contract_told_late_brings_what_exceeds_the_usage_period_in_which_it_began(
    free: RunningLedger,
) -> None:
    await _sign(free, 1)
    free.clock.advance_to(JULY + timedelta(days=1))

    await _sign(free, 2, credits=250, start=CHANGE, commit_duration=3)

    assert await _granted(free, 2) == [150]
    await free.assert_adds_up()


async def test_seats_that_get_a_price_are_granted_in_full_from_their_next_period(free: RunningLedger) -> None:
    await _sign(free, 1)
    await _sign(free, 2)
    free.clock.advance_to(CHANGE)

    await _sign(free, 2, version=2, is_free=False)

    free.clock.advance_to(JULY)
    await free.pool()
    assert await _granted(free, 2) == [0, 100]
    await free.assert_adds_up()


@pytest.mark.parametrize(("included", "left"), [(VOID, 400), (KEEP, 700), (ROLL, 700)])
async def test_a_change_between_free_plans_brings_what_the_larger_one_does(
    free: RunningLedger, included: "peer_pb.IncludedCredits", left: int
) -> None:
    """4 seats with 100 free credits, 100 spent, become 4 with 200: 800 − 400 are granted."""
    schedules = (a_schedule(is_free=True),)
    await free.apply_contract(start=JUNE, schedules=schedules)
    await free.debit(100)
    free.clock.advance_to(CHANGE)
    begun = plan_b()
    begun.grant_schedules[0].is_free = True
    ended = plan_a(schedules=schedules)
    preview = await free.peer.PreviewPlanChange(
        peer_pb.PreviewPlanChangeRequest(
            customer_id="cus_acme", ended=ended, begun=begun, included_credits=included
        )
    )

    answer = await change_plan(free, included, ended=ended, begun=begun, paid=())

    assert [one.amount_micros for one in answer.begun] == [400 * CREDIT]
    assert list(preview.begun) == list(answer.begun)
    assert (await free.pool()).available_micros == left * CREDIT
    await free.assert_adds_up()


async def test_changing_free_plans_back_and_forth_brings_nothing(free: RunningLedger) -> None:
    schedules = (a_schedule(is_free=True),)
    await free.apply_contract(start=JUNE, schedules=schedules)
    free.clock.advance_to(CHANGE)
    spent = 0
    ended = plan_a(schedules=schedules)
    for number in range(2, 6):
        available = (await free.pool()).available_micros // CREDIT
        if available:
            await free.debit(available)
        spent += available
        begun = plan_b(
            contract_id=f"con_{number}",
            subscriptions=[peer_pb.SubscriptionSeats(subscription_id=f"sub_{number}", initial_quantity=4)],
            grant_schedules=[
                a_schedule(
                    grant_schedule_id=f"sch_{number}",
                    subscription_id=f"sub_{number}",
                    unit_amount_micros=100 * CREDIT,
                    anchor_time=timestamp(CHANGE),
                    is_free=True,
                )
            ],
        )
        await change_plan(free, ended=ended, begun=begun, paid=(), request_id=f"ntc_{number}")
        ended = peer_pb.ApplyContractRequest()
        ended.CopyFrom(begun)
        ended.version, ended.end_time.seconds = 2, int(CHANGE.timestamp())

    assert spent + (await free.pool()).available_micros // CREDIT == 400
    await free.assert_adds_up()
