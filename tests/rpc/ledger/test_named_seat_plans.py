# SPDX-License-Identifier: Apache-2.0
"""Contracts with named seats that change: plans, ends, terms, the upgrade from seats without names."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import bad_fields
from tests.support.ledger import AUGUST, CREDIT, JULY, JUNE, RunningLedger, a_schedule, running_ledger
from tests.support.postgres import Databases

CHANGE = datetime(2025, 6, 16, tzinfo=UTC)
SEPTEMBER = datetime(2025, 9, 1, tzinfo=UTC)
INDIVIDUAL = peer_pb.ALLOCATION_INDIVIDUAL


@pytest.fixture
async def named(databases: Databases) -> AsyncIterator[RunningLedger]:
    """On 16 June: of acme's 3 named seats with 100 credits a month, ann has spent 70 and bob nothing; one is free."""
    async with running_ledger(databases) as running:
        await running.sell_assistant()
        await running.sign_named_seats(seats=3)
        await running.assign("ann", "bob", sequence=1)
        await running.debit(70, user="ann")
        running.clock.advance_to(CHANGE)
        yield running


def _contract(
    contract_id: str, number: int, *, seats: int, credits: int, periods: int = 1, **more: object
) -> dict[str, object]:
    told: dict[str, object] = {
        "contract_id": contract_id,
        "version": 1,
        "rate_card_id": "rcd_main",
        "grant_schedules": [
            a_schedule(
                grant_schedule_id=f"sch_{number}",
                subscription_id=f"sub_{number}",
                unit_amount_micros=credits * CREDIT,
                allocation=INDIVIDUAL,
                commit_duration=periods,
                anchor_time=more["start_time"],
            )
        ],
    }
    return told | more


async def _change_plan(
    ledger: RunningLedger, included: "peer_pb.IncludedCredits", *, periods: int = 1
) -> peer_pb.ApplyPlanChangeResponse:
    """Change to 2 seats with 200 credits, of ann and carol, as Contract does: with their ids twice.

    periods: that the old plan's credits live.
    """
    old = peer_pb.SubscriptionSeats(subscription_id="sub_1", initial_quantity=3, seat_group_key="user_id")
    new = peer_pb.SubscriptionSeats(
        subscription_id="sub_2",
        initial_quantity=2,
        seat_group_key="user_id",
        seat_ids=["ann", "carol"],
    )
    ended = _contract(
        "con_1",
        1,
        seats=3,
        credits=100,
        periods=periods,
        version=2,
        start_time=timestamp(JUNE),
        end_time=timestamp(CHANGE),
        subscriptions=[old],
    )
    begun = _contract("con_2", 2, seats=2, credits=200, start_time=timestamp(CHANGE), subscriptions=[new])
    paid = peer_pb.PaidPeriod(
        subscription_id="sub_1", start_time=timestamp(JUNE), end_time=timestamp(JULY), seats=3
    )
    asked: dict[str, object] = {
        "customer_id": "cus_acme",
        "ended": peer_pb.ApplyContractRequest(**ended),  # type: ignore[arg-type]
        "begun": peer_pb.ApplyContractRequest(**begun),  # type: ignore[arg-type]
        "included_credits": included,
        "paid_periods": [paid],
    }
    preview = await ledger.peer.PreviewPlanChange(
        peer_pb.PreviewPlanChangeRequest(**asked)  # type: ignore[arg-type]
    )
    answer = await ledger.peer.ApplyPlanChange(
        peer_pb.ApplyPlanChangeRequest(request_id="ntc_1", **asked)  # type: ignore[arg-type]
    )
    assert (list(preview.ended), list(preview.unused), list(preview.begun)) == (
        list(answer.ended),
        list(answer.unused),
        list(answer.begun),
    )
    await ledger.assign("ann", "carol", sequence=1, at=CHANGE, subscription_id="sub_2")
    return answer


def _told(answer: peer_pb.ApplyPlanChangeResponse) -> tuple[int, int, int]:
    (ended,) = answer.ended
    return tuple(  # type: ignore[return-value]
        micros // CREDIT for micros in (ended.granted_micros, ended.voided_micros, ended.rolled_micros)
    )


async def test_voided_with_the_plan_are_the_rests_of_all_slots_also_of_those_nobody_used(
    named: RunningLedger,
) -> None:
    answer = await _change_plan(named, peer_pb.INCLUDED_CREDITS_VOID)

    assert _told(answer) == (300, 230, 0)
    assert [(one.numerator, one.denominator) for one in answer.unused] == [(23, 30)]
    assert [one.amount_micros for one in answer.begun] == [400 * CREDIT]
    assert (await named.authorize(201, user="ann")).available_micros == 200 * CREDIT
    assert (await named.authorize(1, user="bob")).denial_reason == pb.DENIAL_REASON_SEAT_NOT_ASSIGNED
    await named.assert_adds_up()


async def test_rests_roll_to_the_seat_of_the_same_id_and_else_to_the_pool(named: RunningLedger) -> None:
    answer = await _change_plan(named, peer_pb.INCLUDED_CREDITS_ROLL)

    assert _told(answer) == (300, 0, 230)
    assert (await named.pool()).available_micros == 200 * CREDIT  # bob's 100, and those of the free seat
    assert (await named.authorize(230, user="ann")).decision == pb.DECISION_ALLOWED
    assert (await named.authorize(201, user="carol")).available_micros == 200 * CREDIT
    named.clock.advance_to(JULY)
    await named.app.run_due(JULY)
    assert (await named.pool()).available_micros == 0
    await named.assert_adds_up()


@pytest.mark.parametrize("is_swept", [False, True])
async def test_what_holds_of_seats_return_after_a_change_follows_to_the_seat_of_the_id_and_else_to_the_pool(
    named: RunningLedger, *, is_swept: bool
) -> None:
    anns = await named.authorize(30, user="ann")
    bobs = await named.authorize(100, user="bob")
    await _change_plan(named, peer_pb.INCLUDED_CREDITS_ROLL)
    assert (await named.pool()).available_micros == 100 * CREDIT  # those of the free seat
    assert (await named.authorize(201, user="ann")).available_micros == 200 * CREDIT

    if is_swept:
        named.clock.advance(timedelta(minutes=5))
        await named.app.run_due(named.clock.now())
    else:
        await named.capture(anns.hold_id, 0)
        await named.release(bobs.hold_id)

    assert (await named.pool()).available_micros == 200 * CREDIT
    assert (await named.authorize(231, user="ann")).available_micros == 230 * CREDIT
    assert (await named.authorize(230, user="ann")).decision == pb.DECISION_ALLOWED
    await named.assert_adds_up()


async def test_rests_that_roll_live_as_long_as_they_would_have_also_those_of_seats_nobody_used(
    databases: Databases,
) -> None:
    async with running_ledger(databases) as ledger:
        await ledger.sell_assistant()
        await ledger.tell_customer("cus_acme", "acme")
        seats = peer_pb.SubscriptionSeats(
            subscription_id="sub_1", initial_quantity=3, seat_group_key="user_id"
        )
        three_months = a_schedule(allocation=INDIVIDUAL, commit_duration=3)
        await ledger.apply_contract(start=JUNE, subscriptions=[seats], schedules=[three_months])
        await ledger.assign("ann", "bob", sequence=1)
        await ledger.debit(70, user="ann")
        ledger.clock.advance_to(CHANGE)

        await _change_plan(ledger, peer_pb.INCLUDED_CREDITS_ROLL, periods=3)

        ledger.clock.advance_to(AUGUST)
        assert (await ledger.pool()).available_micros == 200 * CREDIT
        ledger.clock.advance_to(SEPTEMBER)
        assert (await ledger.pool()).available_micros == 0
        await ledger.app.run_due(SEPTEMBER)
        await ledger.assert_adds_up()


async def test_kept_credits_of_a_seat_are_drawn_by_its_id_until_their_period_ends(
    named: RunningLedger,
) -> None:
    answer = await _change_plan(named, peer_pb.INCLUDED_CREDITS_KEEP)

    assert _told(answer) == (300, 0, 0)
    assert (await named.authorize(231, user="ann")).available_micros == 230 * CREDIT
    named.clock.advance_to(JULY)
    assert (await named.authorize(201, user="ann")).available_micros == 200 * CREDIT
    await named.debit(1, user="ann")
    await named.assert_adds_up()


async def test_an_end_that_is_told_inside_a_period_takes_nothing_back_of_it(named: RunningLedger) -> None:
    """Neither of ann, who has called before, nor of bob, who has not."""
    await named.sign_named_seats(seats=3, version=2, end=CHANGE.replace(day=20))

    assert (await named.seat("ann")).available_micros == 30 * CREDIT
    assert (await named.seat("bob")).available_micros == 100 * CREDIT
    await named.debit(1, user="bob")
    await named.assert_adds_up()


async def test_a_period_that_begins_at_the_end_does_not_exist(named: RunningLedger) -> None:
    named.clock.advance_to(JULY)
    await named.debit(40, user="ann")

    await named.sign_named_seats(seats=3, version=2, end=JULY)

    assert (await named.authorize(1, user="ann")).denial_reason == pb.DENIAL_REASON_NOT_ENTITLED
    voided = {
        one.cause_id: one.amount_micros
        for one in await named.entries()
        if one.entry_kind == apb.ENTRY_KIND_VOID
    }
    assert voided == {"sch_1#1": -60 * CREDIT, "sch_1#2": -100 * CREDIT}
    await named.assert_adds_up()


async def test_new_terms_count_for_the_periods_of_slots_that_begin_later(named: RunningLedger) -> None:
    edition = peer_pb.ScheduleEdition(
        effective_time=timestamp(CHANGE),
        unit_amount_micros=250 * CREDIT,
        priority=1,
        prorates_increases=True,
        period_proration=peer_pb.PERIOD_PRORATION_FIRST_AND_LAST,
        commit_duration=1,
    )
    await named.apply_contract(
        start=JUNE,
        version=2,
        subscriptions=[
            peer_pb.SubscriptionSeats(subscription_id="sub_1", initial_quantity=3, seat_group_key="user_id")
        ],
        schedules=[a_schedule(allocation=INDIVIDUAL, editions=[edition])],
    )

    assert (await named.seat("ann")).available_micros == 30 * CREDIT
    named.clock.advance_to(JULY)
    assert (await named.seat("ann")).available_micros == 250 * CREDIT
    assert (await named.seat("bob")).available_micros == 250 * CREDIT


async def test_a_schedule_that_is_added_grants_to_slots_that_were_read_before(
    named: RunningLedger,
) -> None:
    more = a_schedule(
        grant_schedule_id="sch_2",
        allocation=INDIVIDUAL,
        unit_amount_micros=7 * CREDIT,
        anchor_time=timestamp(JUNE),
    )
    await named.sign_named_seats(seats=3, version=2, schedules=[more])

    assert (await named.seat("ann")).available_micros == 37 * CREDIT
    assert (await named.seat("bob")).available_micros == 107 * CREDIT
    assert (await named.authorize(37, user="ann")).decision == pb.DECISION_ALLOWED
    await named.assert_adds_up()


async def test_a_preview_tells_what_an_added_seat_would_bring_to_its_slot(named: RunningLedger) -> None:
    preview = await named.peer.PreviewSeatChange(
        peer_pb.PreviewSeatChangeRequest(
            customer_id="cus_acme",
            subscription_id="sub_1",
            effective_time=timestamp(datetime(2025, 7, 3, tzinfo=UTC)),
            quantity_delta=2,
        )
    )

    assert [(one.grant_schedule_id, one.amount_micros) for one in preview.credits] == [
        ("sch_1", 2 * 93_548_387)
    ]


async def test_rests_of_a_slot_roll_over_within_the_slot(databases: Databases) -> None:
    async with running_ledger(databases) as ledger:
        await ledger.sell_assistant()
        await ledger.tell_customer("cus_acme", "acme")
        rollover = peer_pb.RolloverTerms(fraction_millionths=500_000, duration=1)
        await ledger.apply_contract(
            start=JUNE,
            subscriptions=[
                peer_pb.SubscriptionSeats(
                    subscription_id="sub_1", initial_quantity=2, seat_group_key="user_id"
                )
            ],
            schedules=[a_schedule(allocation=INDIVIDUAL, rollover=rollover)],
        )
        await ledger.assign("ann", "bob", sequence=1)
        await ledger.debit(40, user="ann")

        ledger.clock.advance_to(JULY)
        assert (await ledger.seat("ann")).available_micros == 130 * CREDIT
        assert (await ledger.seat("bob")).available_micros == 150 * CREDIT
        await ledger.debit(130, user="ann")
        ledger.clock.advance_to(AUGUST)
        await ledger.app.run_due(AUGUST)
        assert (await ledger.seat("ann")).available_micros == 100 * CREDIT
        assert (await ledger.seat("bob")).available_micros == 150 * CREDIT
        await ledger.assert_adds_up()


async def test_seats_without_names_get_names_and_keep_their_pool(databases: Databases) -> None:
    async with running_ledger(databases) as ledger:
        await ledger.sell_assistant()
        await ledger.sign_acme(seats=2)
        await ledger.change_seats(1, JUNE, sequence=1)

        seats = peer_pb.SubscriptionSeats(
            subscription_id="sub_1", initial_quantity=2, seat_group_key="user_id"
        )
        individual = a_schedule(grant_schedule_id="sch_2", allocation=INDIVIDUAL)
        ledger.clock.advance_to(JULY)
        await ledger.apply_contract(
            start=JUNE, version=2, subscriptions=[seats], schedules=[a_schedule(), individual]
        )
        await ledger.assign("ann", "bob", "carol", sequence=2, at=JULY)

        assert (await ledger.pool()).available_micros == 300 * CREDIT
        assert (await ledger.seat("carol")).available_micros == 100 * CREDIT
        assert (await ledger.authorize(101, user="carol")).decision == pb.DECISION_DENIED


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"seat_group_key": ""}, "grant_schedules[0].allocation"),
        ({"shared_pool_seat_ids": ["ann"]}, "subscriptions[0].shared_pool_seat_ids"),
        ({"seat_group_key": "k" * 65}, "subscriptions[0].seat_group_key"),
    ],
)
async def test_terms_of_named_seats_must_fit_together(
    databases: Databases, more: dict[str, object], field: str
) -> None:
    async with running_ledger(databases) as ledger:
        await ledger.tell_customer("cus_acme", "acme")
        with bad_fields(field):
            await ledger.sign_named_seats(**more)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"quantity_delta": 0}, "quantity_delta"),
        ({"assign_seat_ids": ["ann", "ann"]}, "assign_seat_ids"),
        ({"assign_seat_ids": [""]}, "assign_seat_ids[0]"),
        ({"assign_seat_ids": [f"u{n}" for n in range(1_001)]}, "assign_seat_ids"),
        ({"transfers": [{"from_seat_id": "ann"}]}, "transfers.to_seat_id[0]"),
    ],
)
async def test_bad_seat_ids_are_named(named: RunningLedger, more: dict[str, object], field: str) -> None:
    with bad_fields(field):
        await named.change_seats(0, CHANGE, sequence=2, **more)


async def test_an_outdated_contract_with_named_seats_that_are_gone_changes_nothing(
    named: RunningLedger,
) -> None:
    before = await named.seat("ann")
    other = peer_pb.SubscriptionSeats(subscription_id="sub_old", seat_group_key="user_id")

    version = await named.apply_contract(start=JUNE, version=1, subscriptions=[other], schedules=[])

    assert version == 1
    assert await named.seat("ann") == before
